/* failure.h - why a handshake failed: the `reason` of lbpair_tls_handshake_failures_total. */
#ifndef LBD_TLS_FAILURE_H
#define LBD_TLS_FAILURE_H

enum tls_failure {
	TLS_FAIL_CLOSED, /* the peer went away */
	TLS_FAIL_TIMEOUT,
	TLS_FAIL_NOT_TLS, /* plain HTTP on a port for TLS, or anything else */
	TLS_FAIL_VERSION,
	TLS_FAIL_CIPHER, /* no cipher, group or signature in common */
	TLS_FAIL_ALPN,
	TLS_FAIL_CERTIFICATE, /* the peer's was missing, not trusted, or not good for this */
	TLS_FAIL_CERTIFICATE_EXPIRED, /* or not valid yet */
	TLS_FAIL_CERTIFICATE_NAME, /* a server's: it is another one's */
	TLS_FAIL_ALERT, /* the peer refused: it does not trust our certificate, for instance */
	TLS_FAIL_PROTOCOL, /* it broke the rules */
	TLS_FAIL_MEMORY,
	TLS_FAILURES
};

/* "closed", "timeout", ... */
const char *tls_failure_name(enum tls_failure);

/* Of OpenSSL's first error in the queue. */
enum tls_failure tls_failure_of(unsigned long error);

/* Of what it found wrong with the peer's certificate: SSL_get_verify_result. */
enum tls_failure tls_failure_of_verify(long result);

#endif
