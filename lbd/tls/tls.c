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
	ktls_key_forget(&t->key);
	tls_peer_free(&t->peer);
	tls_context_unref(&t->context);
	tls_upstream_unref(&t->upstream);
	free(t);
}

/* OpenSSL's turn: what it writes comes behind what is there. */
static void
turn_begin(struct tls *t)
{
	t->engine->current = t;
	t->engine->out_keyed = t->engine->out_n;
}

static void
turn_end(struct tls *t)
{
	const struct tls_engine *e = t->engine;

	ktls_key_count(&t->key, e->out + e->out_keyed, e->out_n - e->out_keyed);
}

/* After the handshake.  Any step of its state machine may bring another key (RFC 8446 4.6.3). */
static void
on_info(const SSL *ssl, int where, int value)
{
	const struct tls_engine *e = BIO_get_data(SSL_get_rbio(ssl));

	if (where == SSL_CB_WRITE_ALERT)
		e->current->alert = (uint16_t)value;
	else if (where & SSL_CB_LOOP)
		ktls_key_forget(&e->current->key);
}

int
tls_handshake(struct tls *t, enum tls_failure *why)
{
	int r;

	turn_begin(t);
	r = SSL_do_handshake(t->ssl);
	turn_end(t);
	if (r == 1) {
		t->secured = true;
		if (ktls_key_is_kept(&t->key))
			SSL_set_info_callback(t->ssl, on_info);
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

/* OpenSSL's own words are sealed with a key that is the kernel's now: an alert can be said again, another key not. */
static void
words_take_back(struct tls *t)
{
	struct tls_engine *e = t->engine;

	if (e->out_n == e->out_keyed && SSL_get_key_update_type(t->ssl) == SSL_KEY_UPDATE_NONE)
		return;
	e->out_n = e->out_keyed;
	if (!t->alert) {
		t->alert = SSL3_AL_FATAL << 8 | SSL_AD_INTERNAL_ERROR;
		t->failed = true;
	}
}

ssize_t
tls_read(struct tls *t, char *p, size_t n)
{
	size_t got;
	int r;

	if (t->failed)
		return -EPROTO;
	turn_begin(t);
	r = SSL_read_ex(t->ssl, p, n, &got);
	turn_end(t);
	if (t->offloaded)
		words_take_back(t);
	if (r == 1)
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
	int r;

	CHECK(n > 0 && n <= TLS_WRITE_MAX && t->engine->out_n == 0 && !t->offloaded);
	turn_begin(t);
	r = SSL_write_ex(t->ssl, p, n, &put);
	turn_end(t);
	if (r == 1)
		return 0;
	ERR_clear_error();
	return -EPROTO;
}

void
tls_shutdown(struct tls *t)
{
	CHECK(!t->offloaded);
	t->engine->current = t;
	if (SSL_shutdown(t->ssl) < 0)
		ERR_clear_error();
}

void
tls_offloaded(struct tls *t)
{
	ktls_key_forget(&t->key);
	t->offloaded = true;
	t->alert = 0;
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
