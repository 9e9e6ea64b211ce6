/*
 * peer.c - from the certificate: names as RFC 4514 writes them, serial number and SHA-256 in hex, all of it as
 * RFC 9440 has it.
 */
#include "lbd/tls/peer.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

static bool
write_name(BIO *out, const X509_NAME *name)
{
	return X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) >= 0;
}

static bool
write_serial(BIO *out, X509 *x)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *hex = n ? BN_bn2hex(n) : NULL;
	bool done = hex && BIO_puts(out, hex) > 0;

	OPENSSL_free(hex);
	BN_free(n);
	return done;
}

static bool
write_fingerprint(BIO *out, const X509 *x)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (X509_digest(x, EVP_sha256(), digest, &n) != 1)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (BIO_printf(out, "%02x", digest[i]) < 0)
			return false;
	return true;
}

/* A byte sequence of structured fields: base64 between colons. */
static bool
write_certificate(BIO *out, X509 *x)
{
	unsigned char *der = NULL, *text;
	int n = i2d_X509(x, &der);
	bool done = false;

	text = n > 0 ? OPENSSL_malloc(4 * ((size_t)n + 2) / 3 + 1) : NULL;
	if (text) {
		n = EVP_EncodeBlock(text, der, n);
		done = BIO_puts(out, ":") > 0 && BIO_write(out, text, n) == n &&
		    BIO_puts(out, ":") > 0;
	}
	OPENSSL_free(text);
	OPENSSL_free(der);
	return done;
}

static bool
write_value(BIO *out, enum tls_peer_value value, X509 *x)
{
	if (!x)
		return value != TLS_PEER_VERIFIED || BIO_puts(out, "no") > 0;
	switch (value) {
	case TLS_PEER_VERIFIED:
		return BIO_puts(out, "yes") > 0;
	case TLS_PEER_SUBJECT:
		return write_name(out, X509_get_subject_name(x));
	case TLS_PEER_ISSUER:
		return write_name(out, X509_get_issuer_name(x));
	case TLS_PEER_SERIAL:
		return write_serial(out, x);
	case TLS_PEER_FINGERPRINT:
		return write_fingerprint(out, x);
	case TLS_PEER_CERTIFICATE:
		return write_certificate(out, x);
	case TLS_PEER_VALUES:
		break;
	}
	return false;
}

/* `ends`: where each value ends in what was written. */
static struct tls_peer *
peer_of(BIO *from, const long ends[TLS_PEER_VALUES])
{
	struct tls_peer *peer;
	char *text;
	long n = BIO_get_mem_data(from, &text), start = 0;

	if (n > TLS_PEER_MAX)
		return NULL;
	peer = malloc(sizeof(*peer) + (size_t)n);
	if (!peer)
		return NULL;
	memcpy(peer->text, text, (size_t)n);
	for (int i = 0; i < TLS_PEER_VALUES; i++) {
		peer->values[i] = (struct str){ peer->text + start, (size_t)(ends[i] - start) };
		start = ends[i];
	}
	return peer;
}

static struct tls_peer *
peer_read(X509 *x)
{
	BIO *out = BIO_new(BIO_s_mem());
	long ends[TLS_PEER_VALUES];
	bool good = out != NULL;
	struct tls_peer *peer = NULL;

	for (int i = 0; i < TLS_PEER_VALUES && good; i++) {
		good = write_value(out, (enum tls_peer_value)i, x);
		ends[i] = BIO_pending(out);
	}
	if (good)
		peer = peer_of(out, ends);
	BIO_free(out);
	ERR_clear_error();
	return peer;
}

/* Where none was asked for there is none; one that is there was verified, else there were no connection. */
const struct tls_peer *
tls_peer(struct tls *t)
{
	if (!t->peer)
		t->peer = peer_read(SSL_get0_peer_certificate(t->ssl));
	return t->peer;
}

void
tls_peer_free(struct tls_peer **pp)
{
	free(*pp);
	*pp = NULL;
}
