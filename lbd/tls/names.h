/*
 * names.h - which certificate belongs to a host name?  Pure: sorted names, each with a number.
 *
 * Names are in lower case; "*.example.org" stands for exactly one label in the place of the star (RFC 9525
 * 6.3).  IP addresses are names as well, in the spelling of inet_ntop.  An exact name goes before a wildcard.
 */
#ifndef LBD_TLS_NAMES_H
#define LBD_TLS_NAMES_H

#include "common/str.h"

enum { TLS_NAME_MAX = 255 };

struct tls_name {
	struct str text; /* owned */
	uint32_t value;
};

struct tls_names {
	struct tls_name *list;
	uint32_t n, size;
};

/* Copies the text, in lower case.  0, -ENOMEM, or -EINVAL: no name a certificate may have. */
int tls_names_add(struct tls_names *, struct str text, uint32_t value);

/* After the last tls_names_add; of equal names the smallest value stays. */
void tls_names_sort(struct tls_names *);

void tls_names_fini(struct tls_names *);

/* The value that was added with this name or with a wildcard for it; -1: none.  Case does not matter. */
int64_t tls_names_find(const struct tls_names *, struct str host);

#endif
