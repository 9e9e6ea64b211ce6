/*
 * client_policy.h - whom a listener lets in: certificates of clients, the authorities behind them, revocations.
 *
 * Its digest covers all of it, contents included.  It goes into the keys of tickets and the context of sessions,
 * so that what was got under one policy is worth nothing under another.
 */
#ifndef LBD_TLS_CLIENT_POLICY_H
#define LBD_TLS_CLIENT_POLICY_H

#include <openssl/ssl.h>

#include "common/err.h"
#include "lbd/tls/files.h"

enum { TLS_POLICY_SIZE = 32 };

struct tls_client_policy {
	enum tls_verify verify;
	X509_STORE *store; /* NULL: no certificate is asked for */
	STACK_OF(X509_NAME) * names; /* of the authorities, for clients to choose by */
	unsigned char digest[TLS_POLICY_SIZE];
};

/* 0 or -errno with a reason, which names the file at fault. */
int tls_client_policy_init(struct tls_client_policy *, OSSL_LIB_CTX *, const struct tls_config *,
    const struct tls_files *, struct err *);
void tls_client_policy_fini(struct tls_client_policy *);

/* 0 or -ENOMEM. */
int tls_client_policy_apply(const struct tls_client_policy *, SSL_CTX *);

#endif
