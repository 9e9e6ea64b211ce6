/*
 * scan.h - how far does a run of allowed bytes go?  One table of byte classes for all of HTTP/1.
 *
 * Each function returns the first byte in [p, end) that does not belong, or `end`.  Long runs (targets,
 * values) go 16 bytes at a time where the machine can; nothing at or behind `end` is ever read.
 */
#ifndef LBD_HTTP_SCAN_H
#define LBD_HTTP_SCAN_H

#include "common/str.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum scan_class {
	SCAN_TOKEN = 1, /* tchar, RFC 9110 5.6.2: methods, field names, options */
	SCAN_VALUE = 2, /* field values: HTAB, SP, VCHAR, obs-text */
	SCAN_TARGET = 4, /* request targets: VCHAR without '#' */
	SCAN_HOST = 8, /* reg-name without '%' and ',': RFC 3986 3.2.2 */
	SCAN_ALNUM = 16
};

extern const uint8_t scan_table[256];

static inline bool
scan_is(char c, enum scan_class class)
{
	return scan_table[(unsigned char)c] & class;
}

static inline const char *
scan_class(const char *p, const char *end, enum scan_class class)
{
	while (p < end && scan_is(*p, class))
		p++;
	return p;
}

static inline const char *
scan_token(const char *p, const char *end)
{
	return scan_class(p, end, SCAN_TOKEN);
}

static inline const char *
scan_value(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
		__m128i tab = _mm_cmpeq_epi8(x, _mm_set1_epi8('\t'));
		__m128i del = _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f));
		__m128i bad = _mm_or_si128(_mm_andnot_si128(tab, control), del);
		int mask = _mm_movemask_epi8(bad);

		if (mask)
			return p + __builtin_ctz((unsigned)mask);
	}
#endif
	return scan_class(p, end, SCAN_VALUE);
}

static inline const char *
scan_target(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* signed: below 0x21 are also the bytes from 0x80 on */
		__m128i outside = _mm_cmplt_epi8(x, _mm_set1_epi8(0x21));
		__m128i del = _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f));
		__m128i hash = _mm_cmpeq_epi8(x, _mm_set1_epi8('#'));
		int mask = _mm_movemask_epi8(_mm_or_si128(outside, _mm_or_si128(del, hash)));

		if (mask)
			return p + __builtin_ctz((unsigned)mask);
	}
#endif
	return scan_class(p, end, SCAN_TARGET);
}

static inline bool
scan_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Without leading and trailing blanks (OWS). */
static inline struct str
scan_trim(struct str s)
{
	while (s.n && scan_is_blank(s.p[0]))
		s = str_skip(s, 1);
	while (s.n && scan_is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Is all of it, and at least one byte, of that class? */
static inline bool
scan_all(struct str s, enum scan_class class)
{
	return s.n && scan_class(s.p, s.p + s.n, class) == s.p + s.n;
}

#endif
