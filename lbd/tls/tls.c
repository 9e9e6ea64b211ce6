/* tls.c - drives OpenSSL's state machine, one connection at a time. */
#include "lbd/tls/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "common/check.h"
#include "lbd/http/authority.h"
#include "lbd/tls/peer.h"

/* Takes the SSL over, which may be NULL: out of memory. */
static struct tls *
tls_new(struct tls_engine *e, SSL *ssl)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t || !ssl) {
		ERR_clear_error();
		SSL_free(ssl);
		free(t);
		return NULL;
	}
	t->engine = e;
	t->ssl = ssl;
	BIO_up_ref(e->bio);
	SSL_set_bio(t->ssl, e->bio, e->bio);
	return t;
}

struct tls *
tls_accept(struct tls_context *c)
{
	struct tls *t = tls_new(c->engine, SSL_new(c->sets[0].ctx));

	if (!t)
		return NULL;
	t->context = tls_context_ref(c);
	SSL_set_accept_state(t->ssl);
	return t;
}

struct tls *
tls_connect(struct tls_target *target, struct str alpn)
{
	struct tls *t = tls_new(target->tls->engine, tls_upstream_ssl(target->tls, target->host));

	if (!t)
		return NULL;
	t->upstream = tls_upstream_ref(target->tls);
	t->target = target;
	t->target_epoch = target->epoch;
	SSL_set_app_data(t->ssl, t);
	SSL_set_alpn_protos(t->ssl, (const unsigned char *)alpn.p, (unsigned)alpn.n);
	if (target->session && SSL_set_session(t->ssl, target->session) != 1)
		ERR_clear_error(); /* then a full handshake */
	return t;
}

void
tls_free(struct tls **tp)
{
	struct tls *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	if (t->target) /* however it ended: else OpenSSL takes the session for spoilt */
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	tls_peer_free(&t->peer);
	tls_context_unref(&t->context);
	tls_upstream_unref(&t->upstream);
	free(t);
}

int
tls_handshake(struct tls *t, enum tls_failure *why)
{
	int r;

	t->engine->current = t;
	r = SSL_do_handshake(t->ssl);
	if (r == 1) {
		t->secured = true;
		return 0;
	}
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	}
	*why = tls_failure_of(ERR_peek_error());
	if (*why == TLS_FAIL_CERTIFICATE)
		*why = tls_failure_of_verify(SSL_get_verify_result(t->ssl));
	ERR_clear_error();
	return -EPROTO;
}

ssize_t
tls_read(struct tls *t, char *p, size_t n)
{
	size_t got;

	if (t->failed)
		return -EPROTO;
	t->engine->current = t;
	if (SSL_read_ex(t->ssl, p, n, &got) == 1)
		return (ssize_t)got;
	switch (SSL_get_error(t->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	}
	ERR_clear_error();
	t->failed = true;
	return -EPROTO;
}

int
tls_write(struct tls *t, const char *p, size_t n)
{
	size_t put;

	CHECK(n > 0 && n <= TLS_WRITE_MAX && t->engine->out_n == 0);
	t->engine->current = t;
	if (SSL_write_ex(t->ssl, p, n, &put) == 1)
		return 0;
	ERR_clear_error();
	return -EPROTO;
}

void
tls_shutdown(struct tls *t)
{
	t->engine->current = t;
	if (SSL_shutdown(t->ssl) < 0)
		ERR_clear_error();
}

bool
tls_has_more(const struct tls *t)
{
	return t->failed || SSL_pending(t->ssl) > 0 ||
	    SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN;
}

bool
tls_has_part(const struct tls *t)
{
	return SSL_has_pending(t->ssl) != 0;
}

/* Where no certificate names anything, clients cannot have looked for a name. */
bool
tls_serves(const struct tls *t, struct str host)
{
	const struct tls_names *names = &t->context->sets[t->set].names;

	return !t->context->check_host || names->n == 0 ||
	    tls_names_find(names, authority_host(host)) >= 0;
}

struct str
tls_version_name(const struct tls *t)
{
	return tls_is_1_3(t) ? STR("TLSv1.3") : STR("TLSv1.2");
}

struct str
tls_name_asked(const struct tls *t)
{
	return str_of(SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name));
}

struct str
tls_protocol(const struct tls *t)
{
	const unsigned char *p;
	unsigned n;

	SSL_get0_alpn_selected(t->ssl, &p, &n);
	return (struct str){ (const char *)p, n };
}
