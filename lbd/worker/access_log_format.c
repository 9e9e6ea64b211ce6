/*
 * access_log_format.c - one record as a line of JSON or in the combined format of web servers.
 *
 * A line is written forward into memory that holds the longest one (access_log_fields.h), so
 * nothing here checks for room except where text from outside is escaped.
 */
#include <stdbool.h>
#include <time.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/http/head.h"
#include "lbd/worker/access_log.h"
#include "lbd/worker/access_log_fields.h"

#define FIELD_SUM(name, max) +max
enum { NUMBERS_MAX = 2048 }; /* keys, numbers and names: far less */
_Static_assert(
    0 ACCESS_FIELDS(FIELD_SUM) + NUMBERS_MAX <= ACCESS_LINE_MAX, "the longest line fits");

static const char hex[] = "0123456789abcdef";

static char *
put(char *p, struct str s)
{
	memcpy(p, s.p, s.n);
	return p + s.n;
}

static char *
put_number(char *p, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	return put(p, (struct str){ digits + at, sizeof(digits) - at });
}

/* The last `width` decimal digits of v. */
static char *
put_digits(char *p, unsigned v, unsigned width)
{
	for (unsigned i = width; i-- > 0; v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + width;
}

static char *
put_ms(char *p, int64_t ns)
{
	uint64_t us;

	if (ns < 0)
		return put(p, STR("null"));
	us = ((uint64_t)ns + 500) / 1000;
	p = put_number(p, us / 1000);
	*p++ = '.';
	return put_digits(p, (unsigned)(us % 1000), 3);
}

/* Breaking a second down costs more than the rest of a line: the last one is kept. */
static const struct tm *
tm_of(int64_t second)
{
	static _Thread_local struct {
		int64_t second;
		bool known;
		struct tm tm;
	} last;

	if (!last.known || last.second != second) {
		time_t t = (time_t)second;

		gmtime_r(&t, &last.tm);
		last.second = second;
		last.known = true;
	}
	return &last.tm;
}

static char *
put_clock(char *p, const struct tm *tm)
{
	p = put_digits(p, (unsigned)tm->tm_hour, 2);
	*p++ = ':';
	p = put_digits(p, (unsigned)tm->tm_min, 2);
	*p++ = ':';
	return put_digits(p, (unsigned)tm->tm_sec, 2);
}

/* 2026-01-31T12:00:00.123Z */
static char *
put_rfc3339(char *p, int64_t wall_ns)
{
	const struct tm *tm = tm_of(wall_ns / NS_PER_S);

	p = put_digits(p, (unsigned)tm->tm_year + 1900, 4);
	*p++ = '-';
	p = put_digits(p, (unsigned)tm->tm_mon + 1, 2);
	*p++ = '-';
	p = put_digits(p, (unsigned)tm->tm_mday, 2);
	*p++ = 'T';
	p = put_clock(p, tm);
	*p++ = '.';
	p = put_digits(p, (unsigned)(wall_ns % NS_PER_S / NS_PER_MS), 3);
	*p++ = 'Z';
	return p;
}

/* [31/Jan/2026:12:00:00 +0000] */
static char *
put_clf_time(char *p, int64_t wall_ns)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const struct tm *tm = tm_of(wall_ns / NS_PER_S);

	*p++ = '[';
	p = put_digits(p, (unsigned)tm->tm_mday, 2);
	*p++ = '/';
	p = put(p, (struct str){ months + 3 * tm->tm_mon, 3 });
	*p++ = '/';
	p = put_digits(p, (unsigned)tm->tm_year + 1900, 4);
	*p++ = ':';
	p = put_clock(p, tm);
	return put(p, STR(" +0000]"));
}

/*
 * The length of the UTF-8 character at the start of s, 0 if there is none: no overlong form, no
 * surrogate, nothing above U+10FFFF, and none of the control characters U+0080..U+009F, which
 * terminals obey.
 */
static size_t
utf8_length(struct str s)
{
	const unsigned char *b = (const unsigned char *)s.p;
	size_t n = b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;
	unsigned low = 0x80, high = 0xbf; /* of the second byte */

	if (n == 0 || s.n < n)
		return 0;
	switch (b[0]) {
	case 0xc2:
	case 0xe0:
		low = 0xa0;
		break;
	case 0xed:
		high = 0x9f;
		break;
	case 0xf0:
		low = 0x90;
		break;
	case 0xf4:
		high = 0x8f;
		break;
	}
	if (b[1] < low || b[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (b[i] < 0x80 || b[i] > 0xbf)
			return 0;
	return n;
}

/*
 * Writes one character of s (n bytes long) escaped, at most ESCAPED_MAX bytes, and returns where
 * it ended; *eaten says how many bytes of s that took.
 */
typedef char *escape_fn(char *p, struct str s, size_t *eaten);
enum { ESCAPED_MAX = 6 };

static char *
escape_json(char *p, struct str s, size_t *eaten)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 0 : utf8_length(s);

	*eaten = n ? n : 1;
	if (n)
		return put(p, (struct str){ s.p, n });
	if (c == '"' || c == '\\') {
		*p++ = '\\';
		*p++ = (char)c;
		return p;
	}
	p = put(p, STR("\\u00"));
	*p++ = hex[c >> 4];
	*p++ = hex[c & 15];
	return p;
}

static char *
escape_combined(char *p, struct str s, size_t *eaten)
{
	unsigned char c = (unsigned char)s.p[0];

	*eaten = 1;
	p = put(p, STR("\\x"));
	*p++ = hex[c >> 4];
	*p++ = hex[c & 15];
	return p;
}

/* Printable ASCII without quote and backslash: the same in every format. */
static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

#define EACH_BYTE(c) ((c)*UINT64_C(0x0101010101010101))

/* High bits are set where a byte of v is 0; more may be, but only if one is. */
static uint64_t
zero_bytes(uint64_t v)
{
	return (v - EACH_BYTE(1)) & ~v & EACH_BYTE(0x80);
}

/* is_plain of eight bytes at once: most of a log is plain. */
static bool
are_plain(const char *p)
{
	uint64_t v, odd;

	memcpy(&v, p, sizeof(v));
	odd = v & EACH_BYTE(0x80); /* not ASCII */
	odd |= (v - EACH_BYTE(0x20)) & ~v & EACH_BYTE(0x80); /* below space */
	odd |= zero_bytes(v ^ EACH_BYTE('"')) | zero_bytes(v ^ EACH_BYTE('\\'));
	odd |= zero_bytes(v ^ EACH_BYTE(0x7f));
	return odd == 0;
}

/* How many bytes at the start of s, and of `room`, are plain. */
static size_t
plain_length(struct str s, size_t room)
{
	size_t n = 0, max = s.n < room ? s.n : room;

	while (max - n >= 8 && are_plain(s.p + n))
		n += 8;
	while (n < max && is_plain((unsigned char)s.p[n]))
		n++;
	return n;
}

static char *
put_escaped(char *p, struct str s, size_t max, escape_fn *escape)
{
	char *last = p + max - ESCAPED_MAX - 3; /* from here on there is room only for "..." */
	size_t n;

	while (s.n && p < last) {
		n = plain_length(s, (size_t)(last - p));
		if (n)
			p = put(p, (struct str){ s.p, n });
		else
			p = escape(p, s, &n);
		s = str_skip(s, n);
	}
	return s.n ? put(p, STR("...")) : p;
}

/* ,"key":"value" */
static char *
put_member(char *p, struct str key, struct str value, size_t max)
{
	p = put(p, key);
	*p++ = '"';
	p = put_escaped(p, value, max, escape_json);
	*p++ = '"';
	return p;
}

static char *
put_protocol(char *p, const struct access_record *r)
{
	if (r->minor == HTTP_2)
		return put(p, STR("HTTP/2.0"));
	if (r->minor == ACCESS_TCP)
		return put(p, STR("TCP"));
	return put_number(put(p, STR("HTTP/1.")), r->minor);
}

#define MEMBER(p, r, name) put_member(p, STR(",\"" #name "\":"), (r)->name, ACCESS_MAX_##name)

static size_t
format_json(const struct access_record *r, char *line)
{
	char *p = put(line, STR("{\"time\":\""));

	p = put_rfc3339(p, r->wall_ns);
	*p++ = '"';
	p = MEMBER(p, r, listener);
	p = MEMBER(p, r, client);
	p = MEMBER(p, r, method);
	p = MEMBER(p, r, host);
	p = MEMBER(p, r, target);
	p = put(p, STR(",\"protocol\":\""));
	p = put_protocol(p, r);
	p = put_number(put(p, STR("\",\"status\":")), r->status);
	p = put_number(put(p, STR(",\"bytes_in\":")), r->bytes_in);
	p = put_number(put(p, STR(",\"bytes_out\":")), r->bytes_out);
	p = put_ms(put(p, STR(",\"duration_ms\":")), r->duration_ns);
	p = put_ms(put(p, STR(",\"connect_ms\":")), r->connect_ns);
	p = put_ms(put(p, STR(",\"response_ms\":")), r->response_ns);
	p = MEMBER(p, r, pool);
	p = MEMBER(p, r, server);
	p = put_number(put(p, STR(",\"retries\":")), r->retries);
	p = MEMBER(p, r, request_id);
	p = MEMBER(p, r, tls_version);
	p = put(p, STR(",\"termination\":\""));
	p = put(p, str_of(termination_name(r->termination)));
	p = put(p, STR("\"}\n"));
	return (size_t)(p - line);
}

/* "-" stands for what is not there. */
static char *
put_combined(char *p, struct str s, size_t max)
{
	return s.n ? put_escaped(p, s, max, escape_combined) : put(p, STR("-"));
}

static char *
put_request_line(char *p, const struct access_record *r)
{
	if (r->method.n == 0)
		return put(p, STR("-"));
	p = put_combined(p, r->method, ACCESS_MAX_method);
	*p++ = ' ';
	p = put_combined(p, r->target, ACCESS_MAX_target);
	*p++ = ' ';
	return put_protocol(p, r);
}

/* client - - [time] "request" status bytes "referer" "user agent" */
static size_t
format_combined(const struct access_record *r, char *line)
{
	char *p = put_combined(line, r->client, ACCESS_MAX_client);

	p = put(p, STR(" - - "));
	p = put_clf_time(p, r->wall_ns);
	p = put(p, STR(" \""));
	p = put_request_line(p, r);
	p = put(p, STR("\" "));
	p = put_digits(p, r->status, 3);
	*p++ = ' ';
	p = put_number(p, r->bytes_out);
	p = put(p, STR(" \""));
	p = put_combined(p, r->referer, ACCESS_MAX_referer);
	p = put(p, STR("\" \""));
	p = put_combined(p, r->user_agent, ACCESS_MAX_user_agent);
	p = put(p, STR("\"\n"));
	return (size_t)(p - line);
}

size_t
access_log_format(
    const struct access_record *r, enum access_log_format format, char line[ACCESS_LINE_MAX])
{
	switch (format) {
	case ACCESS_LOG_OFF:
		return 0;
	case ACCESS_LOG_JSON:
		return format_json(r, line);
	case ACCESS_LOG_COMBINED:
		return format_combined(r, line);
	}
	CHECK_NEVER();
}
