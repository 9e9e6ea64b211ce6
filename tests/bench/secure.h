/*
 * secure.h - TLS for the load generator: recv and send as they are on a socket, once it is made secure.
 *
 * TLS 1.3 only, and no certificate is verified: what the proxies do is to be measured, not the clients.  The
 * handshake happens within the first send.  Header-only, as socket.h.
 */
#ifndef BENCH_SECURE_H
#define BENCH_SECURE_H

#include <err.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

static struct {
	SSL_CTX *ctx;
	SSL_SESSION *session; /* the last ticket that came; NULL: none is wanted, or has come */
	uint64_t handshakes, resumed;
} secure;

/* A copy, here and when it is used: OpenSSL resumes each session once, and none whose connection broke. */
static inline int
secure_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(secure.session);
	secure.session = SSL_SESSION_dup(session);
	return 0;
}

static inline void
secure_init(bool resume)
{
	secure.ctx = SSL_CTX_new(TLS_client_method());
	if (!secure.ctx || !SSL_CTX_set_min_proto_version(secure.ctx, TLS1_3_VERSION))
		errx(1, "no TLS");
	SSL_CTX_set_mode(secure.ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(secure.ctx, 1);
	if (!resume)
		return;
	SSL_CTX_set_session_cache_mode(
	    secure.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(secure.ctx, secure_ticket);
}

static inline void
secure_resume(SSL *ssl)
{
	SSL_SESSION *copy = SSL_SESSION_dup(secure.session);

	if (!copy || !SSL_set_session(ssl, copy))
		errx(1, "SSL_set_session");
	SSL_SESSION_free(copy);
}

static inline SSL *
secure_new(int fd)
{
	SSL *ssl = SSL_new(secure.ctx);

	if (!ssl || !SSL_set_fd(ssl, fd))
		errx(1, "SSL_new");
	SSL_set_connect_state(ssl);
	if (secure.session)
		secure_resume(ssl);
	return ssl;
}

/* As the system calls answer: -1 and EAGAIN, 0 at the end, -1 and EPROTO when it is broken. */
static inline ssize_t
secure_result(SSL *ssl, int r)
{
	if (r > 0)
		return r;
	switch (SSL_get_error(ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		errno = EPROTO;
		return -1;
	}
}

static inline ssize_t
secure_send(SSL *ssl, int fd, const char *p, size_t n)
{
	bool before = ssl && !SSL_is_init_finished(ssl);
	ssize_t r;

	if (!ssl)
		return send(fd, p, n, MSG_NOSIGNAL);
	r = secure_result(ssl, SSL_write(ssl, p, (int)n));
	if (before && SSL_is_init_finished(ssl)) {
		secure.handshakes++;
		secure.resumed += (uint64_t)SSL_session_reused(ssl);
	}
	return r;
}

static inline ssize_t
secure_recv(SSL *ssl, int fd, char *p, size_t n)
{
	return ssl ? secure_result(ssl, SSL_read(ssl, p, (int)n)) : recv(fd, p, n, 0);
}

#endif
