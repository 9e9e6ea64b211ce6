/* tls_config.h - the part of the configuration that is TLS: of a listener, of a pool.  Part of config.h. */
#ifndef LBD_CONFIG_TLS_CONFIG_H
#define LBD_CONFIG_TLS_CONFIG_H

#include "common/str.h"

struct tls_certificate_config {
	struct str certificate, key; /* paths of PEM files: the chain, leaf first; its key */
	struct str ocsp; /* of a DER file; empty: nothing is stapled */
};

enum tls_version { TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 }; /* as on the wire */

enum { ALPN_NAME_MAX = 255, ALPN_MAX = 1024 };

/* What clients may choose from. */
struct alpn_config {
	struct str
	    wire; /* names, each with its length before it, best first; empty: none is agreed on */
	bool given; /* not by default */
};

/* The next name of what is left of a list on the wire, which is well-formed.  False: there is none. */
static inline bool
alpn_next(struct str *left, struct str *name)
{
	if (left->n == 0)
		return false;
	*name = (struct str){ left->p + 1, (unsigned char)left->p[0] };
	*left = str_skip(*left, 1 + name->n);
	return true;
}

static inline bool
alpn_holds(struct str wire, struct str name)
{
	struct str each;

	while (alpn_next(&wire, &each))
		if (str_eq(each, name))
			return true;
	return false;
}

/* May the kernel make records? */
enum tls_ktls { TLS_KTLS_OFF, TLS_KTLS_AUTO };

enum tls_verify { TLS_VERIFY_OFF, TLS_VERIFY_OPTIONAL, TLS_VERIFY_REQUIRE };

/* What servers are told of a client's certificate. */
enum tls_peer_value {
	TLS_PEER_VERIFIED,
	TLS_PEER_SUBJECT,
	TLS_PEER_ISSUER,
	TLS_PEER_SERIAL,
	TLS_PEER_FINGERPRINT,
	TLS_PEER_CERTIFICATE,
	TLS_PEER_VALUES
};

/* The field for each; empty: none. */
struct tls_peer_fields {
	struct str name[TLS_PEER_VALUES];
};

struct tls_config {
	const struct tls_certificate_config *certificates; /* the first is the default */
	uint32_t n_certificates;
	enum tls_version min_version;
	struct str ciphers; /* of TLS 1.2 */
	struct str groups;
	struct str ticket_secret_file; /* empty: a secret of this process's own */
	bool check_host; /* 421 for hosts that are not of the connection's certificate */
	enum tls_verify client_verify;
	struct str client_ca, client_crl; /* paths of PEM files */
	struct tls_peer_fields client_headers;
	struct alpn_config alpn;
	enum tls_ktls ktls;
};

/* Of a pool: how lbd speaks to its servers. */
struct tls_server_config {
	enum tls_version min_version; /* 0: plain */
	bool verify;
	struct str ca; /* who is trusted; empty: the system's authorities */
	struct str
	    server_name; /* in certificates and SNI; empty: each server's own, server_config.host */
	struct str certificate, key; /* lbd's own, for servers that ask; empty: none */
};

#endif
