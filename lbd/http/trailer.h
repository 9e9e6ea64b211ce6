/*
 * trailer.h - the trailer section behind the last chunk: RFC 9112 section 7.1.2.
 */
#ifndef LBD_HTTP_TRAILER_H
#define LBD_HTTP_TRAILER_H

#include <sys/types.h>

#include "common/str.h"

enum { TRAILER_MAX = 8192 };

/* >0: bytes of the whole section with its empty line; 0: incomplete; <0: -(enum refusal). */
ssize_t trailer_check(struct str in);

/*
 * Writes a section that trailer_check accepted to `out`, which may be at or before its start, without the
 * fields that have no business there or resemble one of the reserved names, and without the empty line.  Never
 * longer than what it read.
 */
size_t trailer_rewrite(char *out, struct str in, const struct str *reserved, uint32_t n_reserved);

#endif
