/*
 * server_name.h - the name in a ClientHello's server_name extension (RFC 6066 3).  Pure.
 *
 * OpenSSL reads it as well, but for TLS 1.2 only after it has decided whether a session is resumed, for which we
 * want to know it.
 */
#ifndef LBD_TLS_SERVER_NAME_H
#define LBD_TLS_SERVER_NAME_H

#include "common/str.h"

/* The one host name in the extension's data, as a slice of it; empty if it is malformed. */
struct str tls_server_name(struct str extension);

#endif
