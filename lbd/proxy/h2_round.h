/*
 * h2_round.h - how much of a round of events is for HTTP/2.
 *
 * One read may bring a hundred requests, each of which may need a connection to a server.  What a connection has to
 * do beyond its slice waits, and so does whatever HTTP/2 has to do beyond the share of all; in each of the next
 * rounds one connection goes on with a slice, first come, first served.  So nobody else's request waits behind more
 * than that.  Work is counted, not timed.
 */
#ifndef LBD_PROXY_H2_ROUND_H
#define LBD_PROXY_H2_ROUND_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct h2_connection;
struct proxy;

/* One is about 3 us of CPU. */
enum {
	H2_WORK_REQUEST = 1, /* that is given to a server */
	H2_WORK_OPENING = 8, /* that a connection is opened for */
	H2_WORK_SLICE = 16
};

struct h2_round {
	struct h2_connection *first, **end; /* they have something left */
	ev_idle next; /* runs when there is one */
	int64_t began; /* the worker's `now` of this round */
	unsigned work; /* done in it */
};

/* For proxy_init. */
void h2_round_init(struct proxy *);

/* So much was done; is the share of all used up? */
void h2_round_worked(struct proxy *, unsigned work);
bool h2_round_over(const struct proxy *);

/* h2_connection_go_on is called in the next round, or a later one.  Once. */
void h2_round_put(struct h2_connection *);

/* Not any more; it need not be in line. */
void h2_round_remove(struct h2_connection *);

#endif
