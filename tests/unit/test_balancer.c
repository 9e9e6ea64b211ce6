/*
 * test_balancer.c - each algorithm held to its definition, and who may be chosen at all.
 *
 * Random ones run from fixed seeds; a count of n trials with probability p may be five standard deviations
 * off, which a right algorithm is once in two million seeds.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/balance/balancer.h"

enum { SERVERS_MAX = 1000, KEYS = 20000 };

static const int64_t now = 1000 * NS_PER_S;
static const struct balance_tried untried;

static const enum balance_algorithm algorithms[] = { BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONNECTIONS,
	BALANCE_IP_HASH, BALANCE_CONSISTENT_HASH, BALANCE_LEAST_RESPONSE_TIME, BALANCE_RANDOM };

enum { ALGORITHMS = sizeof(algorithms) / sizeof(*algorithms) };

static struct server_table table;
static struct balance_server servers[SERVERS_MAX];
static char names[SERVERS_MAX][16];

static int
setup(void **state)
{
	void *shared = calloc(1, server_table_shared_size());

	*state = shared;
	return shared ? server_table_init(&table, shared) : -1;
}

static int
teardown(void **state)
{
	server_table_fini(&table);
	free(*state);
	return 0;
}

/* Servers s0..; weights are repeated up to n.  Slots differ from indexes. */
static void
servers_make(uint32_t n, const uint32_t *weights, uint32_t n_weights)
{
	uint32_t i;

	server_table_slot(&table, STR("other"), STR("server"));
	for (i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "s%u", i);
		servers[i].name = str_of(names[i]);
		servers[i].slot = (uint32_t)server_table_slot(&table, STR("web"), servers[i].name);
		servers[i].weight = weights[i % n_weights];
	}
}

static struct balancer *
make(enum balance_algorithm algorithm, uint32_t n, uint64_t seed)
{
	struct balancer *b = balancer_new(algorithm, servers, n, &table, seed);

	assert_non_null(b);
	return b;
}

static struct balancer *
make_equal(enum balance_algorithm algorithm, uint32_t n)
{
	servers_make(n, (uint32_t[]){ 1 }, 1);
	return make(algorithm, n, 1);
}

static uint64_t
key(uint32_t i)
{
	uint8_t address[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

	return balance_hash(address, sizeof(address));
}

static int
pick(struct balancer *b, uint64_t hash)
{
	return balancer_pick(b, hash, &untried, now);
}

static void
health(struct balancer *b, uint32_t i, enum server_health h)
{
	server_set_health(&table, servers[i].slot, h, 0);
	balancer_update(b);
}

static void
count_picks(struct balancer *b, uint32_t n, uint32_t *counts)
{
	uint32_t i;
	int got;

	memset(counts, 0, SERVERS_MAX * sizeof(*counts));
	for (i = 0; i < n; i++) {
		got = pick(b, key(i));
		assert_true(got >= 0);
		counts[got]++;
	}
}

static void
assert_share(uint32_t count, uint32_t n, double share)
{
	double sigma = sqrt(n * share * (1 - share));

	if (fabs(count - n * share) > 5 * sigma + 1)
		fail_msg("%u of %u is not a share of %f", count, n, share);
}

/* -- who may be chosen -- */

static void
test_idle_pool_follows_weights(void **state)
{
	static const uint32_t weights[] = { 5, 3, 0, 2 };
	uint32_t counts[SERVERS_MAX], a, i;
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		servers_make(4, weights, 4);
		b = make(algorithms[a], 4, 3);
		count_picks(b, KEYS, counts);
		assert_int_equal(counts[2], 0);
		for (i = 0; i < 4; i++) {
			if (algorithms[a] == BALANCE_ROUND_ROBIN ||
			    algorithms[a] == BALANCE_LEAST_CONNECTIONS)
				assert_int_equal(counts[i], KEYS * weights[i] / 10);
			else if (algorithms[a] != BALANCE_LEAST_RESPONSE_TIME)
				assert_share(counts[i], KEYS, weights[i] / 10.0);
		}
		balancer_free(&b);
		assert_null(b);
	}
}

static void
test_weights_all_zero_are_equal(void **state)
{
	uint32_t counts[SERVERS_MAX], a, i;
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		servers_make(4, (uint32_t[]){ 0 }, 1);
		b = make(algorithms[a], 4, 3);
		count_picks(b, KEYS, counts);
		for (i = 0; i < 4; i++)
			assert_in_range(counts[i], KEYS / 4 * 0.9, KEYS / 4 * 1.1);
		balancer_free(&b);
	}
}

static void
test_weight_zero_serves_when_alone(void **state)
{
	struct balancer *b;
	uint32_t a;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		servers_make(3, (uint32_t[]){ 4, 0, 4 }, 3);
		b = make(algorithms[a], 3, 3);
		server_set_admin(&table, servers[0].slot, ADMIN_DRAIN, 0);
		server_set_admin(&table, servers[2].slot, ADMIN_MAINTENANCE, 0);
		balancer_update(b);
		assert_int_equal(pick(b, key(1)), 1);
		assert_false(balancer_panics(b));
		server_set_admin(&table, servers[0].slot, ADMIN_READY, 0);
		server_set_admin(&table, servers[2].slot, ADMIN_READY, 0);
		balancer_free(&b);
	}
}

static void
test_unavailable_gets_nothing(void **state)
{
	uint32_t counts[SERVERS_MAX], a;
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 7);
		server_set_health(&table, servers[0].slot, HEALTH_DOWN, 0);
		server_set_admin(&table, servers[1].slot, ADMIN_DRAIN, 0);
		server_set_admin(&table, servers[2].slot, ADMIN_MAINTENANCE, 0);
		server_set_unreachable(&table, servers[3].slot, true);
		server_set_weight(&table, servers[4].slot, 0);
		balancer_update(b);
		count_picks(b, KEYS, counts);
		assert_int_equal(counts[0] + counts[1] + counts[2] + counts[3] + counts[4], 0);
		assert_in_range(counts[5], KEYS / 2 * 0.9, KEYS / 2 * 1.1);
		assert_false(balancer_panics(b));
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

static void
test_nobody_in_operation(void **state)
{
	struct balancer *b;
	uint32_t a, i;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 3);
		for (i = 0; i < 3; i++)
			server_set_admin(&table, servers[i].slot, ADMIN_DRAIN, 0);
		balancer_update(b);
		assert_int_equal(pick(b, key(1)), -1);
		assert_false(balancer_panics(b));
		server_set_admin(&table, servers[1].slot, ADMIN_READY, 0);
		balancer_update(b);
		assert_int_equal(pick(b, key(1)), 1);
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

static void
test_panic_is_more_than_half(void **state)
{
	static const struct {
		uint32_t n, down, drained;
		bool panics;
	} rows[] = {
		{ 1, 0, 0, false },
		{ 1, 1, 0, true },
		{ 2, 1, 0, false },
		{ 2, 2, 0, true },
		{ 3, 1, 0, false },
		{ 3, 2, 0, true },
		{ 4, 2, 0, false },
		{ 4, 3, 0, true },
		{ 4, 1, 2, false }, /* those in drain do not count */
		{ 4, 1, 3, true },
		{ 5, 2, 2, true },
	};
	uint32_t a, i, k, counts[SERVERS_MAX];
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
			b = make_equal(algorithms[a], rows[i].n);
			for (k = 0; k < rows[i].down; k++)
				server_set_health(&table, servers[k].slot, HEALTH_DOWN, 0);
			for (; k < rows[i].down + rows[i].drained; k++)
				server_set_admin(&table, servers[k].slot, ADMIN_DRAIN, 0);
			balancer_update(b);
			assert_int_equal(balancer_panics(b), rows[i].panics);
			count_picks(b, 2000, counts);
			for (k = 0; k < rows[i].down; k++)
				assert_int_equal(counts[k] > 0, rows[i].panics);
			for (; k < rows[i].down + rows[i].drained; k++)
				assert_int_equal(counts[k], 0);
			for (; k < rows[i].n; k++)
				assert_true(counts[k] > 0);
			server_table_keep(&table, NULL, 0);
			balancer_free(&b);
		}
	}
}

/* -- retries -- */

static void
tried_add(struct balance_tried *t, int i)
{
	assert_true(i >= 0);
	t->index[t->n++] = (uint32_t)i;
}

static bool
tried_has(const struct balance_tried *t, int i)
{
	uint32_t k;

	for (k = 0; k < t->n; k++)
		if (t->index[k] == (uint32_t)i)
			return true;
	return false;
}

/* Nobody twice, everybody once, then nobody: also where one server has nearly all the weight. */
static void
test_retries_try_everybody_once(void **state)
{
	static const uint32_t weights[][4] = { { 1, 1, 1, 1 }, { 256, 1, 1, 2 }, { 5, 3, 2, 7 } };
	struct balance_tried tried;
	struct balancer *b;
	uint32_t a, w, k;
	int got;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		for (w = 0; w < 3; w++) {
			servers_make(6, weights[w], 4);
			b = make(algorithms[a], 6, 1);
			for (k = 0; k < 500; k++) {
				tried.n = 0;
				while ((got = balancer_pick(b, key(k), &tried, now)) >= 0) {
					assert_false(tried_has(&tried, got));
					tried_add(&tried, got);
				}
				assert_int_equal(tried.n, 6);
			}
			balancer_free(&b);
		}
	}
}

/* What a failed server's traffic does to the others: by weight, no single neighbour takes it all. */
static void
test_retries_spread(void **state)
{
	uint32_t counts[SERVERS_MAX], a, i;
	struct balance_tried tried = { 1, { 0 } };
	struct balancer *b;
	int got;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 5);
		memset(counts, 0, sizeof(counts));
		for (i = 0; i < KEYS; i++) {
			got = balancer_pick(b, key(i), &tried, now);
			assert_in_range(got, 1, 4);
			counts[got]++;
		}
		for (i = 1; i < 5; i++)
			assert_in_range(counts[i], KEYS / 4 * 0.8, KEYS / 4 * 1.6);
		balancer_free(&b);
	}
}

static void
test_retries_in_panic_go_to_the_available_first(void **state)
{
	struct balance_tried tried;
	struct balancer *b;
	uint32_t a, i, k, counts[SERVERS_MAX];
	int got;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 10);
		for (i = 0; i < 6; i++)
			server_set_health(&table, servers[i].slot, HEALTH_DOWN, 0);
		balancer_update(b);
		assert_true(balancer_panics(b));
		memset(counts, 0, sizeof(counts));
		for (k = 0; k < 2000; k++) {
			tried.n = 0;
			tried_add(&tried, 0);
			for (i = 0; i < 4; i++) {
				got = balancer_pick(b, key(k), &tried, now);
				assert_in_range(got, 6, 9);
				tried_add(&tried, got);
				counts[got] += i == 0;
			}
			for (; i < 9; i++) { /* then the others all the same */
				got = balancer_pick(b, key(k), &tried, now);
				assert_in_range(got, 1, 5);
				tried_add(&tried, got);
			}
			assert_int_equal(balancer_pick(b, key(k), &tried, now), -1);
		}
		for (i = 6; i < 10; i++)
			assert_in_range(counts[i], 300, 800);
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

/* -- round robin -- */

static void
test_round_robin_is_exact_in_every_round(void **state)
{
	uint32_t counts[SERVERS_MAX], round;
	struct balancer *b;
	uint64_t seed;

	(void)state;
	servers_make(3, (uint32_t[]){ 5, 3, 2 }, 3);
	for (seed = 0; seed < 40; seed++) {
		b = make(BALANCE_ROUND_ROBIN, 3, seed);
		for (round = 0; round < 20; round++) {
			count_picks(b, 10, counts);
			assert_int_equal(counts[0], 5);
			assert_int_equal(counts[1], 3);
			assert_int_equal(counts[2], 2);
		}
		balancer_free(&b);
	}
}

static void
test_workers_start_apart(void **state)
{
	uint32_t counts[SERVERS_MAX] = { 0 }, i, started = 0;
	struct balancer *b;
	uint64_t seed;

	(void)state;
	servers_make(8, (uint32_t[]){ 1 }, 1);
	for (seed = 0; seed < 64; seed++) {
		b = make(BALANCE_ROUND_ROBIN, 8, seed);
		counts[pick(b, 0)]++;
		balancer_free(&b);
	}
	for (i = 0; i < 8; i++)
		started += counts[i] > 0;
	assert_int_equal(started, 8);
}

static void
test_weight_changes_at_run_time(void **state)
{
	uint32_t counts[SERVERS_MAX], a;
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 2);
		server_set_weight(&table, servers[0].slot, 3);
		balancer_update(b);
		count_picks(b, KEYS, counts);
		if (algorithms[a] == BALANCE_ROUND_ROBIN ||
		    algorithms[a] == BALANCE_LEAST_CONNECTIONS)
			assert_int_equal(counts[0], KEYS * 3 / 4);
		else if (algorithms[a] != BALANCE_LEAST_RESPONSE_TIME)
			assert_share(counts[0], KEYS, 0.75);
		server_set_weight(&table, servers[0].slot, -1);
		balancer_update(b);
		count_picks(b, KEYS, counts);
		assert_share(counts[0], KEYS, 0.5);
		server_set_weight(&table, servers[0].slot, 0);
		balancer_update(b);
		count_picks(b, KEYS, counts);
		assert_int_equal(counts[0], 0);
		server_set_weight(&table, servers[0].slot, -1);
		balancer_free(&b);
	}
}

/* -- least connections -- */

/* Random loads: what is picked has the least active / weight of all. */
static void
test_least_connections_is_exact(void **state)
{
	static const uint32_t weights[] = { 1, 2, 3, 10, 256 };
	uint32_t t, i, best;
	uint64_t random = 7, of_best, of_other;
	struct balancer *b;

	(void)state;
	servers_make(20, weights, 5);
	b = make(BALANCE_LEAST_CONNECTIONS, 20, 1);
	for (t = 0; t < 5000; t++) {
		for (i = 0; i < 20; i++)
			table.active[servers[i].slot] =
			    (uint32_t)(hash_next(&random) % (t % 50 + 1));
		best = (uint32_t)pick(b, 0);
		for (i = 0; i < 20; i++) {
			of_best = table.active[servers[best].slot] * (uint64_t)servers[i].weight;
			of_other = table.active[servers[i].slot] * (uint64_t)servers[best].weight;
			assert_true(of_best <= of_other);
		}
	}
	balancer_free(&b);
}

/* Connections that stay: they pile up by weight, never more than one apart. */
static void
test_least_connections_fills_evenly(void **state)
{
	static const uint32_t weights[] = { 5, 3, 2 };
	struct balancer *b;
	uint32_t t, i;

	(void)state;
	servers_make(3, weights, 3);
	b = make(BALANCE_LEAST_CONNECTIONS, 3, 5);
	for (t = 1; t <= 1000; t++) {
		table.active[servers[pick(b, 0)].slot]++;
		for (i = 0; i < 3; i++)
			assert_true(abs((int)(table.active[servers[i].slot] * 10) -
					(int)(t * weights[i])) < 20);
	}
	balancer_free(&b);
}

/* Equal loads above zero: in turn, not always the first. */
static void
test_least_connections_ties_in_turn(void **state)
{
	uint32_t counts[SERVERS_MAX], i;
	struct balancer *b = make_equal(BALANCE_LEAST_CONNECTIONS, 5);

	(void)state;
	for (i = 0; i < 5; i++)
		table.active[servers[i].slot] = 4;
	count_picks(b, 5000, counts);
	for (i = 0; i < 5; i++)
		assert_int_equal(counts[i], 1000);
	balancer_free(&b);
}

/* -- hash algorithms -- */

static void
picks_of_keys(struct balancer *b, int *picks)
{
	uint32_t i;

	for (i = 0; i < KEYS; i++)
		picks[i] = pick(b, key(i));
}

static const enum balance_algorithm hashing[] = { BALANCE_IP_HASH, BALANCE_CONSISTENT_HASH };

static void
test_hash_depends_on_nothing_else(void **state)
{
	static int one[KEYS], two[KEYS];
	struct balancer *b, *other;
	uint32_t a, i;

	(void)state;
	for (a = 0; a < 2; a++) {
		servers_make(7, (uint32_t[]){ 3, 1, 2 }, 3);
		b = make(hashing[a], 7, 1);
		other =
		    make(hashing[a], 7, 99); /* another worker, other loads, more picks before */
		health(other, 3, HEALTH_DOWN);
		picks_of_keys(other, two);
		health(other, 3, HEALTH_UP);
		picks_of_keys(b, one);
		for (i = 0; i < 7; i++)
			table.active[servers[i].slot] = i * 10;
		picks_of_keys(other, two);
		assert_memory_equal(one, two, sizeof(one));
		balancer_free(&b);
		balancer_free(&other);
	}
}

/* Only the clients of the server that is down move, they spread over all others, and they come back. */
static void
test_hash_moves_only_the_clients_of_a_down_server(void **state)
{
	static int before[KEYS], after[KEYS], back[KEYS];
	uint32_t a, i, n_moved, moved[SERVERS_MAX];
	struct balancer *b;

	(void)state;
	for (a = 0; a < 2; a++) {
		b = make_equal(hashing[a], 10);
		picks_of_keys(b, before);
		health(b, 4, HEALTH_DOWN);
		picks_of_keys(b, after);
		health(b, 4, HEALTH_UP);
		picks_of_keys(b, back);
		assert_memory_equal(before, back, sizeof(before));
		memset(moved, 0, sizeof(moved));
		for (n_moved = 0, i = 0; i < KEYS; i++) {
			if (before[i] != 4) {
				assert_int_equal(after[i], before[i]);
				continue;
			}
			n_moved++;
			moved[after[i]]++;
		}
		assert_share(n_moved, KEYS, 0.1);
		assert_int_equal(moved[4], 0);
		for (i = 0; i < 10; i++)
			if (i != 4)
				assert_share(moved[i], n_moved, 1.0 / 9);
		balancer_free(&b);
	}
}

/* The same through weight 0 at run time, and when all but one of many are away. */
static void
test_hash_and_weight_zero(void **state)
{
	static int before[KEYS], after[KEYS];
	struct balancer *b;
	uint32_t a, i;

	(void)state;
	for (a = 0; a < 2; a++) {
		b = make_equal(hashing[a], 60);
		picks_of_keys(b, before);
		server_set_weight(&table, servers[9].slot, 0);
		balancer_update(b);
		picks_of_keys(b, after);
		for (i = 0; i < KEYS; i++)
			assert_int_equal(after[i] == before[i], before[i] != 9);
		for (i = 0; i < 60; i++)
			server_set_admin(
			    &table, servers[i].slot, i == 9 ? ADMIN_READY : ADMIN_DRAIN, 0);
		balancer_update(b);
		picks_of_keys(b, after);
		for (i = 0; i < KEYS; i++)
			assert_int_equal(after[i], 9);
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

/* Share of keys that moved although the server they had is still there. */
static double
moved_needlessly(const int *before, const int *after, int gone)
{
	uint32_t i, n = 0;

	for (i = 0; i < KEYS; i++)
		n += before[i] != gone && before[i] != after[i];
	return (double)n / KEYS;
}

/* A server leaves the configuration: its own clients move, and few others. */
static void
test_consistent_hash_and_configuration(void **state)
{
	static const struct {
		uint32_t n;
		double needless; /* at most */
	} rows[] = { { 3, 0.02 }, { 10, 0.03 }, { 50, 0.03 }, { 51, 0.02 }, { 200, 0.02 },
		{ 1000, 0.02 } };
	static int before[KEYS], after[KEYS];
	struct balancer *b;
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		b = make_equal(BALANCE_CONSISTENT_HASH, rows[i].n);
		picks_of_keys(b, before);
		balancer_free(&b);
		b = make(BALANCE_CONSISTENT_HASH, rows[i].n - 1, 1);
		picks_of_keys(b, after);
		balancer_free(&b);
		printf("%u servers: %.4f moved needlessly\n", rows[i].n,
		    moved_needlessly(before, after, (int)rows[i].n - 1));
		assert_true(
		    moved_needlessly(before, after, (int)rows[i].n - 1) <= rows[i].needless);
	}
}

/* The order of servers in the file means nothing: places go by name. */
static void
test_consistent_hash_goes_by_name(void **state)
{
	static int one[KEYS], two[KEYS];
	struct balance_server reversed[9];
	struct balancer *b;
	uint32_t i;

	(void)state;
	servers_make(9, (uint32_t[]){ 1, 4 }, 2);
	for (i = 0; i < 9; i++)
		reversed[i] = servers[8 - i];
	b = make(BALANCE_CONSISTENT_HASH, 9, 1);
	picks_of_keys(b, one);
	balancer_free(&b);
	b = balancer_new(BALANCE_CONSISTENT_HASH, reversed, 9, &table, 1);
	picks_of_keys(b, two);
	balancer_free(&b);
	for (i = 0; i < KEYS; i++)
		assert_int_equal(one[i], 8 - two[i]);
}

/* -- random and least response time -- */

static void
test_random_in_pairs(void **state)
{
	struct balancer *b = make_equal(BALANCE_RANDOM, 4);
	uint32_t pairs[4][4] = { 0 }, i, j;
	int last = pick(b, 0), next;

	(void)state;
	for (i = 0; i < KEYS; i++) {
		next = pick(b, 0);
		pairs[last][next]++;
		last = next;
	}
	for (i = 0; i < 4; i++)
		for (j = 0; j < 4; j++)
			assert_share(pairs[i][j], KEYS, 1.0 / 16);
	balancer_free(&b);
}

/* Of two servers both are always compared: the cheaper one wins every time. */
static void
test_least_response_time_takes_the_cheaper(void **state)
{
	static const struct {
		uint32_t us[2], active[2], weight[2];
		int winner;
	} rows[] = {
		{ { 1000, 2000 }, { 0, 0 }, { 1, 1 }, 0 },
		{ { 2000, 1000 }, { 0, 0 }, { 1, 1 }, 1 },
		{ { 1000, 2000 }, { 2, 0 }, { 1, 1 }, 1 }, /* 3000 against 2000 */
		{ { 1000, 2000 }, { 0, 0 }, { 1, 4 }, 1 }, /* 1000 against 500 */
		{ { 1000, 2000 }, { 0, 0 }, { 1, 256 }, 1 },
		{ { 1000, 2000 }, { 300, 0 }, { 256, 1 }, 0 },
		{ { 5, 0 }, { 0, 0 }, { 256, 1 }, 1 }, /* no sample yet: tried */
		{ { 5000000, 0 }, { 9, 1 }, { 1, 1 }, 0 }, /* tried, and has not answered yet */
		{ { 0, 0 }, { 2, 1 }, { 1, 1 }, 1 },
	};
	struct balancer *b;
	uint32_t i, k, t;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		servers_make(2, rows[i].weight, 2);
		for (k = 0; k < 2; k++) {
			if (rows[i].us[k])
				server_response_time(&table, servers[k].slot, rows[i].us[k], now);
			table.active[servers[k].slot] = rows[i].active[k];
		}
		b = make(BALANCE_LEAST_RESPONSE_TIME, 2, i);
		for (t = 0; t < 200; t++)
			assert_int_equal(pick(b, 0), rows[i].winner);
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

/* Of n servers with distinct costs, the k-th cheapest wins exactly when the other drawn one is dearer. */
static void
test_least_response_time_is_the_better_of_two(void **state)
{
	uint32_t counts[SERVERS_MAX], i;
	struct balancer *b = make_equal(BALANCE_LEAST_RESPONSE_TIME, 8);

	(void)state;
	for (i = 0; i < 8; i++)
		server_response_time(&table, servers[i].slot, 1000 + i, now);
	count_picks(b, KEYS, counts);
	for (i = 0; i < 8; i++)
		assert_share(counts[i], KEYS, 2.0 * (7 - i) / (8 * 7));
	balancer_free(&b);
}

/* A slow answer is forgotten in the end, although the server gets nothing to prove itself with. */
static void
test_least_response_time_forgives(void **state)
{
	struct balancer *b = make_equal(BALANCE_LEAST_RESPONSE_TIME, 2);
	int64_t later = now + 120 * NS_PER_S;

	(void)state;
	server_response_time(&table, servers[0].slot, 1000000, now);
	server_response_time(&table, servers[1].slot, 100, now);
	assert_int_equal(pick(b, 0), 1);
	server_response_time(&table, servers[1].slot, 100, later);
	assert_int_equal(balancer_pick(b, 0, &untried, later), 0);
	balancer_free(&b);
}

/* -- a thousand servers -- */

static void
test_work_with_a_thousand_servers(void **state)
{
	/* round robin of equal weights, and least connections with an idle server near, look at one or two */
	static const uint32_t at_most[ALGORITHMS] = { 1, 3, 0, 0, 3, 1 };
	struct balancer *b;
	uint64_t before;
	uint32_t a, i;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 1000);
		for (i = 0; i < 1000; i++)
			table.active[servers[i].slot] = i % 4 == 0;
		before = balancer_work(b);
		for (i = 0; i < KEYS; i++)
			pick(b, key(i));
		assert_true(balancer_work(b) - before <= (uint64_t)at_most[a] * KEYS);
		balancer_free(&b);
	}
	b = make_equal(BALANCE_LEAST_CONNECTIONS, 1000);
	for (i = 0; i < 1000; i++)
		table.active[servers[i].slot] = 1;
	before = balancer_work(b);
	pick(b, 0);
	assert_int_equal(
	    balancer_work(b) - before, 1001); /* nobody idle: all are looked at, once */
	balancer_free(&b);
}

static void
test_names(void **state)
{
	static const char *const expected[] = { "round_robin", "least_connections", "ip_hash",
		"consistent_hash", "least_response_time", "random" };
	uint32_t a;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++)
		assert_string_equal(balance_algorithm_name(algorithms[a]), expected[a]);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_idle_pool_follows_weights),
		CASE(test_weights_all_zero_are_equal),
		CASE(test_weight_zero_serves_when_alone),
		CASE(test_unavailable_gets_nothing),
		CASE(test_nobody_in_operation),
		CASE(test_panic_is_more_than_half),
		CASE(test_retries_try_everybody_once),
		CASE(test_retries_spread),
		CASE(test_retries_in_panic_go_to_the_available_first),
		CASE(test_round_robin_is_exact_in_every_round),
		CASE(test_workers_start_apart),
		CASE(test_weight_changes_at_run_time),
		CASE(test_least_connections_is_exact),
		CASE(test_least_connections_fills_evenly),
		CASE(test_least_connections_ties_in_turn),
		CASE(test_hash_depends_on_nothing_else),
		CASE(test_hash_moves_only_the_clients_of_a_down_server),
		CASE(test_hash_and_weight_zero),
		CASE(test_consistent_hash_and_configuration),
		CASE(test_consistent_hash_goes_by_name),
		CASE(test_random_in_pairs),
		CASE(test_least_response_time_takes_the_cheaper),
		CASE(test_least_response_time_is_the_better_of_two),
		CASE(test_least_response_time_forgives),
		CASE(test_work_with_a_thousand_servers),
		CASE(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
