/*
 * ocsp.h - what an authority says of a certificate (RFC 6960), to be stapled to handshakes.
 *
 * The response comes out of a file that somebody else keeps up to date.  It is looked at once: it must be of that
 * certificate and, where the chain is there to tell, signed for it.  One that is over is not sent.
 */
#ifndef LBD_TLS_OCSP_H
#define LBD_TLS_OCSP_H

#include "lbd/tls/certificate.h"

struct tls_ocsp {
	struct str response; /* DER, owned; empty: none */
	int64_t until; /* seconds since 1970; INT64_MAX: it does not say */
	bool revoked;
};

/* From a file's DER.  0 or -errno with a reason, which begins with the name of the file. */
int
tls_ocsp_load(struct tls_ocsp *, const struct tls_certificate *, struct tls_pem file, struct err *);

/* 0 or -ENOMEM. */
int tls_ocsp_copy(struct tls_ocsp *, const struct tls_ocsp *);

void tls_ocsp_fini(struct tls_ocsp *);

#endif
