/* test_balancer_bound.c - hashing with bounded load: who gives way, to whom, and how little else moves. */
#include "tests/unit/balancer_fixture.h"

static const enum balance_algorithm hashes[] = { BALANCE_IP_HASH, BALANCE_CONSISTENT_HASH };

enum { HASHES = sizeof(hashes) / sizeof(*hashes) };

static uint32_t
active(uint32_t i)
{
	return atomic_load(&table.active[servers[i].slot]);
}

static void
nobody_active(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		atomic_store(&table.active[servers[i].slot], 0);
}

/* One more exchange for that key, which stays. */
static uint32_t
place(struct balancer *b, uint64_t hash)
{
	int got = pick(b, hash);

	assert_true(got >= 0);
	atomic_fetch_add(&table.active[servers[got].slot], 1);
	return (uint32_t)got;
}

static void
assert_bounded(uint32_t i, uint32_t n, uint32_t total, uint32_t percent, double slack)
{
	double weights = 0, most;

	for (uint32_t k = 0; k < n; k++)
		weights += servers[k].weight;
	most = ceil(percent / 100.0 * total * servers[i].weight / weights - 1e-9) + slack;
	if (active(i) > most)
		fail_msg("server %u has %u of %u, most is %f", i, active(i), total, most);
}

/* Everybody asks for the same. */
static void
test_one_key_for_all(void **state)
{
	static const struct {
		uint32_t n, percent, weights[4];
	} rows[] = {
		{ 1, 125, { 1 } },
		{ 2, 101, { 1 } },
		{ 4, 125, { 1, 1, 1, 1 } },
		{ 4, 150, { 5, 3, 1, 1 } },
		{ 7, 200, { 1, 2, 1, 2 } },
		{ 7, 1000, { 1, 1, 1, 1 } },
	};

	(void)state;
	for (uint32_t a = 0; a < HASHES; a++) {
		for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
			uint32_t n = rows[r].n;
			struct balancer *b;

			servers_make(n, rows[r].weights, n < 4 ? 1 : 4);
			b = make(hashes[a], n, 1);
			balancer_bound(b, rows[r].percent);
			for (uint32_t total = 1; total <= 500; total++) {
				uint32_t got = place(b, key(7));

				assert_bounded(got, n, total, rows[r].percent, 0);
			}
			nobody_active(n);
			balancer_free(&b);
		}
	}
}

static void
test_without_a_bound_one_gets_all(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < HASHES; a++) {
		struct balancer *b = make_equal(hashes[a], 4);
		uint32_t home = place(b, key(7));

		for (int i = 0; i < 100; i++)
			assert_int_equal(place(b, key(7)), home);
		balancer_bound(b, 125);
		assert_true(place(b, key(7)) != home);
		balancer_bound(b, 0);
		assert_int_equal(place(b, key(7)), home);
		nobody_active(4);
		balancer_free(&b);
	}
}

/* Who has nothing to do is below every bound: quiet servers get what they would get without one. */
static void
test_idle_pools_know_no_bound(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < HASHES; a++) {
		struct balancer *plain = make_equal(hashes[a], 10), *b = make(hashes[a], 10, 2);

		balancer_bound(b, 101);
		for (uint32_t i = 0; i < KEYS; i++)
			assert_int_equal(pick(b, key(i)), pick(plain, key(i)));
		balancer_free(&b);
		balancer_free(&plain);
	}
}

/* The two nodes, and all workers, with the same loads; whatever the seed. */
static void
test_walks_are_the_same_everywhere(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < HASHES; a++) {
		struct balancer *one = make_equal(hashes[a], 9), *other = make(hashes[a], 9, 77);

		balancer_bound(one, 110);
		balancer_bound(other, 110);
		for (uint32_t i = 0; i < 2000; i++) {
			int there = pick(other, key(i % 50));

			assert_int_equal(place(one, key(i % 50)), there);
		}
		nobody_active(9);
		balancer_free(&one);
		balancer_free(&other);
	}
}

/* Only what is above the bound moves; the keys of one server spread over all others, and each to its own. */
static void
test_only_the_laden_server_sends_away(void **state)
{
	enum { N = 10, LADEN = 3 };
	uint32_t moved[N], n_moved, least;

	(void)state;
	for (uint32_t a = 0; a < HASHES; a++) {
		struct balancer *plain = make_equal(hashes[a], N), *b = make(hashes[a], N, 1);

		balancer_bound(b, 125);
		for (uint32_t i = 0; i < N; i++) /* 100 together: the bound is 13 */
			atomic_store(&table.active[servers[i].slot], i == LADEN ? 13 : 87 / 9);
		memset(moved, 0, sizeof(moved));
		n_moved = 0;
		for (uint32_t i = 0; i < KEYS; i++) {
			int home = pick(plain, key(i)), now_at = pick(b, key(i));

			assert_int_not_equal(now_at, LADEN);
			if (home != LADEN) {
				assert_int_equal(now_at, home);
				continue;
			}
			moved[now_at]++;
			n_moved++;
			assert_int_equal(pick(b, key(i)), now_at);
		}
		assert_share(n_moved, KEYS, 1.0 / N);
		least = n_moved / N / 2;
		for (uint32_t i = 0; i < N; i++)
			assert_true(i == LADEN || moved[i] > least);
		nobody_active(N);
		balancer_free(&b);
		balancer_free(&plain);
	}
}

/*
 * Many servers, of which one in three is down, and so few keys that each fills all servers that it leads to: bounded
 * still, and a pick looks at few.
 */
static void
test_many_servers(void **state)
{
	enum { N = 900, TOTAL = 20000 };
	struct balancer *b = make_equal(BALANCE_CONSISTENT_HASH, N);
	uint64_t before;
	uint32_t up = N - N / 3;

	(void)state;
	balancer_bound(b, 125);
	for (uint32_t i = 0; i < N; i += 3)
		server_set_health(&table, servers[i].slot, HEALTH_DOWN, 0);
	balancer_update(b, now);
	before = balancer_work(b);
	for (uint32_t total = 1; total <= TOTAL; total++) {
		uint32_t got = place(b, key(total % 40));

		assert_true(got % 3 != 0);
		/* the count is of up to 19 picks ago */
		assert_true(active(got) <= ceil(1.25 * total / up) + 1);
	}
	printf("%d servers: %.1f looked at for a pick\n", N,
	    (double)(balancer_work(b) - before) / TOTAL);
	assert_true((balancer_work(b) - before) / TOTAL <= 60);
	nobody_active(N);
	balancer_free(&b);
}

/* All but one are tried, or at their limit: rather beyond the bound than nowhere. */
static void
test_the_bound_yields(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < HASHES; a++) {
		struct balancer *b;

		servers_make(3, (uint32_t[]){ 1 }, 1);
		servers[0].max_connections = servers[1].max_connections = 1;
		b = make(hashes[a], 3, 1);
		balancer_bound(b, 125);
		atomic_store(&table.active[servers[0].slot], 1);
		atomic_store(&table.active[servers[1].slot], 1);
		atomic_store(&table.active[servers[2].slot], 98);
		assert_int_equal(balancer_pick_below_limit(b, key(1), &untried, now), 2);
		assert_int_equal(
		    balancer_pick(b, key(1), &(struct balance_tried){ 2, { 0, 1 } }, now), 2);
		assert_true(pick(b, key(1)) < 2);
		servers[0].max_connections = servers[1].max_connections = 0;
		nobody_active(3);
		balancer_free(&b);
	}
}

/* In panic all count, those that are down too. */
static void
test_panic_is_bounded(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < HASHES; a++) {
		struct balancer *b = make_equal(hashes[a], 4);

		balancer_bound(b, 125);
		for (uint32_t i = 0; i < 3; i++)
			server_set_health(&table, servers[i].slot, HEALTH_DOWN, 0);
		balancer_update(b, now);
		assert_true(balancer_panics(b));
		for (uint32_t total = 1; total <= 100; total++)
			assert_bounded(place(b, key(5)), 4, total, 125, 0);
		nobody_active(4);
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

/* A server leaves the configuration: about its share of the keys moves, also under load. */
static void
test_few_move_when_a_server_leaves(void **state)
{
	enum { N = 20 };
	static int before[KEYS];
	struct balancer *b = make_equal(BALANCE_CONSISTENT_HASH, N), *fewer;
	uint32_t moved = 0;

	(void)state;
	balancer_bound(b, 125);
	for (uint32_t i = 0; i < N; i++)
		atomic_store(&table.active[servers[i].slot], 10);
	for (uint32_t i = 0; i < KEYS; i++)
		before[i] = pick(b, key(i));
	fewer = make(BALANCE_CONSISTENT_HASH, N - 1, 1);
	balancer_bound(fewer, 125);
	for (uint32_t i = 0; i < KEYS; i++)
		moved += pick(fewer, key(i)) != before[i];
	printf("%.4f of the keys moved when one of %d servers left\n", (double)moved / KEYS, N);
	assert_in_range(moved * N, KEYS * 0.8, KEYS * 1.5);
	nobody_active(N);
	balancer_free(&fewer);
	balancer_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_one_key_for_all),
		CASE(test_without_a_bound_one_gets_all),
		CASE(test_idle_pools_know_no_bound),
		CASE(test_walks_are_the_same_everywhere),
		CASE(test_only_the_laden_server_sends_away),
		CASE(test_many_servers),
		CASE(test_the_bound_yields),
		CASE(test_panic_is_bounded),
		CASE(test_few_move_when_a_server_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
