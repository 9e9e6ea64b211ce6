/*
 * scan.h - how far does a run of allowed bytes go?  One table of byte classes for all of HTTP/1.
 *
 * Each scan_NOUN returns the first byte in [p, end) that does not belong, or `end`.  Where the machine can,
 * 16 bytes are looked at together; nothing outside [p, end) is ever read.  The table alone decides on other
 * machines, and on the last few bytes.
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
	SCAN_ALNUM = 16,
	SCAN_SMOOTH = 32 /* in paths: no escape, no dot, not the end; all but % . ? */
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

#ifdef __SSE2__
static inline __m128i
scan_in_range(__m128i x, char first, char last)
{
	__m128i offset = _mm_sub_epi8(x, _mm_set1_epi8(first));

	return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8((char)(last - first))), offset);
}

/* All but control characters; HTAB is left to scan_value. */
static inline unsigned
scan_outside_value(__m128i x)
{
	__m128i del = _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f));
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, del));
}

static inline unsigned
scan_outside_target(__m128i x)
{
	__m128i hash = _mm_cmpeq_epi8(x, _mm_set1_epi8('#'));
	__m128i visible = _mm_andnot_si128(hash, scan_in_range(x, 0x21, 0x7e));

	return (unsigned)_mm_movemask_epi8(visible) ^ 0xffff;
}

/* Letters, digits, '-' and '.', of which nearly all names and hosts are made. */
static inline unsigned
scan_outside_plain(__m128i x)
{
	__m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('/'));
	__m128i other = _mm_andnot_si128(slash, scan_in_range(x, '-', '9'));
	__m128i letter = scan_in_range(_mm_or_si128(x, _mm_set1_epi8(0x20)), 'a', 'z');

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, other)) ^ 0xffff;
}

static inline unsigned
scan_outside_smooth(__m128i x)
{
	__m128i escape = _mm_cmpeq_epi8(x, _mm_set1_epi8('%'));
	__m128i dot = _mm_cmpeq_epi8(x, _mm_set1_epi8('.'));
	__m128i query = _mm_cmpeq_epi8(x, _mm_set1_epi8('?'));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(escape, dot), query));
}

/* One bit for each of 16 bytes that does not belong to the class, or only might. */
static inline unsigned
scan_outside(__m128i x, enum scan_class class)
{
	if (class == SCAN_VALUE)
		return scan_outside_value(x);
	if (class == SCAN_SMOOTH)
		return scan_outside_smooth(x);
	return class == SCAN_TARGET ? scan_outside_target(x) : scan_outside_plain(x);
}

/* Inlined once for each class, so that `class` costs nothing. */
__attribute__((always_inline)) static inline const char *
scan_run(const char *p, const char *end, enum scan_class class)
{
	__m128i head, tail;
	unsigned mask;

	for (; end - p >= 16; p += 16) {
		mask = scan_outside(_mm_loadu_si128((const __m128i *)(const void *)p), class);
		if (mask)
			return p + (unsigned)__builtin_ctz(mask);
	}
	if (end - p < 8)
		return scan_class(p, end, class);
	/* the first eight and the last eight, which overlap */
	head = _mm_loadl_epi64((const __m128i *)(const void *)p);
	tail = _mm_loadl_epi64((const __m128i *)(const void *)(end - 8));
	mask = scan_outside(_mm_unpacklo_epi64(head, tail), class);
	if (mask & 0xff)
		return p + (unsigned)__builtin_ctz(mask);
	return mask ? end - 16 + (unsigned)__builtin_ctz(mask) : end;
}
/* Somewhere in a run of plain bytes at p, or behind it: the end of most names, at one look. */
static inline const char *
scan_name(const char *p, const char *end)
{
	unsigned mask;

	if (end - p < 16)
		return p;
	mask = scan_outside_plain(_mm_loadu_si128((const __m128i *)(const void *)p));
	return mask ? p + (unsigned)__builtin_ctz(mask) : p + 16;
}
#else
static inline const char *
scan_name(const char *p, const char *end)
{
	return scan_class(p, end, SCAN_TOKEN);
}

static inline const char *
scan_run(const char *p, const char *end, enum scan_class class)
{
	return scan_class(p, end, class);
}
#endif

static inline const char *
scan_value(const char *p, const char *end)
{
	p = scan_run(p, end, SCAN_VALUE);
	return p < end && *p == '\t' ? scan_class(p, end, SCAN_VALUE) : p;
}

static inline const char *
scan_target(const char *p, const char *end)
{
	return scan_run(p, end, SCAN_TARGET);
}

static inline const char *
scan_smooth(const char *p, const char *end)
{
	return scan_run(p, end, SCAN_SMOOTH);
}

static inline const char *
scan_token(const char *p, const char *end)
{
	p = scan_run(p, end, SCAN_TOKEN);
	return p < end && scan_is(*p, SCAN_TOKEN) ? scan_class(p, end, SCAN_TOKEN) : p;
}

static inline const char *
scan_host(const char *p, const char *end)
{
	p = scan_run(p, end, SCAN_HOST);
	return p < end && scan_is(*p, SCAN_HOST) ? scan_class(p, end, SCAN_HOST) : p;
}

static inline bool
scan_is_crlf(const char *p, const char *end)
{
	return end - p >= 2 && memcmp(p, "\r\n", 2) == 0;
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
