/*
 * test_balancer_round.c - turns: exact in every round, smooth at every point, no burst for who
 * comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lbd/balance/hash.h"
#include "lbd/balance/round.h"

enum { MEMBERS_MAX = 1000 };

static const struct sample {
	uint32_t n;
	uint32_t weights[8]; /* repeated up to n */
	const char *turns; /* the first ones, a for member 0; NULL: not pinned */
} samples[] = {
	{ 1, { 1 }, "aaa" },
	{ 1, { 7 }, "aaaaaaaaa" },
	{ 3, { 1, 1, 1 }, "abcabcabc" },
	{ 3, { 4, 4, 4 }, "abcabcabc" },
	{ 3, { 5, 3, 2 }, "abacabab" },
	{ 3, { 10, 6, 4 }, "abacabab" },
	{ 3, { 5, 1, 1 },
	    "abaacaa"
	    "abaacaa" },
	{ 2, { 256, 1 }, "abaaaaaaaaaa" },
	{ 4, { 0, 3, 0, 1 },
	    "bdbb"
	    "bdbb" },
	{ 8, { 1, 2, 3, 4, 5, 6, 7, 8 }, NULL },
	{ 8, { 256, 255, 254, 253, 1, 2, 3, 0 }, NULL },
	{ 101, { 1, 1, 1, 1, 1, 1, 1, 100 }, NULL },
	{ 1000, { 1, 1, 1, 1, 1, 1, 1, 2 }, NULL },
	{ 1000, { 3, 200, 17, 99, 256, 1, 2, 64 }, NULL },
};

enum { SAMPLES = sizeof(samples) / sizeof(*samples) };

static uint32_t
sample_weights(const struct sample *s, uint32_t *weights)
{
	uint32_t i, total = 0;

	for (i = 0; i < s->n; i++)
		total += weights[i] = s->weights[i % 8] || s->n <= 8 ? s->weights[i % 8] : 1;
	return total;
}

static void
round_make(struct round *r, uint32_t n, const uint32_t *weights)
{
	assert_int_equal(round_init(r, n), 0);
	round_update(r, weights);
}

static void
test_turns_as_pinned(void **state)
{
	uint32_t weights[MEMBERS_MAX], i;
	char got[64];
	struct round r;
	size_t t;

	(void)state;
	for (i = 0; i < SAMPLES; i++) {
		if (!samples[i].turns)
			continue;
		sample_weights(&samples[i], weights);
		round_make(&r, samples[i].n, weights);
		for (t = 0; t < strlen(samples[i].turns); t++)
			got[t] = (char)('a' + round_next(&r));
		got[t] = '\0';
		assert_string_equal(got, samples[i].turns);
		round_fini(&r);
	}
}

/* After t turns a member of weight w has had w * t / W, give or take less than one. */
static void
test_exact_and_smooth(void **state)
{
	uint32_t weights[MEMBERS_MAX], taken[MEMBERS_MAX], i, m, t, total;
	int64_t lag;
	struct round r;

	(void)state;
	for (i = 0; i < SAMPLES; i++) {
		total = sample_weights(&samples[i], weights);
		round_make(&r, samples[i].n, weights);
		memset(taken, 0, sizeof(taken));
		for (t = 1; t <= 3 * total && t < 100000; t++) {
			m = round_next(&r);
			assert_true(weights[m] > 0);
			taken[m]++;
			lag = (int64_t)weights[m] * t - (int64_t)taken[m] * total;
			assert_true(lag > -(int64_t)total);
			if (t % total == 0)
				for (m = 0; m < samples[i].n; m++)
					assert_int_equal(taken[m], t / total * weights[m]);
			if (t % 97 && samples[i].n > 100)
				continue; /* looking at all each time takes long */
			for (m = 0; m < samples[i].n; m++) {
				lag = (int64_t)weights[m] * t - (int64_t)taken[m] * total;
				assert_true(lag < (int64_t)total);
			}
		}
		round_fini(&r);
	}
}

/* Wherever one looks: any W turns on end are exact too. */
static void
test_every_window_is_exact(void **state)
{
	uint32_t weights[MEMBERS_MAX] = { 5, 3, 2 }, taken[3] = { 0 }, t;
	uint8_t turns[200];
	struct round r;

	(void)state;
	round_make(&r, 3, weights);
	for (t = 0; t < sizeof(turns); t++) {
		turns[t] = (uint8_t)round_next(&r);
		taken[turns[t]]++;
		if (t >= 10)
			taken[turns[t - 10]]--;
		if (t >= 9)
			assert_true(taken[0] == 5 && taken[1] == 3 && taken[2] == 2);
	}
	round_fini(&r);
}

/*
 * One member away for a while: back again it gets its share from then on, and nothing to catch up.
 */
static void
test_no_burst_for_who_comes_back(void **state)
{
	uint32_t weights[MEMBERS_MAX], i, m, t, away, k, got, own, total;
	struct round r;

	(void)state;
	for (i = 0; i < SAMPLES; i++) {
		if (samples[i].n < 2 || samples[i].n > 101)
			continue;
		total = sample_weights(&samples[i], weights);
		m = samples[i].n - 1;
		own = weights[m];
		if (own == 0)
			continue;
		for (away = 1; away < 3 * total && away < 300; away += 7) {
			round_make(&r, samples[i].n, weights);
			for (t = 0; t < total / 3; t++)
				round_next(&r);
			weights[m] = 0;
			round_update(&r, weights);
			for (t = 0; t < away; t++)
				assert_int_not_equal(round_next(&r), m);
			weights[m] = own;
			round_update(&r, weights);
			for (got = 0, k = 1; k <= total; k++) {
				got += round_next(&r) == m;
				/* its share of k turns, and at most one ahead at each end */
				assert_true((uint64_t)got * total <
				    (uint64_t)own * k + 2 * (uint64_t)total);
			}
			assert_in_range(got + 1, own, own + 2);
			round_fini(&r);
		}
	}
}

static void
test_update_without_change_changes_nothing(void **state)
{
	uint32_t weights[MEMBERS_MAX], i, t;
	struct round a, b;

	(void)state;
	for (i = 0; i < SAMPLES; i++) {
		sample_weights(&samples[i], weights);
		round_make(&a, samples[i].n, weights);
		round_make(&b, samples[i].n, weights);
		for (t = 0; t < 200; t++) {
			round_update(&b, weights);
			assert_int_equal(round_next(&a), round_next(&b));
		}
		round_fini(&a);
		round_fini(&b);
	}
}

/* One member comes and goes every few turns: that is no advantage to anybody else. */
static void
check_flapping(const uint32_t *steady, uint32_t n, uint32_t every)
{
	uint32_t weights[8], taken[8] = { 0 }, t, m, others = 0, sum = 0;
	struct round r;

	memcpy(weights, steady, n * sizeof(*weights));
	round_make(&r, n, weights);
	for (t = 0; t < 60000; t++) {
		if (t % every == 0) {
			weights[n - 1] = weights[n - 1] ? 0 : steady[n - 1];
			round_update(&r, weights);
		}
		taken[round_next(&r)]++;
	}
	for (m = 0; m + 1 < n; m++) {
		sum += steady[m];
		others += taken[m];
	}
	for (m = 0; m + 1 < n; m++)
		assert_in_range(
		    taken[m] * 100, others * steady[m] / sum * 97, others * steady[m] / sum * 103);
	round_fini(&r);
}

static void
test_flapping_member(void **state)
{
	static const uint32_t equal[5] = { 1, 1, 1, 1, 1 }, mixed[5] = { 5, 3, 2, 7, 4 };
	uint32_t every;

	(void)state;
	for (every = 1; every < 12; every++) {
		check_flapping(equal, 5, every);
		check_flapping(mixed, 5, every);
	}
}

/* Any order of updates: whoever is a member gets turns, nobody else does, and no belief is hurt. */
static void
test_random_updates(void **state)
{
	uint32_t weights[12] = { 0 }, t, m, n_members;
	uint64_t random = 1;
	struct round r;

	(void)state;
	round_make(&r, 12, weights);
	for (t = 0; t < 100000; t++) {
		weights[hash_next(&random) % 12] = hash_next(&random) % 3
		    ? (uint32_t)(hash_next(&random) % 4)
		    : (uint32_t)(hash_next(&random) % 257);
		round_update(&r, weights);
		for (n_members = 0, m = 0; m < 12; m++)
			n_members += weights[m] > 0;
		assert_int_equal(r.n_members, n_members);
		for (m = (uint32_t)(hash_next(&random) % 8); m && n_members; m--)
			assert_true(weights[round_next(&r)] > 0);
	}
	round_fini(&r);
}

static void
test_work_per_turn(void **state)
{
	uint32_t weights[MEMBERS_MAX], t, i, total;
	struct round r;

	(void)state;
	for (i = 0; i < SAMPLES; i++) {
		if (samples[i].n < 1000)
			continue;
		total = sample_weights(&samples[i], weights);
		round_make(&r, samples[i].n, weights);
		r.work = 0;
		for (t = 0; t < 4 * total; t++)
			round_next(&r);
		assert_in_range(r.work / t, 1, 30); /* two pushes and pops of ten levels at most */
		round_fini(&r);
	}
	for (i = 0; i < MEMBERS_MAX; i++)
		weights[i] = 3;
	round_make(&r, MEMBERS_MAX, weights);
	for (t = 0; t < 5000; t++)
		round_next(&r);
	assert_int_equal(r.work, t);
	round_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns_as_pinned),
		cmocka_unit_test(test_exact_and_smooth),
		cmocka_unit_test(test_every_window_is_exact),
		cmocka_unit_test(test_no_burst_for_who_comes_back),
		cmocka_unit_test(test_update_without_change_changes_nothing),
		cmocka_unit_test(test_flapping_member),
		cmocka_unit_test(test_random_updates),
		cmocka_unit_test(test_work_per_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
