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

/* Exit status. */
enum ending {
	ENDING_DONE,
	ENDING_REFUSED, /* or failed */
	ENDING_USAGE,
	ENDING_UNREACHABLE
};

struct hactl {
	struct daemon lbd, ha;
	const char *metrics; /* address of lbd's admin.http */
	FILE *out;
	bool terminal, colour; /* of out */
	unsigned width; /* of the terminal; 0: as wide as it gets */
};

struct command {
	const char *name;
	const char *usage; /* what follows the name */
	const char *help; /* first line: what it does, in short */
	enum ending (*run)(struct hactl *, const struct command *, int argc, char **argv);
};

#endif
