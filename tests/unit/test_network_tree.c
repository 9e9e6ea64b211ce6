/* test_network_tree.c - the longest prefix, as documented and as a search of all of them would say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lbd/balance/hash.h"
#include "lbd/limit/network_tree.h"

static int
add(struct network_tree *t, struct arena *a, const char *text, int value)
{
	struct network n;
	struct err err;

	assert_int_equal(network_parse(&n, str_of(text), &err), 0);
	return network_tree_add(t, a, &n, value);
}

static int
find(const struct network_tree *t, const char *text)
{
	struct address a;
	uint8_t ip[16];

	assert_true(address_parse_host(&a, str_of(text)));
	assert_true(address_ip(&a, ip));
	return network_tree_find(t, ip);
}

static void
test_the_longest_wins(void **state)
{
	static const struct {
		const char *text;
		int value;
	} networks[] = {
		{ "10.1.2.0/24", 3 },
		{ "10.0.0.0/8", 1 },
		{ "10.1.0.0/16", 2 },
		{ "10.1.2.3", 4 },
		{ "::/0", 5 },
		{ "2001:db8::/32", 6 },
		{ "2001:db8:0:1::/64", 7 },
		{ "2001:db8::1", 8 },
		{ "192.0.2.128/25", 9 },
	}, addresses[] = {
		{ "10.255.0.1", 1 },
		{ "10.1.255.1", 2 },
		{ "10.1.2.4", 3 },
		{ "10.1.2.3", 4 },
		{ "10.1.2.2", 3 },
		{ "11.0.0.0", 0 },
		{ "9.255.255.255", 0 },
		{ "192.0.2.127", 0 },
		{ "192.0.2.128", 9 },
		{ "192.0.2.255", 9 },
		{ "0.0.0.0", 0 }, /* ::/0 is all of IPv6 and no more */
		{ "::", 5 },
		{ "ffff::", 5 },
		{ "2001:db8::", 6 },
		{ "2001:db8::1", 8 },
		{ "2001:db8::2", 6 },
		{ "2001:db8:0:1::1", 7 },
		{ "2001:db8:0:2::1", 6 },
		{ "::ffff:10.1.2.3", 4 },
	};
	struct arena *a = arena_new();
	struct network_tree *t = network_tree_new(a);

	(void)state;
	assert_int_equal(find(t, "10.0.0.1"), 0);
	for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++)
		assert_int_equal(add(t, a, networks[i].text, networks[i].value), 0);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++)
		if (find(t, addresses[i].text) != addresses[i].value)
			fail_msg("%s: %d, expected %d", addresses[i].text,
			    find(t, addresses[i].text), addresses[i].value);
	assert_int_equal(add(t, a, "10.0.0.0/8", 1), 0); /* again */
	assert_int_equal(add(t, a, "10.0.0.0/8", 2), -EEXIST);
	assert_int_equal(find(t, "10.255.0.1"), 1);
	arena_free(&a);
}

enum { MANY = 20000, SEARCHES = 2000 };

/* Of few different bits, so that they lie within each other. */
static struct network
random_network(uint64_t *random)
{
	uint64_t r = hash_next(random);
	struct network n = { .bytes = { [10] = 0xff, 0xff } };

	if (r & 1)
		n.bytes[10] = 0x20;
	for (int i = n.bytes[10] == 0xff ? 12 : 0; i < 16; i++)
		n.bytes[i] = (uint8_t)(hash_next(random) & (i % 2 ? 0x81 : 0x03));
	n.prefix = (uint8_t)(n.bytes[10] == 0xff ? 97 + (r >> 8) % 32 : 1 + (r >> 8) % 128);
	network_mask(n.bytes, n.prefix);
	return n;
}

static int
slow_find(const struct network *list, const int *values, const struct address *a)
{
	int best = -1;

	for (int i = 0; i < MANY; i++)
		if (values[i] && network_holds(&list[i], a) &&
		    (best < 0 || list[i].prefix > list[best].prefix))
			best = i;
	return best < 0 ? 0 : values[best];
}

static void
test_as_a_search_of_all(void **state)
{
	struct network *list = calloc(MANY, sizeof(*list));
	int *values = calloc(MANY, sizeof(*values));
	struct arena *a = arena_new();
	struct network_tree *t = network_tree_new(a);
	uint64_t random = 7;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		list[i] = random_network(&random);
		if (network_tree_add(t, a, &list[i], i + 1) == 0)
			values[i] = i + 1;
	}
	for (int i = 0; i < SEARCHES; i++) {
		struct network n = random_network(&random);
		struct address address = { .in6.sin6_family = AF_INET6 };

		memcpy(&address.in6.sin6_addr, n.bytes, 16);
		assert_int_equal(network_tree_find(t, n.bytes), slow_find(list, values, &address));
	}
	arena_free(&a);
	free(list);
	free(values);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_longest_wins),
		cmocka_unit_test(test_as_a_search_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
