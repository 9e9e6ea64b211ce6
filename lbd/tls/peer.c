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

/* In UTF-8; empty: there is none, or it is too long to be told. */
static struct str
common_name(X509 *x, char room[PROXY_NAME_MAX])
{
	const X509_NAME *name = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1), n = 0;
	unsigned char *text = NULL;

	if (at >= 0)
		n = ASN1_STRING_to_UTF8(
		    &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n < 0 || n > PROXY_NAME_MAX)
		n = 0;
	if (n)
		memcpy(room, text, (size_t)n);
	OPENSSL_free(text);
	ERR_clear_error();
	return (struct str){ room, (size_t)n };
}

void
tls_peer_tell(const struct tls *t, struct proxy_tls *told, char room[PROXY_NAME_MAX])
{
	X509 *x = SSL_get0_peer_certificate(t->ssl);
	const unsigned char *alpn = NULL;
	unsigned alpn_n = 0;

	SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_n);
	*told = (struct proxy_tls){
		.version = tls_version_name(t),
		.alpn = { (const char *)alpn, alpn_n },
		.authority = str_of(SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name)),
		.certificate = x != NULL,
		.resumed = tls_was_resumed(t),
	};
	if (x)
		told->common_name = common_name(x, room);
}
