/*
 * str.h - a slice of bytes: pointer and length, never NUL-terminated by promise.
 *
 * A slice borrows; whoever made the buffer keeps it.  Passed by value everywhere.  Text from the
 * network is only ever handled as slices, so that a NUL in it shortens nothing.
 */
#ifndef COMMON_STR_H
#define COMMON_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct str {
	const char *p;
	size_t n;
};

/* A slice of a string literal. */
#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })

/* For "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str
str_of(const char *text)
{
	return (struct str){ text, text ? strlen(text) : 0 };
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case only; use it for what the RFCs call case-insensitive. */
static inline bool
str_eq_nocase(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static inline bool
str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

static inline struct str
str_skip(struct str s, size_t n)
{
	return (struct str){ s.p + n, s.n - n };
}

#endif
