/*
 * tls.h - one TLS connection: handshake, records in, records out.  No socket: see engine.h.
 *
 * Before a call the caller may point engine->in at bytes that came; after it, it sends the engine->out_n bytes
 * at engine->out (and sets out_n to 0), whatever the result, and keeps what is left of engine->in for the next
 * call.  Worker's thread.
 */
#ifndef LBD_TLS_TLS_H
#define LBD_TLS_TLS_H

#include <sys/types.h>

#include "lbd/tls/context.h"
#include "lbd/tls/failure.h"
#include "lbd/tls/ktls.h"
#include "lbd/tls/upstream.h"

struct tls_peer;

struct tls {
	SSL *ssl;
	struct tls_engine *engine;
	struct tls_context *context; /* of the listener; NULL: we are the client */
	struct tls_peer *peer; /* what was read of its certificate; NULL: nothing yet */
	struct tls_upstream *upstream; /* of the pool, if we are */
	struct tls_target *target;
	uint32_t target_epoch;
	uint32_t set; /* of its sets, by the name that the client asked for */
	bool secured; /* the handshake is over */
	bool failed; /* what came is no TLS: nothing more can be read */
	bool offloaded; /* the kernel seals: nothing of OpenSSL's may leave any more */
	uint16_t alert; /* that OpenSSL has sent, or would have: level and description; 0: none */
	struct ktls_key key; /* the kernel could go on with it */
	/* For lbd/proxy/conn_ktls.c: */
	uint64_t bulk; /* bytes of large sends, lately */
	uint64_t offloaded_at; /* bytes that were sent before */
	size_t unsent; /* in the socket, when it was looked at */
};

/* NULL: out of memory.  The target is borrowed, and outlives the connection. */
struct tls *tls_accept(struct tls_context *);
struct tls *tls_connect(struct tls_target *, struct str alpn); /* what is offered, as on the wire */
void tls_free(struct tls **);

/* 0: secured; -EAGAIN: more must come, or go; -EPROTO: failed, and *why says how. */
int tls_handshake(struct tls *, enum tls_failure *why);

/* >0: so many bytes of plaintext at p; 0: the peer has said that it ends; -EAGAIN: none yet; -EPROTO. */
ssize_t tls_read(struct tls *, char *p, size_t n);

/* All of n, at most TLS_WRITE_MAX, becomes records.  0 or -EPROTO. */
int tls_write(struct tls *, const char *p, size_t n);

/* We end: close_notify. */
void tls_shutdown(struct tls *);

/*
 * The kernel has the key and seals from now on: no more tls_write and tls_shutdown.  tls_read leaves what OpenSSL
 * would say itself in `alert`, for the kernel to send.  A peer that asks for another key has failed: the kernel
 * keeps the one that it has.
 */
void tls_offloaded(struct tls *);

/* Plaintext, the peer's end or its fault is here and was not read yet. */
bool tls_has_more(const struct tls *);

/* A record is here, or its beginning that the rest is yet to follow; not seen before its header is whole. */
bool tls_has_part(const struct tls *);

/* May that host be asked for here?  With or without a port, as in a Host field. */
bool tls_serves(const struct tls *, struct str host);

/* "TLSv1.3" */
struct str tls_version_name(const struct tls *);

/* We are the server: the name that the client asked for; empty: none. */
struct str tls_name_asked(const struct tls *);

/* The protocol that was agreed on by ALPN; empty: none. */
struct str tls_protocol(const struct tls *);

static inline bool
tls_agreed_on_h2(const struct tls *t)
{
	return str_eq(tls_protocol(t), STR("h2"));
}

static inline bool
tls_is_1_3(const struct tls *t)
{
	return SSL_version(t->ssl) == TLS1_3_VERSION;
}

static inline bool
tls_was_resumed(const struct tls *t)
{
	return SSL_session_reused(t->ssl);
}

#endif
