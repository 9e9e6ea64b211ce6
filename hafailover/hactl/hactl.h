/*
 * hactl.h - what every command of hactl has at hand, and how it ends.
 *
 * A command is one row of the table in command.c and one function, which reads its own arguments, asks
 * the daemons, prints to standard output and says what went wrong on standard error.  Only main.c exits.
 */
#ifndef HAFAILOVER_HACTL_HACTL_H
#define HAFAILOVER_HACTL_HACTL_H

#include <stdio.h>

#include "common/err.h"
#include "hafailover/hactl/daemon.h"
#include "hafailover/hactl/display.h"
#include "hafailover/hactl/follow.h"

/* Exit status. */
enum ending {
	ENDING_DONE,
	ENDING_REFUSED, /* or failed */
	ENDING_USAGE,
	ENDING_UNREACHABLE
};

struct hactl {
	struct daemon lbd, ha;
	FILE *out;
	bool terminal; /* out is one */
	struct look look; /* of out */
};

struct command {
	const char *name;
	const char *usage; /* what follows the name */
	const char *help; /* the first line says in short what it does */
	enum ending (*run)(struct hactl *, const struct command *, int argc, char **argv);
};

/* "hactl: ..." on standard error, cleaned; several lines if it has them. */
__attribute__((format(printf, 1, 2))) void hactl_complain(const char *format, ...);

/* The reason as a complaint.  ENDING_REFUSED. */
enum ending hactl_refuse(const struct err *);

/* daemon_ask, and the complaint if that fails. */
enum ending hactl_ask(struct daemon *, json_t *request, struct answer *);
enum ending hactl_ask_patiently(
    struct daemon *, const struct daemon_patience *, json_t *request, struct answer *);
enum ending hactl_ending(enum daemon_result);

/* The text is freed. */
enum ending hactl_print(struct hactl *, struct text *);

/* The daemon's answer as it came. */
enum ending hactl_print_json(struct hactl *, const struct answer *);

/* Fills the text, or says in err why it cannot. */
typedef enum ending hactl_page(struct hactl *, void *context, struct text *, struct err *);

/* Prints a page; draws it now and then until somebody leaves, or once without a terminal. */
enum ending hactl_once(struct hactl *, hactl_page *make, void *context);
enum ending hactl_watch(struct hactl *, hactl_page *make, void *context, int64_t interval_ns);

/* Draws it whenever one of these has news, until somebody leaves.  Only where hactl_may_follow. */
bool hactl_may_follow(const struct hactl *);
enum ending
hactl_follow(struct hactl *, hactl_page *make, void *context, struct follow *, size_t n);

#endif
