/* stream.c - system calls and OpenSSL, brought to one way of saying how it went. */
#include "lbd/health/stream.h"

#include <errno.h>
#include <ev.h>
#include <openssl/err.h>
#include <stdio.h>
#include <unistd.h>

#include "lbd/tls/failure.h"

static int
fail(struct stream *s, const char *why)
{
	snprintf(s->error, sizeof(s->error), "%s", why);
	return -1;
}

/* "connection refused": as strerror has it, without the capital. */
static int
fail_errno(struct stream *s, int error)
{
	char buffer[64];

	fail(s, strerror_r(error, buffer, sizeof(buffer)));
	if (s->error[0] >= 'A' && s->error[0] <= 'Z')
		s->error[0] = (char)(s->error[0] - 'A' + 'a');
	return -1;
}

static int
wait_for(struct stream *s, int want)
{
	s->want = want;
	return 0;
}

int
stream_open(struct stream *s, const struct address *address)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int family = address->sa.sa_family;

	s->ssl = NULL;
	s->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return fail_errno(s, errno);
	if (family != AF_UNIX)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(s->fd, &address->sa, address->len) == 0 || errno == EINPROGRESS)
		return wait_for(s, EV_WRITE);
	if (errno == EAGAIN) /* of unix sockets */
		return fail(s, "listen queue is full");
	return fail_errno(s, errno);
}

void
stream_close(struct stream *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

int
stream_connected(struct stream *s)
{
	socklen_t n = sizeof(int);
	int error = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		error = errno;
	return error ? fail_errno(s, error) : 1;
}

int
stream_use_tls(struct stream *s, const struct tls_upstream *tls, struct str host)
{
	s->ssl = tls_upstream_ssl(tls, host);
	if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
		return fail(s, "out of memory");
	return 1;
}

static int
tls_outcome(struct stream *s, int rc)
{
	int e = errno, error = SSL_get_error(s->ssl, rc);
	const char *why;

	switch (error) {
	case SSL_ERROR_NONE:
		return rc;
	case SSL_ERROR_WANT_READ:
		return wait_for(s, EV_READ);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(s, EV_WRITE);
	case SSL_ERROR_ZERO_RETURN:
		return fail(s, "connection closed");
	case SSL_ERROR_SYSCALL:
		return e ? fail_errno(s, e) : fail(s, "connection closed");
	}
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return fail(s, "connection closed");
	if (tls_failure_of(ERR_peek_error()) == TLS_FAIL_CERTIFICATE)
		return fail(s, X509_verify_cert_error_string(SSL_get_verify_result(s->ssl)));
	why = ERR_reason_error_string(ERR_peek_error());
	return fail(s, why ? why : "connection closed");
}

/* What SSL_get_error looks at must be of this call. */
static void
tls_prepare(void)
{
	ERR_clear_error();
	errno = 0;
}

int
stream_handshake(struct stream *s)
{
	tls_prepare();
	return tls_outcome(s, SSL_do_handshake(s->ssl));
}

void
stream_offer_nothing(struct stream *s)
{
	SSL_set_alpn_protos(s->ssl, NULL, 0);
}

bool
stream_chose_h2(const struct stream *s)
{
	const unsigned char *p = NULL;
	unsigned n = 0;

	if (s->ssl)
		SSL_get0_alpn_selected(s->ssl, &p, &n);
	return n == 2 && memcmp(p, "h2", 2) == 0;
}

static ssize_t
plain_outcome(struct stream *s, ssize_t rc, int want)
{
	if (rc > 0)
		return rc;
	if (rc == 0)
		return fail(s, "connection closed");
	return errno == EAGAIN || errno == EINTR ? wait_for(s, want) : fail_errno(s, errno);
}

ssize_t
stream_write(struct stream *s, const char *text, size_t n)
{
	if (!s->ssl)
		return plain_outcome(s, send(s->fd, text, n, MSG_NOSIGNAL), EV_WRITE);
	tls_prepare();
	return tls_outcome(s, SSL_write(s->ssl, text, (int)n));
}

ssize_t
stream_read(struct stream *s, char *text, size_t n)
{
	if (!s->ssl)
		return plain_outcome(s, recv(s->fd, text, n, 0), EV_READ);
	tls_prepare();
	return tls_outcome(s, SSL_read(s->ssl, text, (int)n));
}
