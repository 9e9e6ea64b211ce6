/* failure.c - from OpenSSL's hundreds of reasons to the few that an operator can act on. */
#include "lbd/tls/failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

const char *
tls_failure_name(enum tls_failure f)
{
	static const char *const names[TLS_FAILURES] = {
		[TLS_FAIL_CLOSED] = "closed",
		[TLS_FAIL_TIMEOUT] = "timeout",
		[TLS_FAIL_NOT_TLS] = "not_tls",
		[TLS_FAIL_VERSION] = "version",
		[TLS_FAIL_CIPHER] = "cipher",
		[TLS_FAIL_ALPN] = "alpn",
		[TLS_FAIL_CERTIFICATE] = "certificate",
		[TLS_FAIL_CERTIFICATE_EXPIRED] = "certificate_expired",
		[TLS_FAIL_CERTIFICATE_NAME] = "certificate_name",
		[TLS_FAIL_ALERT] = "alert",
		[TLS_FAIL_PROTOCOL] = "protocol",
		[TLS_FAIL_MEMORY] = "memory",
	};

	return names[f];
}

enum tls_failure
tls_failure_of(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	if (ERR_GET_LIB(error) != ERR_LIB_SSL) /* each library has numbers of its own */
		return reason == ERR_R_MALLOC_FAILURE ? TLS_FAIL_MEMORY : TLS_FAIL_PROTOCOL;
	switch (reason) {
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_BAD_RECORD_TYPE:
		return TLS_FAIL_NOT_TLS;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_WRONG_SSL_VERSION:
		return TLS_FAIL_VERSION;
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SUITABLE_GROUPS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
		return TLS_FAIL_CIPHER;
	case SSL_R_NO_APPLICATION_PROTOCOL:
		return TLS_FAIL_ALPN;
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return TLS_FAIL_CERTIFICATE;
	case ERR_R_MALLOC_FAILURE:
		return TLS_FAIL_MEMORY;
	}
	return reason >= SSL_AD_REASON_OFFSET ? TLS_FAIL_ALERT : TLS_FAIL_PROTOCOL;
}

enum tls_failure
tls_failure_of_verify(long result)
{
	switch (result) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_FAIL_CERTIFICATE_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_FAIL_CERTIFICATE_NAME;
	}
	return TLS_FAIL_CERTIFICATE;
}
