/* certificate.c - from PEM to a pair that fits. */
#include "lbd/tls/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "lbd/tls/engine.h"

static int
complain(struct err *err, struct str path, const char *what)
{
	char text[128];

	tls_error_text(text, sizeof(text));
	return err_set(err, -EINVAL, "%.*s: %s (%s)", STR_ARG(path), what, text);
}

/* One more certificate of that text into the stack; 1, 0 at its end, -1 if it is broken. */
static int
certificate_next(OSSL_LIB_CTX *lib, BIO *in, STACK_OF(X509) * all)
{
	X509 *x = X509_new_ex(lib, NULL);
	unsigned long e;

	if (!x || !PEM_read_bio_X509(in, &x, NULL, NULL)) {
		X509_free(x);
		e = ERR_peek_last_error();
		if (ERR_GET_LIB(e) != ERR_LIB_PEM || ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
			return -1;
		ERR_clear_error();
		return 0;
	}
	if (sk_X509_push(all, x) > 0)
		return 1;
	X509_free(x);
	return -1;
}

STACK_OF(X509) * tls_certificates_parse(OSSL_LIB_CTX *lib, struct tls_pem pem, struct err *err)
{
	BIO *in = BIO_new_mem_buf(pem.text.p, (int)pem.text.n);
	STACK_OF(X509) *all = sk_X509_new_null();
	int more = in && all ? 1 : -1;

	ERR_clear_error();
	while (more > 0)
		more = certificate_next(lib, in, all);
	BIO_free(in);
	if (more == 0 && sk_X509_num(all) > 0)
		return all;
	if (more == 0)
		err_set(err, -EINVAL, "%.*s: holds no certificate", STR_ARG(pem.path));
	else
		complain(err, pem.path, "holds a certificate that cannot be read");
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

/* There is nobody to ask; -1 says so in the error queue. */
static int
password_refuse(char *p, int size, int writing, void *arg)
{
	(void)p;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

static int
key_parse(EVP_PKEY **key, OSSL_LIB_CTX *lib, struct tls_pem pem, struct err *err)
{
	BIO *in = BIO_new_mem_buf(pem.text.p, (int)pem.text.n);
	bool encrypted = false;

	*key = in ? PEM_read_bio_PrivateKey_ex(in, NULL, password_refuse, &encrypted, lib, NULL)
		  : NULL;
	BIO_free(in);
	if (*key)
		return 0;
	return complain(err, pem.path,
	    encrypted ? "the key is encrypted, and there is nobody to ask for the password"
		      : "holds no private key that can be read");
}

static int
kind_find(struct tls_certificate *c, struct str path, struct err *err)
{
	switch (EVP_PKEY_get_base_id(c->key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		c->kind = TLS_KEY_RSA;
		break;
	case EVP_PKEY_EC:
		c->kind = TLS_KEY_ECDSA;
		break;
	case EVP_PKEY_ED25519:
	case EVP_PKEY_ED448:
		c->kind = TLS_KEY_EDDSA;
		break;
	default:
		return err_set(err, -EINVAL,
		    "%.*s: the key is of a kind that lbd does not use: allowed are RSA, ECDSA and "
		    "EdDSA",
		    STR_ARG(path));
	}
	if (c->kind == TLS_KEY_RSA && EVP_PKEY_get_bits(c->key) < 2048)
		return err_set(err, -EINVAL,
		    "%.*s: an RSA key of %d bits is too weak: allowed are 2048", STR_ARG(path),
		    EVP_PKEY_get_bits(c->key));
	return 0;
}

static int64_t
seconds_of(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) ? (int64_t)timegm(&tm) : 0;
}

int
tls_certificate_load(struct tls_certificate *c, OSSL_LIB_CTX *lib, struct tls_pem certificate,
    struct tls_pem key, struct err *err)
{
	int code;

	*c = (struct tls_certificate){ .chain = tls_certificates_parse(lib, certificate, err) };
	if (!c->chain)
		return err->code;
	c->leaf = sk_X509_shift(c->chain);
	code = key_parse(&c->key, lib, key, err);
	if (!code)
		code = kind_find(c, key.path, err);
	if (!code && !X509_check_private_key(c->leaf, c->key)) {
		ERR_clear_error();
		code = err_set(err, -EINVAL,
		    "%.*s: the key does not belong to the certificate in %.*s", STR_ARG(key.path),
		    STR_ARG(certificate.path));
	}
	if (code) {
		tls_certificate_fini(c);
		return code;
	}
	c->not_before = seconds_of(X509_get0_notBefore(c->leaf));
	c->not_after = seconds_of(X509_get0_notAfter(c->leaf));
	return 0;
}

/* Its numbers are a key, too. */
static void
params_free(OSSL_PARAM *params)
{
	for (OSSL_PARAM *p = params; p && p->key; p++)
		OPENSSL_cleanse(p->data, p->data_size);
	OSSL_PARAM_free(params);
}

EVP_PKEY *
tls_certificate_key(const struct tls_certificate *c, OSSL_LIB_CTX *lib)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(lib, EVP_PKEY_get0_type_name(c->key), NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_todata(c->key, EVP_PKEY_KEYPAIR, &params) == 1 &&
	    EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
	params_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

void
tls_certificate_fini(struct tls_certificate *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key);
	*c = (struct tls_certificate){ 0 };
}

/* What is no name is of no use to anybody, and is left out. */
static int
name_add(struct tls_names *names, const ASN1_STRING *s, uint32_t value)
{
	struct str text = { (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s) };

	return tls_names_add(names, text, value) == -ENOMEM ? -ENOMEM : 0;
}

static int
address_add(struct tls_names *names, const ASN1_OCTET_STRING *s, uint32_t value)
{
	char text[INET6_ADDRSTRLEN];
	int family = ASN1_STRING_length(s) == 4 ? AF_INET : AF_INET6;

	if (ASN1_STRING_length(s) != 4 && ASN1_STRING_length(s) != 16)
		return 0;
	inet_ntop(family, ASN1_STRING_get0_data(s), text, sizeof(text));
	return tls_names_add(names, str_of(text), value) == -ENOMEM ? -ENOMEM : 0;
}

static int
common_name_add(const struct tls_certificate *c, struct tls_names *names, uint32_t value)
{
	const X509_NAME *subject = X509_get_subject_name(c->leaf);
	int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (i < 0)
		return 0;
	return name_add(names, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)), value);
}

void
tls_certificate_issuer(const struct tls_certificate *c, char *text, size_t size)
{
	BIO *out = BIO_new(BIO_s_mem());
	int n = -1;

	if (out && X509_NAME_print_ex(out, X509_get_issuer_name(c->leaf), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(out, text, (int)size - 1);
	text[n < 0 ? 0 : n] = '\0';
	BIO_free(out);
}

int
tls_certificate_names(const struct tls_certificate *c, struct tls_names *names, uint32_t value)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
	uint32_t before = names->n;
	int code = 0;

	for (int i = 0; !code && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_DNS)
			code = name_add(names, g->d.dNSName, value);
		else if (g->type == GEN_IPADD)
			code = address_add(names, g->d.iPAddress, value);
	}
	GENERAL_NAMES_free(all);
	if (!code && names->n == before)
		code = common_name_add(c, names, value);
	return code;
}
