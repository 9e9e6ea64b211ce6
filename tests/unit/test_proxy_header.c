/* test_proxy_header.c - what is a PROXY header and what is not, in which pieces it comes, and how one is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "lbd/http/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2(command, family, length) SIGNATURE command family length
#define ENDS_4 "\xc0\x00\x02\x01\xc6\x33\x64\x07\x30\x39\x01\xbb"
#define ENDS_6                                                                                     \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                                 \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"                                                 \
	"\x30\x39\x01\xbb"
#define TEXT_4 "192.0.2.1 12345 > 198.51.100.7 443"
#define TEXT_6 "2001:db8::1 12345 > 2001:db8::2 443"
#define ROW(what, bytes, ...)                                                                      \
	{                                                                                          \
		what, { bytes, sizeof(bytes) - 1 }, __VA_ARGS__                                    \
	}

/* As a row of the tables has it. */
static void
header_show(const struct proxy_header *h, char *text, size_t size)
{
	char line[PROXY_FORMAT_MAX], source[64], destination[64];
	unsigned from, to;

	if (h->kind != PROXY_TCP) {
		snprintf(text, size, "%s", h->kind == PROXY_UNIX ? "unix" : "local");
		return;
	}
	line[proxy_header_format(h, 1, NULL, line)] = 0;
	if (sscanf(line, "PROXY %*s %63s %63s %u %u", source, destination, &from, &to) != 4)
		fail_msg("written: %s", line);
	snprintf(text, size, "%s %u > %s %u", source, from, destination, to);
}

static const struct row {
	const char *what;
	struct str bytes;
	size_t more; /* bytes at the end that are not the header's */
	const char *want; /* NULL: `fault` */
	enum proxy_fault fault;
} rows[] = {
	/* version 1 */
	ROW("TCP4", "PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n", 0, TEXT_4, 0),
	ROW("with a request behind it", "PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\nGET /", 5,
	    TEXT_4, 0),
	ROW("TCP6", "PROXY TCP6 2001:db8::1 2001:DB8::2 12345 443\r\n", 0, TEXT_6, 0),
	ROW("the longest",
	    "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    0,
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 > "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535",
	    0),
	ROW("IPv4 in disguise", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.7 12345 443\r\n", 0,
	    TEXT_4, 0),
	ROW("port 0", "PROXY TCP4 192.0.2.1 198.51.100.7 0 0\r\n", 0,
	    "192.0.2.1 0 > 198.51.100.7 0", 0),
	ROW("UNKNOWN", "PROXY UNKNOWN\r\n", 0, "local", 0),
	ROW("UNKNOWN with anything", "PROXY UNKNOWN ffff::1 what ever\r\nx", 1, "local", 0),
	ROW("107 bytes of UNKNOWN",
	    "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    0, "local", 0),
	ROW("108 bytes",
	    "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655355\r\n",
	    0, NULL, PROXY_LINE),
	ROW("a request", "GET / HTTP/1.1\r\n", 0, NULL, PROXY_MISSING),
	ROW("another one", "POST / HTTP/1.1\r\n", 0, NULL, PROXY_MISSING),
	ROW("a ClientHello", "\x16\x03\x01\x02\x00\x01", 0, NULL, PROXY_MISSING),
	ROW("the preface of HTTP/2", "PRI * HTTP/2.0\r\n", 0, NULL, PROXY_MISSING),
	ROW("small letters", "proxy TCP4 192.0.2.1 198.51.100.7 1 2\r\n", 0, NULL, PROXY_MISSING),
	ROW("a tab", "PROXY\tTCP4 192.0.2.1 198.51.100.7 1 2\r\n", 0, NULL, PROXY_MISSING),
	ROW("no protocol", "PROXY \r\n", 0, NULL, PROXY_LINE),
	ROW("two blanks", "PROXY  TCP4 192.0.2.1 198.51.100.7 1 2\r\n", 0, NULL, PROXY_LINE),
	ROW("UDP", "PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", 0, NULL, PROXY_LINE),
	ROW("UNKNOWNS", "PROXY UNKNOWNS\r\n", 0, NULL, PROXY_LINE),
	ROW("a bare LF", "PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n", 0, NULL, PROXY_LINE),
	ROW("a bare CR", "PROXY UNKNOWN \r \r\n", 0, NULL, PROXY_LINE),
	ROW("no addresses", "PROXY TCP4\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("one", "PROXY TCP4 192.0.2.1\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("no port", "PROXY TCP4 192.0.2.1 198.51.100.7\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("one port", "PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("three ports", "PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("a blank behind", "PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n", 0, NULL, PROXY_ADDRESS),
	ROW("two between", "PROXY TCP4 192.0.2.1  198.51.100.7 1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("the other family", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", 0, NULL,
	    PROXY_ADDRESS),
	ROW("the other one", "PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("one of each", "PROXY TCP6 2001:db8::1 198.51.100.7 1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("leading zeros", "PROXY TCP4 192.000.2.1 198.51.100.7 1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("256", "PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("three parts", "PROXY TCP4 192.0.2 198.51.100.7 1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("in brackets", "PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("with a zone", "PROXY TCP6 fe80::1%lo 2001:db8::2 1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("a NUL", "PROXY TCP4 192.0.2.1\0 198.51.100.7 1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("port 65536", "PROXY TCP4 192.0.2.1 198.51.100.7 1 65536\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("port 010", "PROXY TCP4 192.0.2.1 198.51.100.7 010 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("port +1", "PROXY TCP4 192.0.2.1 198.51.100.7 +1 2\r\n", 0, NULL, PROXY_ADDRESS),
	ROW("port 000001", "PROXY TCP4 192.0.2.1 198.51.100.7 000001 2\r\n", 0, NULL,
	    PROXY_ADDRESS),
	/* version 2 */
	ROW("TCP over IPv4", V2("\x21", "\x11", "\x00\x0c") ENDS_4, 0, TEXT_4, 0),
	ROW("with a ClientHello behind it", V2("\x21", "\x11", "\x00\x0c") ENDS_4 "\x16\x03\x01", 3,
	    TEXT_4, 0),
	ROW("TCP over IPv6", V2("\x21", "\x21", "\x00\x24") ENDS_6, 0, TEXT_6, 0),
	ROW("LOCAL", V2("\x20", "\x00", "\x00\x00"), 0, "local", 0),
	ROW("LOCAL with an address", V2("\x20", "\x11", "\x00\x0c") ENDS_4 "GET", 3, "local", 0),
	ROW("LOCAL of what nobody knows", V2("\x20", "\xff", "\x00\x03") "abc", 0, "local", 0),
	ROW("UNSPEC", V2("\x21", "\x00", "\x00\x00"), 0, "local", 0),
	ROW("UNSPEC with something", V2("\x21", "\x00", "\x00\x02") "ab", 0, "local", 0),
	ROW("UDP over IPv4", V2("\x21", "\x12", "\x00\x0c") ENDS_4, 0, "local", 0),
	ROW("UDP over IPv6", V2("\x21", "\x22", "\x00\x24") ENDS_6, 0, "local", 0),
	ROW("no transport", V2("\x21", "\x10", "\x00\x0c") ENDS_4, 0, "local", 0),
	ROW("version 1, in binary", V2("\x11", "\x11", "\x00\x0c") ENDS_4, 0, NULL, PROXY_VERSION),
	ROW("version 3", V2("\x31", "\x11", "\x00\x0c") ENDS_4, 0, NULL, PROXY_VERSION),
	ROW("command 2", V2("\x22", "\x11", "\x00\x0c") ENDS_4, 0, NULL, PROXY_VERSION),
	ROW("family 4", V2("\x21", "\x41", "\x00\x0c") ENDS_4, 0, NULL, PROXY_FAMILY),
	ROW("transport 3", V2("\x21", "\x13", "\x00\x0c") ENDS_4, 0, NULL, PROXY_FAMILY),
	ROW("too short for IPv4", V2("\x21", "\x11", "\x00\x0b") ENDS_4, 0, NULL, PROXY_LENGTH),
	ROW("too short for IPv6", V2("\x21", "\x21", "\x00\x0c") ENDS_4, 0, NULL, PROXY_LENGTH),
	ROW("too short for unix", V2("\x21", "\x31", "\x00\x0c") ENDS_4, 0, NULL, PROXY_LENGTH),
	ROW("no length", V2("\x21", "\x11", "\x00\x00"), 0, NULL, PROXY_LENGTH),
	ROW("too long", V2("\x21", "\x11", "\x0f\xf1"), 0, NULL, PROXY_LENGTH),
	ROW("LOCAL, too long", V2("\x20", "\x00", "\xff\xff"), 0, NULL, PROXY_LENGTH),
	ROW("another signature", "\r\n\r\n\0\r\nQUIT\r\x21\x11\x00\x0c" ENDS_4, 0, NULL,
	    PROXY_MISSING),
	ROW("blank lines", "\r\n\r\nGET", 0, NULL, PROXY_MISSING),
	/* what follows the addresses */
	ROW("NOOP and one of its own",
	    V2("\x21", "\x11", "\x00\x16") ENDS_4 "\x04\x00\x02\x00\x00\xe0\x00\x02\x61\x62", 0,
	    TEXT_4, 0),
	ROW("one without a value", V2("\x21", "\x11", "\x00\x0f") ENDS_4 "\x04\x00\x00", 0, TEXT_4,
	    0),
	ROW("half a type", V2("\x21", "\x11", "\x00\x0e") ENDS_4 "\x04\x00", 0, NULL,
	    PROXY_EXTENSION),
	ROW("too long a value", V2("\x21", "\x11", "\x00\x10") ENDS_4 "\x04\x00\x02\x00", 0, NULL,
	    PROXY_EXTENSION),
	ROW("far too long", V2("\x21", "\x11", "\x00\x10") ENDS_4 "\x04\xff\xff\x00", 0, NULL,
	    PROXY_EXTENSION),
	ROW("checksum", V2("\x21", "\x11", "\x00\x13") ENDS_4 "\x03\x00\x04\x3c\x7a\x50\x47", 0,
	    TEXT_4, 0),
	ROW("another checksum",
	    V2("\x21", "\x11", "\x00\x13") ENDS_4 "\x03\x00\x04\x3c\x7a\x50\x48", 0, NULL,
	    PROXY_CHECKSUM),
	ROW("three bytes of it", V2("\x21", "\x11", "\x00\x12") ENDS_4 "\x03\x00\x03\0\0\0", 0,
	    NULL, PROXY_EXTENSION),
	ROW("two checksums",
	    V2("\x21", "\x11", "\x00\x1a") ENDS_4 "\x03\x00\x04\0\0\0\0\x03\x00\x04\0\0\0\0", 0,
	    NULL, PROXY_EXTENSION),
};

/* In a block of its own size, for the sanitizers. */
static ssize_t
parse(struct str in, struct proxy_header *h)
{
	char *exact = malloc(in.n ? in.n : 1);
	ssize_t eaten;

	assert_non_null(exact);
	if (in.n)
		memcpy(exact, in.p, in.n);
	eaten = proxy_header_parse((struct str){ exact, in.n }, h);
	free(exact);
	return eaten;
}

static void
is_read_or_refused(void **state)
{
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct proxy_header h;
		ssize_t got = parse(r->bytes, &h);

		if (!r->want) {
			if (got != -(ssize_t)r->fault)
				fail_msg("%s: got %zd, want %s", r->what, got,
				    proxy_fault_name(r->fault));
			continue;
		}
		header_show(&h, text, sizeof(text));
		if (got != (ssize_t)(r->bytes.n - r->more) || strcmp(text, r->want) != 0)
			fail_msg("%s: got %zd, %s", r->what, got, text);
	}
}

static void
pieces_change_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct proxy_header h;
		ssize_t whole = parse(r->bytes, &h), part;

		for (size_t n = 0; n < r->bytes.n; n++) {
			part = parse((struct str){ r->bytes.p, n }, &h);
			if (part != 0 && part != whole)
				fail_msg(
				    "%s, %zu bytes: got %zd, want %zd", r->what, n, part, whole);
			if (part == 0 && whole > 0 && (ssize_t)n >= whole)
				fail_msg("%s, %zu bytes: enough", r->what, n);
		}
	}
}

static void
unix_sockets_have_no_address(void **state)
{
	char bytes[16 + 216] = V2("\x21", "\x31", "\x00\xd8") "/run/client";
	struct proxy_header h;

	(void)state;
	assert_int_equal(parse((struct str){ bytes, sizeof(bytes) }, &h), sizeof(bytes));
	assert_int_equal(h.kind, PROXY_UNIX);
	assert_int_equal(proxy_header_format(&h, 2, NULL, (char[PROXY_FORMAT_MAX]){ 0 }), 16);
}

static struct proxy_header
header_of(const char *line)
{
	struct proxy_header h;

	assert_true(parse(str_of(line), &h) > 0);
	return h;
}

static const struct write_row {
	const char *from;
	unsigned version;
	struct str want;
} write_rows[] = {
	{ "PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n", 1,
	    STR("PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n") },
	{ "PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n", 2,
	    STR(V2("\x21", "\x11", "\x00\x0c") ENDS_4) },
	{ "PROXY TCP6 2001:db8::1 2001:db8::2 12345 443\r\n", 1,
	    STR("PROXY TCP6 2001:db8::1 2001:db8::2 12345 443\r\n") },
	{ "PROXY TCP6 2001:db8::1 2001:db8::2 12345 443\r\n", 2,
	    STR(V2("\x21", "\x21", "\x00\x24") ENDS_6) },
	/* one of each family: both become IPv6 */
	{ "PROXY TCP6 2001:db8::1 ::ffff:198.51.100.7 12345 443\r\n", 1,
	    STR("PROXY TCP6 2001:db8::1 ::ffff:198.51.100.7 12345 443\r\n") },
	{ "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 12345 443\r\n", 1,
	    STR("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 12345 443\r\n") },
	/* both IPv4, though a socket for both families says otherwise */
	{ "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.7 12345 443\r\n", 1,
	    STR("PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n") },
	{ "PROXY UNKNOWN\r\n", 1, STR("PROXY UNKNOWN\r\n") },
	{ "PROXY UNKNOWN\r\n", 2, STR(V2("\x20", "\x00", "\x00\x00")) },
};

static void
is_written(void **state)
{
	char room[PROXY_FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(write_rows) / sizeof(write_rows[0]); i++) {
		const struct write_row *r = &write_rows[i];
		struct proxy_header h = header_of(r->from);
		size_t n = proxy_header_format(&h, r->version, NULL, room);

		if (!str_eq((struct str){ room, n }, r->want))
			fail_msg("row %zu: %zu bytes instead of %zu", i, n, r->want.n);
	}
}

static void
tells_of_tls(void **state)
{
	static const struct str want =
	    STR(V2("\x21", "\x11", "\x00\x36") ENDS_4 "\x01\x00\x02h2"
						      "\x02\x00\x08shop.org"
						      "\x20\x00\x17\x07\0\0\0\0"
						      "\x21\x00\x07TLSv1.3"
						      "\x22\x00\x05"
						      "alice");
	struct proxy_tls tls = {
		.version = STR("TLSv1.3"),
		.alpn = STR("h2"),
		.authority = STR("shop.org"),
		.common_name = STR("alice"),
		.certificate = true,
	};
	struct proxy_header h = header_of("PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n"), again;
	char room[PROXY_FORMAT_MAX];
	size_t n = proxy_header_format(&h, 2, &tls, room);

	(void)state;
	assert_int_equal(n, want.n);
	assert_memory_equal(room, want.p, n);
	assert_int_equal(parse((struct str){ room, n }, &again), n);
	tls.resumed = true;
	n = proxy_header_format(&h, 2, &tls, room);
	assert_int_equal(room[16 + 12 + 5 + 11 + 3], 5); /* shown before, not on this connection */
	tls = (struct proxy_tls){ .version = STR("TLSv1.2") };
	n = proxy_header_format(&h, 2, &tls, room);
	assert_int_equal(n, 16 + 12 + 3 + 5 + 3 + 7);
	assert_memory_equal(room + 28, "\x20\x00\x0f\x01\x00\x00\x00\x01", 8);
}

static void
long_names_are_not_told(void **state)
{
	char name[PROXY_NAME_MAX + 1], room[PROXY_FORMAT_MAX];
	struct proxy_header h = header_of("PROXY TCP6 2001:db8::1 2001:db8::2 12345 443\r\n"),
			    again;
	struct proxy_tls tls = { .version = STR("TLSv1.3"), .certificate = true };
	size_t without, n;

	(void)state;
	memset(name, 'a', sizeof(name));
	without = proxy_header_format(&h, 2, &tls, room);
	tls.authority = tls.common_name = (struct str){ name, sizeof(name) };
	assert_int_equal(proxy_header_format(&h, 2, &tls, room), without);
	tls.alpn = tls.authority = tls.common_name = (struct str){ name, PROXY_NAME_MAX };
	n = proxy_header_format(&h, 2, &tls, room);
	assert_int_equal(n, without + 3 * (3 + PROXY_NAME_MAX));
	assert_int_equal(parse((struct str){ room, n }, &again), n);
	assert_memory_equal(&again.source, &h.source, sizeof(h.source));
}

static void
faults_have_names(void **state)
{
	(void)state;
	for (unsigned f = 0; f < PROXY_FAULTS; f++)
		assert_non_null(proxy_fault_name((enum proxy_fault)f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_read_or_refused),
		cmocka_unit_test(pieces_change_nothing),
		cmocka_unit_test(unix_sockets_have_no_address),
		cmocka_unit_test(is_written),
		cmocka_unit_test(tells_of_tls),
		cmocka_unit_test(long_names_are_not_told),
		cmocka_unit_test(faults_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
