/* test_balancer_protection.c - backups, slow starts and open circuits, by each algorithm. */
#include "tests/unit/balancer_fixture.h"

static const int64_t slow_start = 64 * NS_PER_S; /* a step a second */

/* n servers, of which the last are backups. */
static struct balancer *
make_with_backups(enum balance_algorithm algorithm, uint32_t n, uint32_t n_backups)
{
	servers_make(n, (uint32_t[]){ 1 }, 1);
	for (uint32_t i = 0; i < n; i++)
		servers[i].backup = i >= n - n_backups;
	return make(algorithm, n, 1);
}

static void
end(struct balancer **b)
{
	balancer_free(b);
	server_table_keep(&table, NULL, 0);
	for (uint32_t i = 0; i < SERVERS_MAX; i++)
		servers[i].backup = false;
}

/* Who gets something?  A bit each. */
static unsigned
who(struct balancer *b)
{
	uint32_t counts[SERVERS_MAX];
	unsigned bits = 0;

	count_picks(b, 2000, counts);
	for (uint32_t i = 0; i < 8; i++)
		bits |= (counts[i] > 0) << i;
	return bits;
}

/* --- backups --- */

static void
test_backups_serve_when_no_other_can(void **state)
{
	static const struct {
		unsigned down, drained; /* bits */
		unsigned serving;
		bool panics;
	} rows[] = {
		/* servers 0..2; 3 and 4 are backups */
		{ 0, 0, 7, false },
		{ 1, 0, 6, false },
		{ 3, 0, 7, true }, /* among those three */
		{ 8, 0, 7, false },
		{ 7, 0, 24, false },
		{ 0, 7, 24, false },
		{ 3, 4, 24, false },
		{ 15, 0, 16, false },
		{ 31, 0, 7, true },
		{ 24, 7, 24, true },
		{ 31, 7, 24, true },
		{ 7, 8, 16, false },
		{ 7, 24, 7, true },
	};

	(void)state;
	for (uint32_t a = 0; a < ALGORITHMS; a++) {
		for (uint32_t r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
			struct balancer *b = make_with_backups(algorithms[a], 5, 2);

			for (uint32_t i = 0; i < 5; i++) {
				if (rows[r].down & 1U << i)
					server_set_health(&table, servers[i].slot, HEALTH_DOWN, 0);
				if (rows[r].drained & 1U << i)
					server_set_admin(&table, servers[i].slot, ADMIN_DRAIN, 0);
			}
			balancer_update(b, now);
			if (who(b) != rows[r].serving || balancer_panics(b) != rows[r].panics)
				fail_msg("algorithm %u, row %u: %x serve", a, r, who(b));
			end(&b);
		}
	}
}

/* No key moves from one of the others to another one because there are backups. */
static void
test_backups_do_not_move_keys(void **state)
{
	int before[2000];

	(void)state;
	for (uint32_t a = 0; a < 2; a++) {
		enum balance_algorithm of = a ? BALANCE_CONSISTENT_HASH : BALANCE_IP_HASH;
		struct balancer *b = make_with_backups(of, 5, 0);

		for (uint32_t i = 0; i < 2000; i++)
			before[i] = pick(b, key(i));
		end(&b);
		b = make_with_backups(of, 7, 2);
		for (uint32_t i = 0; i < 2000 && a; i++)
			assert_int_equal(pick(b, key(i)), before[i]);
		for (uint32_t i = 0; i < 5; i++)
			server_set_health(&table, servers[i].slot, HEALTH_DOWN, 0);
		balancer_update(b, now);
		for (uint32_t i = 0; i < 2000; i++)
			assert_int_equal(pick(b, key(i)), pick(b, key(i)));
		assert_int_equal(who(b), 96);
		end(&b);
	}
}

static void
test_backups_alone_are_none(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < ALGORITHMS; a++) {
		struct balancer *b = make_with_backups(algorithms[a], 3, 3);

		assert_int_equal(who(b), 7);
		health(b, 0, HEALTH_DOWN);
		assert_int_equal(who(b), 6);
		end(&b);
	}
}

static void
test_weight_zero_lets_backups_serve(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < ALGORITHMS; a++) {
		struct balancer *b = make_with_backups(algorithms[a], 3, 1);

		server_set_weight(&table, servers[0].slot, 0);
		server_set_weight(&table, servers[1].slot, 0);
		balancer_update(b, now);
		assert_int_equal(who(b), 4);
		server_set_weight(&table, servers[2].slot, 0);
		balancer_update(b, now);
		assert_int_equal(who(b), 3);
		end(&b);
	}
}

/* --- slow start --- */

static struct balancer *
make_rising(enum balance_algorithm algorithm, uint32_t n)
{
	struct balancer *b = make_equal(algorithm, n);

	balancer_slow_start(b, slow_start);
	server_set_health(&table, servers[0].slot, HEALTH_DOWN, 0);
	balancer_update(b, now);
	server_comes_up(&table, servers[0].slot, now);
	server_set_health(&table, servers[0].slot, HEALTH_UP, 0);
	return b;
}

/* The share that one of four has after so many steps: with hashes of its own keys, the others' stay where they are. */
static double
share_after(enum balance_algorithm algorithm, double steps)
{
	return balance_hashes(algorithm) ? steps / 64 / 4 : steps / (3 * 64 + steps);
}

static void
assert_risen(enum balance_algorithm algorithm, int64_t seconds)
{
	struct balancer *b = make_rising(algorithm, 4);
	struct balance_outlook o = balancer_update(b, now + seconds * NS_PER_S);
	double want = KEYS *
	    share_after(algorithm,
		(double)(seconds < 1   ? 1
			: seconds > 64 ? 64
				       : seconds));
	uint32_t counts[SERVERS_MAX];

	assert_int_equal(o.due_ns, seconds < 64 ? now + (seconds + 1) * NS_PER_S : INT64_MAX);
	count_picks(b, KEYS, counts);
	/* the better of two draws: without samples all are alike */
	if (algorithm == BALANCE_LEAST_RESPONSE_TIME)
		assert_true(counts[0] < 2 * want + KEYS / 100.);
	else if (fabs(counts[0] - want) > want / 5 + KEYS / 200.)
		fail_msg("algorithm %d: %u instead of %.0f after %lld s", (int)algorithm, counts[0],
		    want, (long long)seconds);
	end(&b);
}

static void
test_weight_grows_evenly(void **state)
{
	static const int64_t seconds[] = { 0, 1, 8, 16, 32, 48, 63, 64, 100 };

	(void)state;
	for (uint32_t a = 0; a < ALGORITHMS; a++)
		for (uint32_t k = 0; k < sizeof(seconds) / sizeof(*seconds); k++)
			assert_risen(algorithms[a], seconds[k]);
}

/* A client whose server has come back stays with it. */
static void
test_hashed_keys_come_back_for_good(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < 2; a++) {
		struct balancer *b = make_rising(a ? BALANCE_CONSISTENT_HASH : BALANCE_IP_HASH, 5);
		bool back[2000] = { false };
		int home[2000];

		balancer_update(b, now + slow_start);
		for (uint32_t i = 0; i < 2000; i++)
			home[i] = pick(b, key(i));
		for (int64_t s = 0; s <= 64; s += 4) {
			balancer_update(b, now + s * NS_PER_S);
			for (uint32_t i = 0; i < 2000; i++) {
				int got = pick(b, key(i));

				if (home[i] != 0) /* not its: nothing moves */
					assert_int_equal(got, home[i]);
				assert_true(!back[i] || got == 0);
				back[i] = got == 0;
			}
		}
		end(&b);
	}
}

static void
test_who_rises_alone_has_all(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < ALGORITHMS; a++) {
		struct balancer *b = make_rising(algorithms[a], 3);

		server_set_admin(&table, servers[1].slot, ADMIN_DRAIN, 0);
		server_set_admin(&table, servers[2].slot, ADMIN_DRAIN, 0);
		balancer_update(b, now);
		assert_int_equal(who(b), 1);
		end(&b);
	}
}

static void
test_without_slow_start_all_at_once(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < ALGORITHMS; a++) {
		struct balancer *b = make_rising(algorithms[a], 4);
		uint32_t counts[SERVERS_MAX];

		balancer_slow_start(b, 0);
		assert_int_equal(balancer_update(b, now).due_ns, INT64_MAX);
		count_picks(b, KEYS, counts);
		assert_in_range(counts[0], .2 * KEYS, .3 * KEYS);
		end(&b);
	}
}

/* --- circuits --- */

static const struct breaker_config breaker = {
	.consecutive_failures = 1, .open = NS_PER_S, .max_open = NS_PER_S, .probes = 1
};
static _Atomic uint32_t ejected;

static void
open_circuit(uint32_t i)
{
	const struct breaker_room room = { &ejected, 100 };
	struct breaker_opening o;

	assert_true(
	    breaker_failed(&table.load[servers[i].slot].breaker, &breaker, room, 0, now, &o));
}

static void
test_open_circuits_get_nothing_but_are_named_in_time(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < ALGORITHMS; a++) {
		struct balancer *b = make_equal(algorithms[a], 5);
		struct balance_outlook o;

		open_circuit(1);
		open_circuit(3);
		o = balancer_update(b, now);
		assert_int_equal(who(b), 21);
		assert_int_equal(o.due_ns, now + NS_PER_S);
		assert_false(o.probes);
		assert_int_equal(balancer_suspect(b), -1);
		o = balancer_update(b, now + NS_PER_S);
		assert_true(o.probes);
		assert_int_equal(o.due_ns, INT64_MAX);
		assert_int_equal(balancer_suspect(b) + balancer_suspect(b), 4); /* both, in turn */
		assert_int_equal(who(b), 21);
		open_circuit(0);
		balancer_update(b, now + NS_PER_S);
		assert_true(balancer_panics(b)); /* more than half: all are tried */
		assert_int_equal(who(b), 31);
		end(&b);
		assert_int_equal(ejected, 0);
	}
}

/* Who may get nothing anyway is no suspect. */
static void
test_who_is_suspect(void **state)
{
	struct balancer *b = make_with_backups(BALANCE_ROUND_ROBIN, 5, 1);

	(void)state;
	for (uint32_t i = 1; i < 5; i++)
		open_circuit(i);
	server_set_health(&table, servers[1].slot, HEALTH_DOWN, 0);
	server_set_admin(&table, servers[2].slot, ADMIN_MAINTENANCE, 0);
	assert_true(balancer_update(b, now + NS_PER_S).probes);
	assert_int_equal(balancer_suspect(b), 3);
	assert_int_equal(balancer_suspect(b), 3);
	server_set_weight(&table, servers[3].slot, 0);
	assert_false(balancer_update(b, now + NS_PER_S).probes);
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_backups_serve_when_no_other_can),
		CASE(test_backups_do_not_move_keys),
		CASE(test_backups_alone_are_none),
		CASE(test_weight_zero_lets_backups_serve),
		CASE(test_weight_grows_evenly),
		CASE(test_hashed_keys_come_back_for_good),
		CASE(test_who_rises_alone_has_all),
		CASE(test_without_slow_start_all_at_once),
		CASE(test_open_circuits_get_nothing_but_are_named_in_time),
		CASE(test_who_is_suspect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
