/*
 * client.h - a client's connection: between requests, receiving a head, in an exchange, or ending.
 *
 * Reads request heads, one at a time and in order, and starts an exchange for each; while that runs, what
 * arrives is the exchange's body or waits for its turn.  Between requests it holds no buffer and stands in
 * the list of idle connections, oldest first, which gives way when there are too many.
 */
#ifndef LBD_PROXY_CLIENT_H
#define LBD_PROXY_CLIENT_H

#include "lbd/http/proxy_header.h"
#include "lbd/proxy/conn.h"
#include "lbd/proxy/proxy.h"

enum { CLIENT_MAGIC = 0x1bd30ccc, CLIENT_ADDRESS_MAX = 48 };

struct client_count;

enum client_state {
	CLIENT_PROXIED, /* comes through another proxy, which has yet to say for whom; proxied.h */
	CLIENT_HANDSHAKE, /* TLS: not yet secured; handshake.h */
	CLIENT_IDLE, /* waits for the first byte of a request; in the idle list */
	CLIENT_HEAD, /* part of a head is here */
	CLIENT_EXCHANGE, /* `exchange` is set, or `h2` has some */
	CLIENT_LINGER /* our last word is said; reads on for a moment so that it arrives */
};

struct client {
	struct conn conn;
	uint32_t magic;
	uint8_t state; /* enum client_state */
	uint8_t family; /* AF_INET, AF_INET6, AF_UNIX */
	uint8_t address_n;
	bool handshaking; /* holds one of the worker's limits.tls_handshakes */
	bool proxied; /* another proxy has said who it is, and where it wanted to go */
	char address[CLIENT_ADDRESS_MAX]; /* as text, for logs and X-Forwarded-For */
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
	struct proxy_end destination; /* if proxied */
	struct client_count *counted; /* by connections_per_client; NULL: not */
	struct listener *listener; /* of the snapshot that the next request will use */
	struct stats_listener *stats; /* outlives every snapshot */
	struct snapshot
	    *retired; /* set: its listener is gone, and this keeps it until the client is */
	struct exchange *exchange; /* of HTTP/1 */
	struct h2_connection *h2; /* NULL: HTTP/1 */
	struct upstream *upstreams; /* of those servers that are told who it is */
	struct tcp_session *tcp; /* of a listener in TCP mode; else NULL */
	struct client *next, **prev; /* all of the worker's */
	struct client *older, *newer; /* idle ones; those that wait for their handshake */
	int64_t accepted, head_started;
	uint64_t counted_in, counted_out, counted_ktls; /* bytes that are in `stats` already */
	uint32_t requests;
};

/* worker_hooks.accepted. */
void client_accepted(struct listener *, int fd, const struct address *peer);

/*
 * The exchange is over and nothing waits to be sent: the next request, or the end.  `linger`: the client
 * may still be sending, our answer must survive that.
 */
void client_exchange_ended(struct client *, bool keep_alive, bool linger);

/* Ends it now; an exchange that runs is told first.  `reset`: so that nobody takes a cut body for whole. */
void client_close(struct client *, bool reset);

/* proxied.c: that is who it is. */
void client_set_address(struct client *, const struct address *);

/*
 * It is known who it is: within its limits it goes on, with TLS or its first request.  `data`, in scratch memory:
 * what was read of it already; NULL: nobody has looked.
 */
void client_admit(struct client *, const struct span *data);

/* handshake.c: TLS is there, the first request may come. */
void client_secured(struct client *);

/* HTTP/2: it has no exchange, or one at least; nothing is left to say. */
void client_idle(struct client *);
void client_busy(struct client *);
void client_end(struct client *);

/* To the statistics: bytes so far; what did not end well. */
void client_count_bytes(struct client *);
void client_count_end(struct client *, enum termination);

/* May this idle connection end to make room for another?  Not if its request is on the way already. */
bool client_gives_way(const struct client *);

/*
 * The other node has taken over: is this exchange its last?  Not while its next request is on the
 * way already, for that would be lost.
 */
bool client_yields(const struct client *);

/* Ends it if it is idle and silent: first our FIN, so that the client sees it before it asks again. */
void client_close_idle(struct client *);

/* Its listener is gone, or lbd drains: idle ones end, others after their exchange. */
void client_retire(struct client *);

/* Its address, without the port; false: it has none, it came through a unix socket. */
static inline bool
client_ip(const struct client *c, struct address *a)
{
	*a = (struct address){ 0 };
	a->sa.sa_family = c->family;
	if (c->family == AF_INET)
		memcpy(&a->in.sin_addr, c->ip + 12, 4);
	else if (c->family == AF_INET6)
		memcpy(&a->in6.sin6_addr, c->ip, 16);
	return c->family != AF_UNIX;
}

static inline struct str
client_address(const struct client *c)
{
	return (struct str){ c->address, c->address_n };
}

#endif
