/* test_vip_rule.c - what is done with virtual addresses, and when, from facts alone. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "hafailover/vip/announce.h"
#include "hafailover/vip/vip_rule.h"

static struct address
ip(const char *text)
{
	struct address a = { 0 };

	if (strchr(text, ':')) {
		a.in6.sin6_family = AF_INET6;
		a.len = sizeof(a.in6);
		assert_int_equal(inet_pton(AF_INET6, text, &a.in6.sin6_addr), 1);
		return a;
	}
	a.in.sin_family = AF_INET;
	a.len = sizeof(a.in);
	assert_int_equal(inet_pton(AF_INET, text, &a.in.sin_addr), 1);
	return a;
}

static void
test_prefix(void **state)
{
	struct vip_config v4 = { .address = ip("192.0.2.100") };
	struct vip_config v6 = { .address = ip("2001:db8::64") };

	(void)state;
	assert_int_equal(vip_rule_prefix(&v4), 32);
	assert_int_equal(vip_rule_prefix(&v6), 128);
	v4.prefix = 24;
	assert_int_equal(vip_rule_prefix(&v4), 24);
}

static void
test_renewal(void **state)
{
	(void)state;
	assert_int_equal(vip_rule_renewal_ns(1) / NS_PER_MS, 333);
	assert_int_equal(vip_rule_renewal_ns(30), 10 * NS_PER_S);
	assert_int_equal(vip_rule_renewal_ns(VIP_LEASE_OFF), NS_PER_S);
}

/* Deleted so long after the renewal: by time, or by somebody? */
static void
test_lapsed(void **state)
{
	static const struct {
		uint32_t lease_s;
		int64_t after_ms;
		bool lapsed;
	} rows[] = {
		{ 1, 0, false },
		{ 1, 333, false },
		{ 1, 949, false },
		{ 1, 950, true },
		{ 1, 1000, true },
		{ 1, 9000, true },
		{ 3, 1000, false },
		{ 3, 2960, true },
		{ VIP_LEASE_OFF, 0, false },
		{ VIP_LEASE_OFF, 100000000, false },
	};
	int64_t renewed = 77 * NS_PER_S;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(vip_rule_lapsed(rows[i].lease_s, renewed,
				     renewed + rows[i].after_ms * NS_PER_MS),
		    rows[i].lapsed);
}

static void
test_is(void **state)
{
	static const struct {
		const char *address;
		uint8_t prefix;
		int link;
		bool is;
	} rows[] = {
		{ "192.0.2.100", 32, 4, true },
		{ "192.0.2.100", 32, 5, false },
		{ "192.0.2.100", 24, 4, false },
		{ "192.0.2.101", 32, 4, false },
		{ "::c000:264", 32, 4, false },
	};
	struct vip_config v = { .address = ip("192.0.2.100") };
	size_t i;

	(void)state;
	v.address.in.sin_port = htons(80);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct link_address a = { .address = ip(rows[i].address),
			.prefix = rows[i].prefix,
			.link = rows[i].link };

		assert_int_equal(vip_rule_is(&a, &v, 4), rows[i].is);
		assert_int_equal(vip_rule_is(&a, &v, 0), rows[i].is || rows[i].link == 5);
	}
}

static void
test_ours(void **state)
{
	static const struct {
		const char *address;
		uint8_t mark;
		bool lease, marks, ours;
	} rows[] = {
		{ "192.0.2.100", VIP_MARK, true, true, true },
		{ "192.0.2.7", VIP_MARK, false, true, true }, /* of an earlier configuration */
		{ "192.0.2.100", 0, true, true, false }, /* of a DHCP client, then */
		{ "192.0.2.100", 3, true, true, false },
		{ "192.0.2.100", 0, true, false, true }, /* an old kernel */
		{ "192.0.2.100", 0, false, false, false },
		{ "192.0.2.7", 0, true, false, false },
	};
	struct vip_config known[] = { { .address = ip("2001:db8::1") },
		{ .address = ip("192.0.2.100") } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct link_address a = { .address = ip(rows[i].address), .prefix = 32, .link = 9 };

		a.mark = rows[i].mark;
		a.ends_ns = rows[i].lease ? 5 : INT64_MAX;
		assert_int_equal(vip_rule_ours(&a, rows[i].marks, known, 2), rows[i].ours);
	}
}

/* A fight for an address is not fought faster than so often a second. */
static void
test_restore(void **state)
{
	struct vip_restores r = { 0 };
	int64_t now = 5 * NS_PER_S;
	unsigned i, second, n;

	(void)state;
	for (second = 0; second < 3; second++) {
		for (i = n = 0; i < 1000; i++)
			n += vip_rule_restore(&r, now + i * NS_PER_MS);
		assert_int_equal(n, VIP_RULE_RESTORES);
		now += NS_PER_S;
	}
}

static void
test_announcements_due(void **state)
{
	static const int64_t ms[] = { 0, 10, 50, 200, 1000, 5000, 35000, 65000, 95000 };
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(ms) / sizeof(*ms); i++)
		assert_int_equal(announce_due_ns(i), ms[i] * NS_PER_MS);
}

static void
test_subnet(void **state)
{
	static const struct {
		const char *subnet;
		uint8_t prefix;
		const char *address;
		bool holds;
	} rows[] = {
		{ "192.0.2.11", 24, "192.0.2.100", true },
		{ "192.0.2.11", 24, "192.0.3.100", false },
		{ "192.0.2.11", 25, "192.0.2.127", true },
		{ "192.0.2.11", 25, "192.0.2.128", false },
		{ "192.0.2.11", 31, "192.0.2.10", true },
		{ "192.0.2.11", 32, "192.0.2.11", false }, /* a host address is no subnet */
		{ "192.0.2.11", 0, "10.9.8.7", true },
		{ "2001:db8::1", 64, "2001:db8::ffff:1", true },
		{ "2001:db8::1", 64, "2001:db8:0:1::1", false },
		{ "2001:db8::1", 127, "2001:db8::", true },
		{ "2001:db8::1", 128, "2001:db8::1", false },
		{ "2001:db8::1", 32, "192.0.2.1", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct link_address s = { .address = ip(rows[i].subnet), .prefix = rows[i].prefix };
		struct address a = ip(rows[i].address);

		assert_int_equal(link_subnet_holds(&s, &a), rows[i].holds);
	}
}

/* A lower bound of what the kernel means, whatever its seconds are rounded to. */
static void
test_lease_end(void **state)
{
	static const struct {
		uint32_t valid_s, renewed_cs;
		int64_t now_ms, end_ms;
	} rows[] = {
		{ 1, 1000, 10000, 11000 },
		{ 1, 1000, 10900, 11000 }, /* of a lease of 1 s, exact */
		{ 1, 1000, 11200, 11200 }, /* at any moment */
		{ 3, 1000, 10000, 13000 },
		{ 1, 1000, 12500, 12500 }, /* of 3 s, in its last second */
		{ 60, 1000, 10000, 70000 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(link_lease_end_ns(rows[i].valid_s, rows[i].renewed_cs,
				     rows[i].now_ms * NS_PER_MS),
		    rows[i].end_ms * NS_PER_MS);
	assert_int_equal(link_lease_end_ns(UINT32_MAX, 5, 9), INT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_lapsed),
		cmocka_unit_test(test_is),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_announcements_due),
		cmocka_unit_test(test_subnet),
		cmocka_unit_test(test_lease_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
