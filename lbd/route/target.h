/*
 * target.h - one spelling for each request target, so that no rule can be walked around by another.  Pure.
 *
 * RFC 3986 section 6.2.2: what need not be percent-encoded is not, hexadecimal digits are upper case, dot
 * segments are gone.  Nothing else changes: an encoded slash stays one, since to a server it is part of a
 * segment; empty segments stay, since they may mean something; the query is not looked at.
 */
#ifndef LBD_ROUTE_TARGET_H
#define LBD_ROUTE_TARGET_H

#include "common/str.h"

struct target {
	struct str whole;
	struct str path; /* what of it is before the query */
};

enum target_verdict {
	TARGET_NORMAL, /* as it came */
	TARGET_CHANGED, /* in `out` now */
	TARGET_BAD /* a broken escape or an encoded NUL, or above the root; there is none */
};

/* An origin-form target, or `*`; `out` has room for as many bytes and may not be where it lies. */
enum target_verdict target_normalise(struct str, char *out, struct target *normal);

/* What is before the query. */
struct str target_path(struct str target);

#endif
