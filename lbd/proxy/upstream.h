/*
 * upstream.h - a connection to a server, and the idle ones that a worker keeps.
 *
 * Connecting, shaking hands for TLS, in use by one exchange or by one session in TCP mode, or idle.  An idle one
 * keeps its read watcher: the server's FIN is seen at once, and so are bytes that nobody asked for; both end it.  The
 * most recently used is taken first.  Knows sockets and servers; what the bytes mean is the exchange's affair.  To
 * servers that speak HTTP/2 a connection is shared (h2_server.h).  Where the server is told of the client
 * (send_proxy_protocol), a connection serves that client's connection alone, shared or not, and ends with it at the
 * latest.
 */
#ifndef LBD_PROXY_UPSTREAM_H
#define LBD_PROXY_UPSTREAM_H

#include <errno.h>

#include "lbd/proxy/conn.h"
#include "lbd/proxy/proxy.h"
#include "lbd/tls/upstream.h"

enum { UPSTREAM_MAGIC = 0x1bd30bbb };

enum upstream_state { UPSTREAM_CONNECTING, UPSTREAM_SECURING, UPSTREAM_BUSY, UPSTREAM_IDLE };

struct upstream {
	struct conn conn;
	uint32_t magic;
	enum upstream_state state;
	uint32_t slot;
	uint32_t generation; /* of its set when it was opened */
	bool reused; /* has served an exchange before the present one */
	struct exchange *exchange; /* NULL when idle, or shared */
	struct client *client; /* the only one that it serves; NULL: anybody */
	struct upstream *next_of, **prev_of; /* of that client */
	unsigned proxy_header; /* version; with that it begins to speak of the client */
	struct tcp_session *session; /* TCP mode: whose it is for all its life; else NULL */
	struct h2_server *h2; /* NULL: HTTP/1 */
	struct stats_pool *stats;
	struct upstream *next, **prev; /* of its set: idle ones, or shared ones */
	int64_t idle_limit; /* ns; from the server's Keep-Alive: timeout, else the configured one */
};

/* All that a worker has to one server. */
struct upstream_set {
	struct upstream *idle; /* newest first */
	struct upstream *shared; /* HTTP/2, newest first */
	uint32_t n_idle; /* of both */
	int64_t http1_until; /* by ALPN it does not speak HTTP/2: asked again after that */
	uint32_t generation; /* grows when address or TLS change: older ones are not used again */
	uint32_t adoption; /* proxy->adoption when a configuration last named it */
	struct address address;
	struct tls_target target;
	unsigned proxy_header; /* version that new ones begin with; 0: none */
};

/* Nothing can be sent yet. */
static inline bool
upstream_opening(const struct upstream *u)
{
	return u->state <= UPSTREAM_SECURING;
}

/*
 * An idle connection to that server (unless `fresh`), or a new one that may still be connecting.  It is
 * the exchange's now; of a shared one, its call (x->call) is.  NULL when the connection failed at once (errno says
 * why).
 */
struct upstream *
upstream_get(struct proxy *, const struct server_config *, struct exchange *, bool fresh);

/* A new one, which is the session's until it gives it back to be closed.  NULL likewise. */
struct upstream *
upstream_connect(struct proxy *, const struct server_config *, struct tcp_session *);

/* That errno says something of us and not of the server: it could not even be tried. */
static inline bool
upstream_lacks(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS ||
	    err == EADDRNOTAVAIL;
}

/* Of a shared one no exchange has a call any more: it rests, or is closed. */
void upstream_settle(struct upstream *);

/* The exchange is done with it: `reusable` puts it with the idle ones, else it is closed.  Clears *up. */
void upstream_release(struct upstream **up, bool reusable);

/*
 * A new configuration has these servers: where address or TLS changed, idle connections end and busy ones
 * are not used again.
 */
void upstream_sets_renew(struct proxy *, const struct pool *);

/* An old one had these: the same for those that the new one does not name. */
void upstream_sets_forget(struct proxy *, const struct pool_config *);

/* The client's connection ends, and has no exchange any more: so do those that serve it alone. */
void upstreams_end(struct client *);

void upstream_close_idle(struct proxy *);

/* To that server alone. */
void upstream_close_idle_at(struct proxy *, uint32_t slot);
void upstreams_fini(struct proxy *);

#endif
