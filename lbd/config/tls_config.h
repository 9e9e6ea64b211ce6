/* tls_config.h - the part of the configuration that is TLS: of a listener.  Part of config.h. */
#ifndef LBD_CONFIG_TLS_CONFIG_H
#define LBD_CONFIG_TLS_CONFIG_H

#include "common/str.h"

struct tls_certificate_config {
	struct str certificate, key; /* paths of PEM files: the chain, leaf first; its key */
};

enum tls_version { TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 }; /* as on the wire */

enum tls_alpn { ALPN_HTTP_1_1 = 1, ALPN_H2 = 2 };

struct tls_config {
	const struct tls_certificate_config *certificates; /* the first is the default */
	uint32_t n_certificates;
	enum tls_version min_version;
	struct str ciphers; /* of TLS 1.2 */
	struct str groups;
	struct str ticket_secret_file; /* empty: a secret of this process's own */
	bool check_host; /* 421 for hosts that are not of the connection's certificate */
	unsigned alpn; /* bits of enum tls_alpn; 0: none is negotiated */
};

#endif
