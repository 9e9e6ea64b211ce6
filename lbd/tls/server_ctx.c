/* server_ctx.c - sets SSL_CTXs up, and answers what a client's hello asks. */
#include "lbd/tls/server_ctx.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "common/clock.h"
#include "lbd/tls/server_name.h"
#include "lbd/tls/tls.h"

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct tls_context *c = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	int64_t set = name ? tls_names_find(&c->names, str_of(name)) : -1;

	(void)alert;
	if (set < 0)
		return SSL_TLSEXT_ERR_NOACK;
	c->engine->current->set = (uint32_t)set;
	if (set > 0 && !SSL_set_SSL_CTX(ssl, c->sets[set].ctx))
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301: a client that asks for other protocols only is refused. */
static int
on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_n, const unsigned char *in,
    unsigned in_n, void *arg)
{
	const struct tls_context *c = arg;
	unsigned char *found;

	(void)ssl;
	if (SSL_select_next_proto(&found, chosen_n, c->alpn, c->alpn_n, in, in_n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = found;
	return SSL_TLSEXT_ERR_OK;
}

/* Seals a ticket, or opens one: 0 if it is not ours, 2 if a new one should follow. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	struct tls_engine *e = BIO_get_data(SSL_get_rbio(ssl));
	struct tls_ticket_keys *keys = &e->current->context->tickets;
	int64_t now_s = clock_wall_ns() / NS_PER_S;
	const struct tls_ticket_key *now = tls_ticket_key_now(keys, now_s), *key = now;

	if (!now)
		return -1;
	if (seal) {
		memcpy(name, now->name, sizeof(now->name));
		if (RAND_bytes_ex(e->lib, iv, EVP_CIPHER_get_iv_length(keys->cipher), 0) != 1)
			return -1;
	} else {
		key = tls_ticket_key_named(keys, name, now_s);
		if (!key)
			return 0;
	}
	if (!tls_ticket_key_use(keys, key, iv, cipher, mac, seal))
		return -1;
	return key == now ? 1 : 2;
}

/* What the client asks for, if there is a certificate for it; else nothing. */
static struct str
name_asked(SSL *ssl, const struct tls_context *c)
{
	const unsigned char *p;
	struct str name = { NULL, 0 };
	size_t n;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n))
		name = tls_server_name((struct str){ (const char *)p, n });
	return tls_names_find(&c->names, name) < 0 ? (struct str){ NULL, 0 } : name;
}

/* A ticket may outlive the certificate that its client has shown. */
static bool
is_expired(const SSL_SESSION *session)
{
	const X509 *x = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);

	return x && X509_cmp_current_time(X509_get0_notAfter(x)) < 0;
}

/*
 * A ticket was opened, or could not be.  A session is resumed under the name that it was made for alone
 * (RFC 6066 3): with another the client has not seen the certificate.
 */
static SSL_TICKET_RETURN
on_session(SSL *ssl, SSL_SESSION *session, const unsigned char *key, size_t key_n,
    SSL_TICKET_STATUS status, void *arg)
{
	const char *name;

	(void)key;
	(void)key_n;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	name = SSL_SESSION_get0_hostname(session);
	if (is_expired(session) || !str_eq_nocase(name_asked(ssl, arg), str_of(name ? name : "")))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (SSL_version(ssl) == TLS1_3_VERSION) /* RFC 8446 C.4: clients use each one once */
		return SSL_TICKET_RETURN_USE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* The certificate is chosen.  What is over is worse than nothing. */
static int
on_status(SSL *ssl, void *arg)
{
	const struct tls_context *c = arg;
	const struct tls_set *set = &c->sets[c->engine->current->set];
	const X509 *leaf = SSL_get_certificate(ssl);
	int64_t now_s = clock_wall_ns() / NS_PER_S;
	unsigned char *copy;

	for (int kind = 0; kind < TLS_KEY_KINDS; kind++) {
		const struct tls_ocsp *o = &set->staples[kind];

		if (set->leaves[kind] != leaf || o->response.n == 0 || o->until <= now_s)
			continue;
		copy = OPENSSL_memdup(o->response.p, o->response.n);
		if (!copy)
			break;
		SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)o->response.n);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* Mozilla's order, that of browsers, too: hashes of 384 bits cost a tenth of a handshake and protect nothing more. */
static const char ciphers_1_3[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

static int
ctx_set_lists(SSL_CTX *ctx, const struct tls_config *c, struct err *err)
{
	if (c->min_version == TLS_1_2 && SSL_CTX_set_cipher_list(ctx, c->ciphers.p) != 1) {
		ERR_clear_error();
		return err_set(err, -EINVAL, "ciphers: OpenSSL knows none of them");
	}
	if (SSL_CTX_set_ciphersuites(ctx, ciphers_1_3) != 1)
		return err_set(err, -ENOMEM, "out of memory for TLS");
	if (SSL_CTX_set1_groups_list(ctx, (uintptr_t)c->groups.p) != 1) {
		ERR_clear_error();
		return err_set(err, -EINVAL, "groups: OpenSSL does not know all of them");
	}
	return 0;
}

int
tls_server_ctx_configure(
    SSL_CTX *ctx, struct tls_context *c, const struct tls_config *config, struct err *err)
{
	SSL_CTX_set_min_proto_version(ctx, (int)config->min_version);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
		SSL_OP_PRIORITIZE_CHACHA);
	if (config->ktls == TLS_KTLS_AUTO &&
	    c->engine->ktls) /* keys are offered to the BIO, which keeps them */
		SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
	/* two allocations a request, 40 ns; without it an idle connection keeps 33 KiB */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets alone */
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_PERIOD_S);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_session_ticket_cb(ctx, NULL, on_session, c);
	SSL_CTX_set_session_id_context(ctx, c->tickets.policy, TLS_POLICY_SIZE);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, c);
	SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	SSL_CTX_set_tlsext_status_arg(ctx, c);
	if (tls_client_policy_apply(&c->clients, ctx) < 0)
		return err_set(err, -ENOMEM, "out of memory for TLS");
	if (c->alpn_n)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, c);
	return ctx_set_lists(ctx, config, err);
}
