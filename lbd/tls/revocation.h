/*
 * revocation.h - the lists of revoked certificates in a file, and until when they are in force.
 */
#ifndef LBD_TLS_REVOCATION_H
#define LBD_TLS_REVOCATION_H

#include <openssl/x509.h>

#include "common/err.h"
#include "lbd/tls/certificate.h"

struct tls_revocations {
	int64_t begun,
	    until; /* of the list that is over first; seconds since 1970, INT64_MAX: never */
};

/* Is given each list, and keeps a reference if it needs one.  False: it cannot take it. */
typedef bool tls_revocations_take(void *arg, X509_CRL *);

/* All lists of a PEM text, of which there is at least one.  0 or -errno with a reason, which names the file. */
int tls_revocations_parse(
    OSSL_LIB_CTX *, struct tls_pem, tls_revocations_take *, void *arg, struct err *);

/* The same for what they say of their time. */
int tls_revocations_load(struct tls_revocations *, struct tls_pem, struct err *);

#endif
