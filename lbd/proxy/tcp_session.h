/*
 * tcp_session.h - a connection in TCP mode: from accept, or from the end of its handshake, to the record in the log.
 *
 * It pins the snapshot it started with, finds its pool (by the name in the client's TLS hello, if routes ask for one),
 * chooses a server, connects, tries others where that fails, and later the same ones, waits in the pool's queue where
 * all are full; then the relay passes bytes until both sides have ended.  What the client says before there is a server
 * waits for it, within reason.  Beside the client's exchange, which it stands for: the same pools, counts, limits and
 * records.
 *
 *   tcp_session.c  start, relay, end      tcp_try.c  a server, another server, none
 *   tcp_hello.c    what name is asked for
 */
#ifndef LBD_PROXY_TCP_SESSION_H
#define LBD_PROXY_TCP_SESSION_H

#include "lbd/proxy/circuit.h"
#include "lbd/proxy/client.h"
#include "lbd/proxy/queue.h"
#include "lbd/proxy/relay.h"
#include "lbd/proxy/upstream.h"

enum { TCP_SESSION_MAGIC = 0x1bd30eee, TCP_EARLY_MAX = 16 * 1024 };

enum tcp_phase {
	TCP_HELLO, /* waits for the client's hello */
	TCP_CONNECT, /* in the queue, or connecting */
	TCP_RELAY
};

struct tcp_session {
	uint32_t magic;
	enum tcp_phase phase;
	struct client *client; /* never NULL */
	struct upstream *upstream; /* NULL: none yet */
	struct snapshot *snapshot;
	const struct listener_config *listener;
	struct pool *pool; /* NULL: not known yet */
	const struct server_config *server; /* the present or last choice; NULL: none */
	struct waiter waiter; /* in its pool's queue */
	struct balance_tried tried;
	uint32_t retries;
	bool paused; /* all servers have been tried; the same again after a while */
	bool holds_active; /* counted in servers->active */
	bool reset; /* it ends so that nobody takes what came for all there is */
	enum termination termination, failed_why; /* of it all; of the try before */
	char *name; /* that the client asked for: TLS_NAME_MAX bytes; NULL: none */
	size_t name_n;
	int64_t tried_at, try_by, connect_ns; /* connect_ns -1: none */
	uint64_t probe; /* of its server's circuit; 0: it is none */
	struct relay relay;
};

/* The client's connection is there, and secured where its listener does that. */
void tcp_session_start(struct client *);

/* client.c: the client is being closed.  Records and frees it. */
void tcp_session_client_gone(struct tcp_session *);

/* Is it connected to that server, of a pool that wants no connections to one that is down? */
bool tcp_session_is_at(const struct tcp_session *, uint32_t slot);

/* What happens to the server's connection. */
void tcp_session_connected(struct tcp_session *); /* or it failed: looks itself */
void tcp_session_connect_failed(struct tcp_session *, enum termination);
void tcp_session_server_readable(struct tcp_session *);
void tcp_session_server_writable(struct tcp_session *);
void tcp_session_server_expired(struct tcp_session *);

/* --- between the files of the session --- */

/* tcp_session.c: it ends now, with a reset unless all is well or the client knows. */
void tcp_session_end(struct tcp_session *, enum termination);

/* tcp_session.c: its route is known; NULL: the listener's pool, if it has one. */
void tcp_session_routed(struct tcp_session *, const struct route_config *);

/* tcp_hello.c */
void tcp_hello_start(struct tcp_session *);
void tcp_hello_readable(struct tcp_session *);
void tcp_hello_expired(struct tcp_session *);

/* tcp_try.c: the first choice of a server, or the first after a pause; or the queue. */
void tcp_try_first(struct tcp_session *);
void tcp_release_server(struct tcp_session *);

/* tcp_try.c: its pool's circuit breaker hears how the present try went. */
void tcp_tell(struct tcp_session *, enum circuit_result);

static inline struct worker *
tcp_worker(const struct tcp_session *s)
{
	return s->client->conn.worker;
}

static inline const struct timeouts_config *
tcp_timeouts(const struct tcp_session *s)
{
	return &s->snapshot->config->timeouts;
}

#endif
