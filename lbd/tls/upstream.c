/* upstream.c - SSL_CTXs for servers: who is trusted, who we are, what is remembered. */
#include "lbd/tls/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "lbd/tls/certificate.h"
#include "lbd/tls/tls.h"

static int
out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for TLS");
}

static struct tls_pem
pem_of(const struct tls_files *files, struct str path)
{
	return (struct tls_pem){ path, tls_files_find(files, path) };
}

/* --- who is trusted, and who we are --- */

static int
trust(SSL_CTX *ctx, OSSL_LIB_CTX *lib, struct tls_pem pem, struct err *err)
{
	STACK_OF(X509) *all = tls_certificates_parse(lib, pem, err);
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	int code = all ? 0 : err->code;

	for (int i = 0; !code && i < sk_X509_num(all); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(all, i)) != 1)
			code = out_of_memory(err);
	sk_X509_pop_free(all, X509_free);
	return code;
}

/* Whoever stands in a file of the operator's is trusted, be it an authority or the server itself. */
static int
verify_configure(SSL_CTX *ctx, OSSL_LIB_CTX *lib, const struct tls_server_config *c,
    const struct tls_files *files, struct err *err)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);

	if (!c->verify)
		return 0;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (c->ca.n)
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	return trust(ctx, lib, pem_of(files, c->ca.n ? c->ca : TLS_FILES_SYSTEM_CA), err);
}

static int
certificate_configure(SSL_CTX *ctx, OSSL_LIB_CTX *lib, const struct tls_server_config *c,
    const struct tls_files *files, struct err *err)
{
	struct tls_certificate own;
	char text[128];
	int code;

	if (!c->certificate.n)
		return 0;
	code = tls_certificate_load(
	    &own, lib, pem_of(files, c->certificate), pem_of(files, c->key), err);
	if (code)
		return code;
	if (SSL_CTX_use_cert_and_key(ctx, own.leaf, own.key, own.chain, 1) != 1) {
		tls_error_text(text, sizeof(text));
		code = err_set(err, -EINVAL, "%.*s: %s", STR_ARG(c->certificate), text);
	}
	tls_certificate_fini(&own);
	return code;
}

/* --- sessions --- */

/* TLS 1.3 sends them after the handshake, more than one: the newest is kept.  For checks, none. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct tls *t = SSL_get_app_data(ssl);
	struct tls_target *target = t ? t->target : NULL;

	if (!target || t->target_epoch != target->epoch)
		return 0;
	SSL_SESSION_free(target->session);
	target->session = session;
	return 1;
}

static void
ctx_configure(SSL_CTX *ctx, const struct tls_server_config *c, bool http2)
{
	static const unsigned char protocols[] = "\x02h2\x08http/1.1";
	unsigned skip = http2 ? 0 : 3;

	SSL_CTX_set_min_proto_version(ctx, (int)c->min_version);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	SSL_CTX_set_alpn_protos(ctx, protocols + skip, (unsigned)sizeof(protocols) - 1 - skip);
}

/* --- one of them --- */

static void
digest_add(EVP_MD_CTX *md, struct str s)
{
	uint64_t n = s.n;

	EVP_DigestUpdate(md, &n, sizeof(n));
	EVP_DigestUpdate(md, s.p, s.n);
}

/* All that makes a difference.  0 or -ENOMEM. */
static int
digest_make(const struct tls_server_config *c, bool http2, const struct tls_files *files,
    unsigned char digest[TLS_DIGEST_SIZE])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const int numbers[] = { (int)c->min_version, c->verify, http2, c->ca.n > 0 };
	int ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL);

	if (ok) {
		digest_add(md, (struct str){ (const char *)numbers, sizeof(numbers) });
		digest_add(md, c->server_name);
		if (c->verify)
			digest_add(
			    md, tls_files_find(files, c->ca.n ? c->ca : TLS_FILES_SYSTEM_CA));
		if (c->certificate.n) {
			digest_add(md, tls_files_find(files, c->certificate));
			digest_add(md, tls_files_find(files, c->key));
		}
		ok = EVP_DigestFinal_ex(md, digest, NULL);
	}
	EVP_MD_CTX_free(md);
	return ok ? 0 : -ENOMEM;
}

static void
upstream_free(struct tls_upstream *u)
{
	SSL_CTX_free(u->ctx);
	free((void *)(uintptr_t)u->server_name.p);
	free(u);
}

static int
upstream_fill(struct tls_upstream *u, const struct tls_server_config *c, bool http2,
    const struct tls_files *files, struct err *err)
{
	OSSL_LIB_CTX *lib = u->engine->lib;
	char *name = strndup(c->server_name.n ? c->server_name.p : "", c->server_name.n);
	int code;

	u->server_name = (struct str){ name, c->server_name.n };
	u->ctx = SSL_CTX_new_ex(lib, NULL, TLS_client_method());
	if (!name || !u->ctx)
		return out_of_memory(err);
	ctx_configure(u->ctx, c, http2);
	code = verify_configure(u->ctx, lib, c, files, err);
	return code ? code : certificate_configure(u->ctx, lib, c, files, err);
}

static struct tls_upstream *
upstream_new(struct tls_engine *e, const struct tls_server_config *c, bool http2,
    const struct tls_files *files, struct err *err)
{
	struct tls_upstream *u = calloc(1, sizeof(*u));

	if (!u) {
		out_of_memory(err);
		return NULL;
	}
	u->engine = e;
	u->verify = c->verify;
	if (upstream_fill(u, c, http2, files, err) < 0) {
		upstream_free(u);
		return NULL;
	}
	return u;
}

struct tls_upstream *
tls_upstream_ref(struct tls_upstream *u)
{
	atomic_fetch_add_explicit(&u->references, 1, memory_order_relaxed);
	return u;
}

struct tls_upstream *
tls_upstream_get(struct tls_engine *e, const struct tls_server_config *c, bool http2,
    const struct tls_files *files, struct err *err)
{
	unsigned char digest[TLS_DIGEST_SIZE];
	struct tls_upstream *u;

	if (digest_make(c, http2, files, digest) < 0) {
		out_of_memory(err);
		return NULL;
	}
	for (u = e->upstreams; u; u = u->next)
		if (memcmp(u->digest, digest, sizeof(digest)) == 0)
			return tls_upstream_ref(u);
	u = upstream_new(e, c, http2, files, err);
	if (!u)
		return NULL;
	memcpy(u->digest, digest, sizeof(digest));
	u->next = e->upstreams;
	e->upstreams = u;
	return tls_upstream_ref(u);
}

void
tls_upstream_unref(struct tls_upstream **up)
{
	if (*up)
		atomic_fetch_sub_explicit(&(*up)->references, 1, memory_order_release);
	*up = NULL;
}

void
tls_upstreams_prune(struct tls_engine *e)
{
	struct tls_upstream **up = &e->upstreams, *u;

	while ((u = *up)) {
		/* whoever has none cannot get one but from us */
		if (atomic_load_explicit(&u->references, memory_order_acquire) > 0) {
			up = &u->next;
			continue;
		}
		*up = u->next;
		upstream_free(u);
	}
}

void
tls_upstreams_try(struct tls_engine *e, const struct lbd_config *config,
    const struct tls_files *files, struct problems *problems)
{
	struct tls_upstream *u;
	struct err err;

	for (uint32_t i = 0; i < config->n_pools; i++) {
		const struct pool_config *p = &config->pools[i];

		if (!p->tls.min_version)
			continue;
		u = tls_upstream_get(e, &p->tls, false, files, &err);
		if (!u)
			problems_add(problems, 0, "pools[%u].tls: %s", i, err.text);
		tls_upstream_unref(&u);
	}
	tls_upstreams_prune(e);
}

/* --- servers --- */

static bool
is_address(const char *name)
{
	unsigned char binary[16];

	return inet_pton(AF_INET, name, binary) == 1 || inet_pton(AF_INET6, name, binary) == 1;
}

/* 1, or 0 as OpenSSL has it. */
static int
name_configure(const struct tls_upstream *u, SSL *ssl, char *name)
{
	if (is_address(name))
		return !u->verify || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	return SSL_set_tlsext_host_name(ssl, name) && (!u->verify || SSL_set1_host(ssl, name));
}

SSL *
tls_upstream_ssl(const struct tls_upstream *u, struct str host)
{
	char name[256];
	SSL *ssl = SSL_new(u->ctx);

	if (u->server_name.n)
		host = u->server_name;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(host));
	if (ssl && name[0] && !name_configure(u, ssl, name)) {
		SSL_free(ssl);
		ssl = NULL;
	}
	if (!ssl) {
		ERR_clear_error();
		return NULL;
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

bool
tls_target_is(const struct tls_target *p, const struct tls_upstream *u, struct str host)
{
	return p->tls == u && str_eq(p->host, host);
}

int
tls_target_set(struct tls_target *p, struct tls_upstream *u, struct str host)
{
	char *copy;

	if (tls_target_is(p, u, host))
		return 0;
	copy = strndup(host.n ? host.p : "", host.n);
	if (!copy)
		return -ENOMEM;
	tls_target_fini(p);
	p->host = (struct str){ copy, host.n };
	p->tls = u ? tls_upstream_ref(u) : NULL;
	return 0;
}

void
tls_target_fini(struct tls_target *p)
{
	SSL_SESSION_free(p->session);
	free((void *)(uintptr_t)p->host.p);
	tls_upstream_unref(&p->tls);
	*p = (struct tls_target){ .epoch = p->epoch + 1 };
}
