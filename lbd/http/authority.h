/*
 * authority.h - host and optional port, as in Host fields and absolute-form targets: RFC 3986 3.2.
 *
 * A name (letters, digits, -._~!$&'()*+;= and %-escapes), an IPv4 address or an IPv6 address in brackets,
 * then perhaps a port from 1 to 65535 without leading zeros.  User names, commas (two Host fields that
 * somebody merged), IPv6 zones and addresses of future versions are refused.
 */
#ifndef LBD_HTTP_AUTHORITY_H
#define LBD_HTTP_AUTHORITY_H

#include "common/str.h"

/* False also when empty. */
bool authority_valid(struct str);

/* Of a valid one: without the port. */
struct str authority_name(struct str);

/* The same without the brackets of an IPv6 address. */
struct str authority_host(struct str);

#endif
