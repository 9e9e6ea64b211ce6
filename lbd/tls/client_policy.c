/* client_policy.c - a store of authorities and revocation lists, made from two files. */
#include "lbd/tls/client_policy.h"

#include <errno.h>
#include <openssl/err.h>

#include "lbd/tls/certificate.h"
#include "lbd/tls/revocation.h"

static int
out_of_memory(struct err *err)
{
	ERR_clear_error();
	return err_set(err, -ENOMEM, "out of memory for TLS");
}

static int
authority_add(struct tls_client_policy *p, X509 *x, struct err *err)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(x));

	if (name && sk_X509_NAME_push(p->names, name) > 0)
		return X509_STORE_add_cert(p->store, x) == 1 ? 0 : out_of_memory(err);
	X509_NAME_free(name);
	return out_of_memory(err);
}

static int
authorities_add(
    struct tls_client_policy *p, OSSL_LIB_CTX *lib, struct tls_pem file, struct err *err)
{
	STACK_OF(X509) *all = tls_certificates_parse(lib, file, err);
	int code = all ? 0 : err->code;

	for (int i = 0; !code && i < sk_X509_num(all); i++)
		code = authority_add(p, sk_X509_value(all, i), err);
	sk_X509_pop_free(all, X509_free);
	return code;
}

static bool
revocations_take(void *arg, X509_CRL *list)
{
	const struct tls_client_policy *p = arg;

	return X509_STORE_add_crl(p->store, list) == 1;
}

/* Whoever is listed, or whose authority has no list that is in force, is refused. */
static int
revocations_add(
    struct tls_client_policy *p, OSSL_LIB_CTX *lib, struct tls_pem file, struct err *err)
{
	int code = tls_revocations_parse(lib, file, revocations_take, p, err);

	if (!code)
		X509_STORE_set_flags(p->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return code;
}

/* Lengths as well, so that nothing can move from one part to another. */
static bool
digest_add(EVP_MD_CTX *c, struct str s)
{
	uint64_t n = s.n;

	return EVP_DigestUpdate(c, &n, sizeof(n)) == 1 && EVP_DigestUpdate(c, s.p, s.n) == 1;
}

static int
digest_make(struct tls_client_policy *p, OSSL_LIB_CTX *lib, struct str authorities,
    struct str revocations, struct err *err)
{
	EVP_MD *sha256 = EVP_MD_fetch(lib, "SHA256", NULL);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	struct str mode = p->verify == TLS_VERIFY_OFF ? STR("anybody")
	    : p->verify == TLS_VERIFY_OPTIONAL        ? STR("optional")
						      : STR("require");
	bool done = sha256 && c && EVP_DigestInit_ex(c, sha256, NULL) == 1 && digest_add(c, mode) &&
	    digest_add(c, authorities) && digest_add(c, revocations) &&
	    EVP_DigestFinal_ex(c, p->digest, NULL) == 1;

	EVP_MD_CTX_free(c);
	EVP_MD_free(sha256);
	return done ? 0 : out_of_memory(err);
}

/* The empty path is another's: TLS_FILES_SECRET. */
static struct tls_pem
pem_of(const struct tls_files *files, struct str path)
{
	struct tls_pem pem = { path, { NULL, 0 } };

	if (path.n)
		pem.text = tls_files_find(files, path);
	return pem;
}

int
tls_client_policy_init(struct tls_client_policy *p, OSSL_LIB_CTX *lib,
    const struct tls_config *config, const struct tls_files *files, struct err *err)
{
	struct tls_pem ca = pem_of(files, config->client_ca);
	struct tls_pem crl = pem_of(files, config->client_crl);
	int code;

	*p = (struct tls_client_policy){ .verify = config->client_verify };
	code = digest_make(p, lib, ca.text, crl.text, err);
	if (code || p->verify == TLS_VERIFY_OFF)
		return code;
	p->store = X509_STORE_new();
	p->names = sk_X509_NAME_new_null();
	code = p->store && p->names ? 0 : out_of_memory(err);
	if (!code)
		code = authorities_add(p, lib, ca, err);
	if (!code && crl.path.n)
		code = revocations_add(p, lib, crl, err);
	return code;
}

void
tls_client_policy_fini(struct tls_client_policy *p)
{
	X509_STORE_free(p->store);
	sk_X509_NAME_pop_free(p->names, X509_NAME_free);
	*p = (struct tls_client_policy){ 0 };
}

int
tls_client_policy_apply(const struct tls_client_policy *p, SSL_CTX *ctx)
{
	STACK_OF(X509_NAME) * names;

	if (p->verify == TLS_VERIFY_OFF)
		return 0;
	names = SSL_dup_CA_list(p->names);
	if (!names)
		return -ENOMEM;
	SSL_CTX_set1_cert_store(ctx, p->store);
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx,
	    SSL_VERIFY_PEER |
		(p->verify == TLS_VERIFY_REQUIRE ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
	    NULL);
	return 0;
}
