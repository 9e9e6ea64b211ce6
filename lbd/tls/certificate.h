/*
 * certificate.h - a certificate with its chain and its private key, loaded and found to belong together.
 */
#ifndef LBD_TLS_CERTIFICATE_H
#define LBD_TLS_CERTIFICATE_H

#include <openssl/x509.h>

#include "common/err.h"
#include "lbd/tls/names.h"

/* A client that knows one kind of key may not know another: each name may have a certificate of each. */
enum tls_key_kind { TLS_KEY_RSA, TLS_KEY_ECDSA, TLS_KEY_EDDSA, TLS_KEY_KINDS };

struct tls_certificate {
	X509 *leaf;
	STACK_OF(X509) * chain; /* the others of the file, in its order */
	EVP_PKEY *key;
	enum tls_key_kind kind;
	int64_t not_before, not_after; /* seconds since 1970 */
};

/*
 * From PEM texts.  0 or -errno with a reason, which begins with the name of the file that is at fault.  Both are
 * loaded into that library context.
 */
struct tls_pem {
	struct str path, text;
};
int tls_certificate_load(struct tls_certificate *, OSSL_LIB_CTX *, struct tls_pem certificate,
    struct tls_pem key, struct err *);
/* The private key for use in that library context alone.  NULL: OpenSSL cannot. */
EVP_PKEY *tls_certificate_key(const struct tls_certificate *, OSSL_LIB_CTX *);

void tls_certificate_fini(struct tls_certificate *);

/* Who issued it, as RFC 4514 writes names, in visible ASCII; cut if there is no room. */
void tls_certificate_issuer(const struct tls_certificate *, char *text, size_t size);

/* Its DNS names and addresses, or without any its common name, each with that value.  0 or -ENOMEM. */
int tls_certificate_names(const struct tls_certificate *, struct tls_names *, uint32_t value);

/* Every certificate of a PEM text.  NULL with a reason. */
STACK_OF(X509) * tls_certificates_parse(OSSL_LIB_CTX *, struct tls_pem, struct err *);

#endif
