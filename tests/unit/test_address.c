/* test_address.c - addresses and networks: what is read, what is refused, what comes out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "common/address.h"

/* An exact-size block, so that a read beyond the text is caught by ASan. */
static int
parse(struct address *a, const char *text, struct err *err)
{
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);
	int rc;

	memcpy(copy, text, n);
	rc = address_parse(a, (struct str){ copy, n }, err);
	free(copy);
	return rc;
}

static struct address
address(const char *text)
{
	struct address a;
	struct err err;

	assert_int_equal(parse(&a, text, &err), 0);
	return a;
}

static void
test_read_and_written(void **state)
{
	static const struct {
		const char *text, *out, *host;
		int family;
	} rows[] = {
		{ "192.0.2.1:80", "192.0.2.1:80", "192.0.2.1", AF_INET },
		{ "0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", AF_INET },
		{ "255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255", AF_INET },
		{ "[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", "2001:db8::1", AF_INET6 },
		{ "[::]:8080", "[::]:8080", "::", AF_INET6 },
		{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80", "192.0.2.1", AF_INET },
		{ "unix:/run/a.sock", "unix:/run/a.sock", "unix", AF_UNIX },
		{ "unix:/a b", "unix:/a b", "unix", AF_UNIX },
	};
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a = address(rows[i].text);

		assert_int_equal(a.sa.sa_family, rows[i].family);
		assert_int_equal(address_format(&a, text), strlen(rows[i].out));
		assert_string_equal(text, rows[i].out);
		assert_int_equal(address_format_host(&a, text), strlen(rows[i].host));
		assert_string_equal(text, rows[i].host);
	}
}

static void
test_refused(void **state)
{
	static const char *const rows[] = { "", ":", "80", "a", "192.0.2.1", "192.0.2.1:", ":80",
		"192.0.2.1:+80", "192.0.2.1:80 ", " 192.0.2.1:80", "192.0.2.1:65536",
		"192.0.2.1:999999999999", "192.0.2.1:0x50", "192.0.2:80", "192.0.2.256:80",
		"0300.0.2.1:80", "host:80", "*:80", "[", "[]", "[]:80", "[:80", "[::1]", "[::1]80",
		"[::1:80", "::1:80", "[::1%lo]:80", "[192.0.2.1]:80", "unix:", "unix:a", "unix",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000]:1" };
	struct address a;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err = (struct err){ 0 };
		if (parse(&a, rows[i], &err) != -EINVAL)
			fail_msg("\"%s\" was accepted", rows[i]);
		assert_int_equal(err.code, -EINVAL);
		assert_true(err.text[0] != 0);
	}
}

static void
test_nul_is_refused(void **state)
{
	struct address a;
	struct err err;

	(void)state;
	assert_int_equal(address_parse(&a, STR("unix:/a\0b"), &err), -EINVAL);
	assert_int_equal(address_parse(&a, STR("192.0.2.1\0:80"), &err), -EINVAL);
	assert_int_equal(address_parse(&a, STR("192.0.2.1:80\0"), &err), -EINVAL);
}

static void
test_hosts(void **state)
{
	static const struct {
		const char *text, *host; /* NULL: refused */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "2001:DB8::1", "2001:db8::1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "", NULL },
		{ "*", NULL },
		{ "192.0.2.1:80", NULL },
		{ "[2001:db8::1]", NULL },
		{ "192.0.2.1/24", NULL },
		{ "fe80::1%eth0", NULL },
		{ "unix:/x", NULL },
		{ "example.com", NULL },
	};
	char text[ADDRESS_TEXT_MAX];
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    address_parse_host(&a, str_of(rows[i].text)), rows[i].host != NULL);
		if (!rows[i].host)
			continue;
		address_format_host(&a, text);
		assert_string_equal(text, rows[i].host);
	}
}

static void
test_longest_unix_path(void **state)
{
	size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);
	char text[ADDRESS_TEXT_MAX + 8] = "unix:/", out[ADDRESS_TEXT_MAX];
	struct address a;
	struct err err;

	(void)state;
	memset(text + 6, 'x', room - 2);
	assert_int_equal(parse(&a, text, &err), 0);
	assert_int_equal(address_format(&a, out), strlen(text));
	assert_string_equal(out, text);
	text[5 + room - 1] = 'x';
	assert_int_equal(parse(&a, text, &err), -EINVAL);
}

/* What accept() gives for a client of a unix socket: a family and nothing else. */
static void
test_unnamed_unix_client(void **state)
{
	struct address a = { .un.sun_family = AF_UNIX, .len = sizeof(sa_family_t) };
	struct network all;
	char text[ADDRESS_TEXT_MAX];
	struct err err;

	(void)state;
	memset(a.un.sun_path, 'x', sizeof(a.un.sun_path));
	address_format(&a, text);
	assert_string_equal(text, "unix:");
	address_format_host(&a, text);
	assert_string_equal(text, "unix");
	assert_int_equal(network_parse(&all, STR("::/0"), &err), 0);
	assert_false(network_holds(&all, &a));
}

static void
test_equal(void **state)
{
	static const char *const rows[] = { "192.0.2.1:80", "192.0.2.1:81", "192.0.2.2:80",
		"[2001:db8::1]:80", "[2001:db8::1]:81", "[2001:db8::2]:80", "unix:/a", "unix:/b",
		"unix:/ab" };
	size_t n = sizeof(rows) / sizeof(rows[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			struct address a = address(rows[i]), b = address(rows[j]);

			assert_int_equal(address_equal(&a, &b), i == j);
		}
	}
}

static void
test_scopes_differ(void **state)
{
	struct address a = address("[fe80::1]:80"), b = a;

	(void)state;
	assert_true(address_equal(&a, &b));
	b.in6.sin6_scope_id = 2;
	assert_false(address_equal(&a, &b));
}

static void
test_nothing_is_equal_to_no_address(void **state)
{
	struct address a = { .len = 0 }, b = { .len = 0 };

	(void)state;
	assert_false(address_equal(&a, &b));
}

static void
test_networks(void **state)
{
	static const struct {
		const char *network, *out, *address;
		bool holds;
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0/8", "10.255.255.255:1", true },
		{ "10.0.0.0/8", "10.0.0.0/8", "11.0.0.0:1", false },
		{ "10.0.0.0/8", "10.0.0.0/8", "9.255.255.255:1", false },
		{ "192.0.2.128/25", "192.0.2.128/25", "192.0.2.128:1", true },
		{ "192.0.2.128/25", "192.0.2.128/25", "192.0.2.127:1", false },
		{ "192.0.2.1", "192.0.2.1/32", "192.0.2.1:1", true },
		{ "192.0.2.1", "192.0.2.1/32", "192.0.2.0:1", false },
		{ "0.0.0.0/0", "0.0.0.0/0", "203.0.113.9:1", true },
		{ "0.0.0.0/0", "0.0.0.0/0", "[2001:db8::1]:1", false },
		{ "2001:db8::/32", "2001:db8::/32", "[2001:db8:ffff::1]:1", true },
		{ "2001:db8::/32", "2001:db8::/32", "[2001:db9::]:1", false },
		{ "2001:db8::/33", "2001:db8::/33", "[2001:db8:8000::]:1", false },
		{ "::1", "::1/128", "[::1]:1", true },
		{ "::1", "::1/128", "[::2]:1", false },
		{ "::/0", "::/0", "[2001:db8::1]:1", true },
		{ "::/0", "::/0", "192.0.2.1:1", false },
		{ "::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.2.3:1", true },
		{ "0.0.0.0/0", "0.0.0.0/0", "unix:/a", false },
	};
	char text[ADDRESS_TEXT_MAX];
	struct network n;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a = address(rows[i].address);

		assert_int_equal(network_parse(&n, str_of(rows[i].network), &err), 0);
		assert_int_equal(network_format(&n, text), strlen(rows[i].out));
		assert_string_equal(text, rows[i].out);
		if (network_holds(&n, &a) != rows[i].holds)
			fail_msg("%s and %s", rows[i].network, rows[i].address);
	}
}

/* The peer of a dual-stack socket is the IPv4 client that it stands for. */
static void
test_mapped_peer(void **state)
{
	struct address a = { .len = sizeof(struct sockaddr_in6) };
	char text[ADDRESS_TEXT_MAX];
	struct network n;
	struct err err;

	(void)state;
	a.in6.sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.1.2.3", &a.in6.sin6_addr), 1);
	assert_int_equal(network_parse(&n, STR("10.0.0.0/8"), &err), 0);
	assert_true(network_holds(&n, &a));
	assert_int_equal(network_parse(&n, STR("::/0"), &err), 0);
	assert_false(network_holds(&n, &a));
	address_format_host(&a, text);
	assert_string_equal(text, "10.1.2.3");
}

static void
test_networks_refused(void **state)
{
	static const char *const rows[] = { "", "/", "/8", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/ 8", "10.0.0.0/0008", "10.0.0.1/8", "10/8",
		"example.com", "::/129", "::1/64", "[::1]", "10.0.0.0:80", "unix" };
	struct network n;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (network_parse(&n, str_of(rows[i]), &err) != -EINVAL)
			fail_msg("\"%s\" was accepted", rows[i]);
	network_parse(&n, STR("10.9.8.7/8"), &err);
	assert_non_null(strstr(err.text, "10.0.0.0/8"));
}

/* Every prefix length against a model that compares bit by bit. */
static void
test_networks_bit_by_bit(void **state)
{
	struct address base = address("[a5a5:5a5a:ffff:0:1234:5678:9abc:def0]:1"), a;
	struct network n;

	(void)state;
	for (unsigned prefix = 0; prefix <= 128; prefix++) {
		n = (struct network){ .prefix = (uint8_t)prefix };
		for (unsigned bit = 0; bit < prefix; bit++)
			n.bytes[bit / 8] |=
			    base.in6.sin6_addr.s6_addr[bit / 8] & (uint8_t)(0x80 >> bit % 8);
		for (unsigned bit = 0; bit < 128; bit++) {
			a = base;
			a.in6.sin6_addr.s6_addr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			assert_int_equal(network_holds(&n, &a), bit >= prefix);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_and_written),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nul_is_refused),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_longest_unix_path),
		cmocka_unit_test(test_unnamed_unix_client),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_scopes_differ),
		cmocka_unit_test(test_nothing_is_equal_to_no_address),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_mapped_peer),
		cmocka_unit_test(test_networks_refused),
		cmocka_unit_test(test_networks_bit_by_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
