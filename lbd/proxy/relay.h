/*
 * relay.h - bytes both ways between two connections, whatever they mean.
 *
 * What comes from one side goes to the other.  Its end (FIN) is passed on, and the other direction goes on until it
 * ends too.  Nothing more is taken from a side before the other has taken what was: what waits is bounded by one read.
 * Large flows from plain connections to those that take plaintext (conn_ktls.h) go through a pipe (pipe.h), everything
 * else through scratch memory, which costs less where it is little.
 *
 * A side that breaks is told of only when the other has got what came before that.  Embedded in its owner, who passes
 * the events of both connections in and hears of the end once; it then closes both, and calls relay_fini.  The server's
 * timer is the relay's: nothing moves for timeouts.tunnel, or for less when one side has ended.
 */
#ifndef LBD_PROXY_RELAY_H
#define LBD_PROXY_RELAY_H

#include "lbd/config/config.h"
#include "lbd/proxy/conn.h"
#include "lbd/worker/termination.h"

struct pipe;

/* One direction. */
struct relay_flow {
	struct conn *from, *to;
	struct pipe
	    *pipe; /* what `to` has not taken of it; NULL: nothing, or it waits in to->out */
	uint32_t large; /* how many more reads brought much than little, lately */
};

struct relay {
	struct relay_flow up, down; /* to the server, to the client */
	const struct timeouts_config *timeouts;
	/*
	 * END_OK: both sides have ended, and have all that the other sent.  END_CLIENT_CLOSED, END_SERVER_RESET: that
	 * side broke.  Else nothing moved for so long.
	 */
	void (*over)(struct relay *, enum termination);
	size_t unsent; /* what the kernel had left for both when the time was up */
	bool ended;
};

/* What was kept of either side (conn_keep) goes first.  The time-outs stay the caller's. */
void relay_start(struct relay *, struct conn *client, struct conn *server,
    const struct timeouts_config *, void (*over)(struct relay *, enum termination));
void relay_fini(struct relay *);

void relay_client_readable(struct relay *);
void relay_client_writable(struct relay *);
void relay_server_readable(struct relay *);
void relay_server_writable(struct relay *);
void relay_expired(struct relay *); /* the server's timer */

/*
 * For whoever relays without one: how long nothing may move, and what it is when nothing did.  Whose turn it is to end,
 * once the other side's end has been passed on, is given less time than two that may still speak.
 */
int64_t relay_patience(const struct timeouts_config *, bool client_ended, bool server_ended);
enum termination relay_impatience(bool client_ended, bool server_ended);

#endif
