/*
 * server_ctx.h - one SSL_CTX of a listener: what OpenSSL may do, and what it asks during a handshake.
 *
 * The same for each set of certificates of a listener, so that nobody gets a better policy by asking for
 * another name.
 */
#ifndef LBD_TLS_SERVER_CTX_H
#define LBD_TLS_SERVER_CTX_H

#include "lbd/tls/context.h"

/* Everything but certificates.  0 or -errno with a reason. */
int
tls_server_ctx_configure(SSL_CTX *, struct tls_context *, const struct tls_config *, struct err *);

#endif
