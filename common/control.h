/*
 * control.h - the daemons' control socket: JSON objects, one a line, in both directions, on a libev loop.
 *
 * A request {"command":"NAME", ...arguments} gets one line {"ok":true, ...} or {"ok":false,"error":"TEXT"};
 * requests of one connection are answered in order, one at a time.  A command may answer later: it keeps its
 * token, which stays valid when the client has gone (the answer is then dropped).  A command may subscribe
 * its connection to a topic: lines that are published there follow until the client leaves.
 *
 * All of it belongs to the loop's thread.  Bounded: clients, the length of a request line, the bytes queued
 * for a client (a subscriber that does not read is cut off), the time a silent client may stay.
 */
#ifndef COMMON_CONTROL_H
#define COMMON_CONTROL_H

#include <jansson.h>

#include "common/err.h"
#include "common/str.h"

struct ev_loop;
struct control;
struct control_token;

enum {
	CONTROL_LINE_MAX = 65536, /* of a request */
	CONTROL_QUEUE_MAX = 16 << 20, /* bytes waiting for one client; also the longest reply */
	CONTROL_CLIENTS_MAX = 64,
	CONTROL_TOPICS_MAX = 8,
	CONTROL_IDLE_S = 60 /* without a request, an answer pending or a subscription */
};

/*
 * Runs one command.  It must consume the token, now or later, by control_reply, control_refuse or
 * control_subscribe.  `request` is borrowed until it returns.
 */
typedef void control_fn(struct control_token *, const json_t *request, void *context);

struct control_command {
	const char *name;
	bool read_only; /* changes nothing: allowed on a read-only socket */
	control_fn *run;
	const char *help; /* one line, for the command "help" that every socket has */
};

struct control_options {
	int listen_fd; /* bound and listening; taken over, also on failure */
	bool read_only; /* refuses commands that are not */
	const struct control_command *commands; /* borrowed until control_stop */
	size_t n_commands;
	void *context; /* for the commands */
};

struct control *control_start(struct ev_loop *, const struct control_options *, struct err *);

/* Closes everything, the listening socket too.  Tokens that are still out stay valid and must be consumed. */
void control_stop(struct control **);

/* {"ok":true} and the members of `result`, which is taken over (NULL: none). */
void control_reply(struct control_token *, json_t *result);

/* The same for a result that had to be made: NULL is out of memory. */
void control_result(struct control_token *, json_t *result);

/* {"ok":false,"error":...}. */
__attribute__((format(printf, 2, 3))) void
control_refuse(struct control_token *, const char *format, ...);

/* Replies as control_reply does and puts the connection on that topic. */
void control_subscribe(struct control_token *, unsigned topic, json_t *result);

/* One line to every subscriber.  `message` is taken over. */
void control_publish(struct control *, unsigned topic, json_t *message);
bool control_has_subscribers(const struct control *, unsigned topic);

#endif
