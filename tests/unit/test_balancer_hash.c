/*
 * test_balancer_hash.c - what stickiness hangs on: hash, weighted choice and Maglev table.
 *
 * The pinned numbers are an interface: a change that moves them moves every client of every
 * installation at its next upgrade.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/str.h"
#include "lbd/balance/choice.h"
#include "lbd/balance/hash.h"
#include "lbd/balance/maglev.h"

/*
 * The first three and the seventh are published for XXH64, the others come from a second
 * implementation.
 */
static void
test_hash_vectors(void **state)
{
	static const struct {
		struct str in;
		uint64_t hash;
	} rows[] = {
		{ { "", 0 }, UINT64_C(0xef46db3751d8e999) },
		{ { "a", 1 }, UINT64_C(0xd24ec4f1a98c6e5b) },
		{ { "abc", 3 }, UINT64_C(0x44bc2cf5ad770999) },
		{ { "192.0.2.1", 9 }, UINT64_C(0xb745e3600a221c61) },
		{ { "2001:db8::1", 11 }, UINT64_C(0x26c33ef1c67e1031) },
		{ { "0123456789abcdef0123456789abcdef", 32 }, UINT64_C(0x642a94958e71e6c5) },
		{ { "Nobody inspects the spammish repetition", 39 }, UINT64_C(0xfbcea83c8a378bf1) },
		{ { "The quick brown fox jumps over the lazy dog, twice and thrice.", 62 },
		    UINT64_C(0x19b355d21816a613) },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(balance_hash(rows[i].in.p, rows[i].in.n), rows[i].hash);
}

/*
 * Reads no further than it is told: each length from a block of exactly that size, at any
 * alignment.
 */
static void
test_hash_of_exact_blocks(void **state)
{
	char text[104], *block;
	size_t n, shift;
	uint64_t hash;

	(void)state;
	for (n = 0; n < sizeof(text); n++)
		text[n] = (char)(n * 7);
	for (n = 0; n <= 96; n++) {
		hash = balance_hash(text, n);
		for (shift = 0; shift < 8; shift++) {
			block = malloc(n + shift);
			assert_true(block || n + shift == 0);
			if (n)
				memcpy(block + shift, text, n);
			assert_int_equal(balance_hash(block ? block + shift : text, n), hash);
			free(block);
		}
	}
}

/* Neighbouring addresses differ in about half of the bits. */
static void
test_hash_spreads_neighbours(void **state)
{
	uint8_t address[4] = { 10, 0, 0, 0 };
	uint64_t last, next;
	uint32_t i, bits = 0;

	(void)state;
	last = balance_hash(address, 4);
	for (i = 1; i < 256; i++) {
		address[3] = (uint8_t)i;
		next = balance_hash(address, 4);
		bits += (uint32_t)__builtin_popcountll(last ^ next);
		last = next;
	}
	assert_in_range(bits, 255 * 31, 255 * 33);
}

static void
test_mix_vectors(void **state)
{
	uint64_t random = UINT64_C(1234567);

	(void)state;
	/* the published sequence of SplitMix64 from that seed */
	assert_int_equal(hash_next(&random), UINT64_C(6457827717110365317));
	assert_int_equal(hash_next(&random), UINT64_C(3203168211198807973));
	assert_int_equal(hash_next(&random), UINT64_C(9817491932198370423));
	assert_int_equal(hash_mix(0), 0);
	assert_int_equal(hash_scale(UINT64_MAX, 10), 9);
	assert_int_equal(hash_scale(UINT64_C(1) << 63, 10), 5);
}

/* Evenly spaced numbers over the whole range: each member gets its weight's share of them. */
static void
test_choice_shares(void **state)
{
	static const struct {
		uint32_t n, weights[8];
	} rows[] = {
		{ 1, { 3 } },
		{ 2, { 1, 1 } },
		{ 3, { 5, 3, 2 } },
		{ 4, { 0, 256, 0, 1 } },
		{ 8, { 1, 2, 3, 4, 5, 6, 7, 8 } },
		{ 8, { 256, 0, 0, 0, 0, 0, 0, 1 } },
		{ 8, { 0, 0, 0, 9, 0, 0, 0, 0 } },
	};
	enum { NUMBERS = 100000 };
	uint32_t counts[8], k, m;
	struct choice c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(choice_init(&c, rows[i].n), 0);
		choice_build(&c, (uint32_t[8]){ 1, 1, 1, 1, 1, 1, 1, 1 });
		choice_build(&c, rows[i].weights); /* building anew leaves nothing behind */
		memset(counts, 0, sizeof(counts));
		for (k = 0; k < NUMBERS; k++)
			counts[choice_pick(&c, UINT64_MAX / NUMBERS * k)]++;
		for (m = 0; m < rows[i].n; m++) {
			if (rows[i].weights[m] == 0)
				assert_int_equal(counts[m], 0);
			/* each of the columns' edges may be off by one number */
			assert_in_range(counts[m] + 9, NUMBERS * rows[i].weights[m] / c.total,
			    NUMBERS * rows[i].weights[m] / c.total + 18);
		}
		choice_fini(&c);
	}
}

/* ip_hash with equal weights is the plain thing. */
static void
test_choice_of_equals(void **state)
{
	static const uint32_t weights[5] = { 7, 7, 7, 7, 7 };
	struct choice c;
	uint32_t k;

	(void)state;
	assert_int_equal(choice_init(&c, 5), 0);
	choice_build(&c, weights);
	for (k = 0; k < 1000; k++)
		assert_int_equal(choice_pick(&c, hash_mix(k + 1)), hash_scale(hash_mix(k + 1), 5));
	assert_int_equal(choice_pick(&c, 0), 0);
	assert_int_equal(choice_pick(&c, UINT64_MAX), 4);
	choice_fini(&c);
}

static void
maglev_make(struct maglev *m, uint32_t n, const uint32_t *weights)
{
	char name[32];
	uint32_t i;

	assert_int_equal(maglev_init(m, n), 0);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "10.0.0.%u:80", i);
		maglev_name(m, i, str_of(name));
	}
	maglev_build(m, weights);
}

static void
maglev_count(const struct maglev *m, uint32_t *counts)
{
	uint32_t i;

	memset(counts, 0, m->n * sizeof(*counts));
	for (i = 0; i < MAGLEV_SIZE; i++) {
		assert_true(m->table[i] < m->n);
		counts[m->table[i]]++;
	}
}

static void
test_maglev_shares(void **state)
{
	static const struct {
		uint32_t n, weights[8];
	} rows[] = {
		{ 1, { 1 } },
		{ 3, { 1, 1, 1 } },
		{ 3, { 5, 3, 2 } },
		{ 4, { 0, 256, 0, 1 } },
		{ 1000, { 1, 1, 1, 1, 1, 1, 1, 1 } },
		{ 1000, { 256, 1, 256, 256, 256, 256, 256, 256 } },
	};
	uint32_t weights[1000], counts[1000], i, total;
	double share;
	struct maglev m;
	size_t k;

	(void)state;
	for (k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
		for (total = 0, i = 0; i < rows[k].n; i++)
			total += weights[i] = rows[k].weights[i % 8];
		maglev_make(&m, rows[k].n, weights);
		maglev_count(&m, counts);
		for (i = 0; i < rows[k].n; i++) {
			share = (double)MAGLEV_SIZE * weights[i] / total;
			assert_true(counts[i] >= share - 2 && counts[i] <= share + 2);
			assert_int_equal(counts[i] > 0, weights[i] > 0);
		}
		maglev_fini(&m);
	}
}

static void
test_maglev_pinned(void **state)
{
	static const uint32_t weights[5] = { 1, 2, 0, 3, 1 };
	static const uint16_t pinned[12] = { 1, 1, 4, 3, 3, 1, 1, 1, 3, 3, 1, 1 };
	struct maglev m;
	uint32_t i;

	(void)state;
	maglev_make(&m, 5, weights);
	for (i = 0; i < 12; i++)
		assert_int_equal(maglev_pick(&m, hash_mix(i + 1)), pinned[i]);
	maglev_fini(&m);
}

/* Built again with other weights and back: the table is a function of names and weights alone. */
static void
test_maglev_remembers_nothing(void **state)
{
	static const uint32_t one[3] = { 1, 2, 3 }, other[3] = { 9, 0, 1 };
	static uint16_t first[MAGLEV_SIZE];
	struct maglev m;

	(void)state;
	maglev_make(&m, 3, one);
	memcpy(first, m.table, sizeof(first));
	maglev_build(&m, other);
	assert_memory_not_equal(first, m.table, sizeof(first));
	maglev_build(&m, one);
	assert_memory_equal(first, m.table, sizeof(first));
	maglev_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_vectors),
		cmocka_unit_test(test_hash_of_exact_blocks),
		cmocka_unit_test(test_hash_spreads_neighbours),
		cmocka_unit_test(test_mix_vectors),
		cmocka_unit_test(test_choice_shares),
		cmocka_unit_test(test_choice_of_equals),
		cmocka_unit_test(test_maglev_shares),
		cmocka_unit_test(test_maglev_pinned),
		cmocka_unit_test(test_maglev_remembers_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
