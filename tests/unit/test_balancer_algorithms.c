/* test_balancer_algorithms.c - each algorithm held to its definition. */
#include "tests/unit/balancer_fixture.h"

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
		balancer_update(b, now);
		count_picks(b, KEYS, counts);
		if (algorithms[a] == BALANCE_ROUND_ROBIN ||
		    algorithms[a] == BALANCE_LEAST_CONNECTIONS)
			assert_int_equal(counts[0], KEYS * 3 / 4);
		else if (algorithms[a] != BALANCE_LEAST_RESPONSE_TIME)
			assert_share(counts[0], KEYS, 0.75);
		server_set_weight(&table, servers[0].slot, -1);
		balancer_update(b, now);
		count_picks(b, KEYS, counts);
		assert_share(counts[0], KEYS, 0.5);
		server_set_weight(&table, servers[0].slot, 0);
		balancer_update(b, now);
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

/*
 * Only the clients of the server that is down move, they spread over all others, and they come
 * back.
 */
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
		balancer_update(b, now);
		picks_of_keys(b, after);
		for (i = 0; i < KEYS; i++)
			assert_int_equal(after[i] == before[i], before[i] != 9);
		for (i = 0; i < 60; i++)
			server_set_admin(
			    &table, servers[i].slot, i == 9 ? ADMIN_READY : ADMIN_DRAIN, 0);
		balancer_update(b, now);
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

/*
 * Of n servers with distinct costs, the k-th cheapest wins exactly when the other drawn one is
 * dearer.
 */
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
