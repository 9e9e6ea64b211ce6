/*
 * word.h - is this slice that word, whatever its case?  For names and options that lbd knows.
 *
 * The word is a literal in lower case of letters, digits and '-', up to 24 bytes: compilers turn each
 * comparison into a few loads.  Unlike strncasecmp it knows no locale.
 */
#ifndef LBD_HTTP_WORD_H
#define LBD_HTTP_WORD_H

#include "common/str.h"

/* Letters, and only they, have bit 0x40 in a lower-case word; 0x20 is the bit of their case. */
static inline bool
word_eight(const char *p, const char *lower)
{
	uint64_t a, b;

	memcpy(&a, p, sizeof(a));
	memcpy(&b, lower, sizeof(b));
	return (a | (b >> 1 & UINT64_C(0x2020202020202020))) == b;
}

static inline bool
word_four(const char *p, const char *lower)
{
	uint32_t a, b;

	memcpy(&a, p, sizeof(a));
	memcpy(&b, lower, sizeof(b));
	return (a | (b >> 1 & UINT32_C(0x20202020))) == b;
}

static inline bool
word_one(char c, char lower)
{
	return (c | (lower >> 1 & 0x20)) == lower;
}

__attribute__((always_inline)) static inline bool
word_is(struct str s, const char *lower)
{
	size_t n = strlen(lower);

	if (s.n != n)
		return false;
	if (n >= 8)
		return word_eight(s.p, lower) && (n <= 16 || word_eight(s.p + 8, lower + 8)) &&
		    word_eight(s.p + n - 8, lower + n - 8);
	if (n >= 4)
		return word_four(s.p, lower) && word_four(s.p + n - 4, lower + n - 4);
	return word_one(s.p[0], lower[0]) && (n < 2 || word_one(s.p[1], lower[1])) &&
	    (n < 3 || word_one(s.p[2], lower[2]));
}

/* The same, but any byte that is no letter or digit may stand for '-': CGI makes them all one. */
bool word_resembles(struct str s, const char *lower);

/* Does one of those names, which are no literals, resemble it? */
bool word_resembles_any(struct str s, const struct str *names, uint32_t n);

#endif
