/* test_server_table.c - slots, verdicts and loads; the last test is for ThreadSanitizer. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/balance/server_table.h"

static struct server_table table;

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

static uint32_t
slot_of(const char *pool, const char *server)
{
	int slot = server_table_slot(&table, str_of(pool), str_of(server));

	assert_true(slot >= 0);
	return (uint32_t)slot;
}

static void
test_slot_is_found_again(void **state)
{
	uint32_t a = slot_of("web", "a"), b = slot_of("web", "b"), c = slot_of("api", "a");

	(void)state;
	assert_true(a != b && b != c && a != c);
	assert_int_equal(slot_of("web", "a"), a);
	assert_int_equal(slot_of("api", "a"), c);
	assert_string_equal(table.shared[b].key, "web/b");
}

static void
test_new_slot_is_unknown_and_ready(void **state)
{
	uint32_t a = slot_of("web", "a");

	(void)state;
	assert_int_equal(table.shared[a].health, HEALTH_UNKNOWN);
	assert_int_equal(table.shared[a].admin, ADMIN_READY);
	assert_int_equal(table.shared[a].weight, -1);
	assert_true(server_available(&table, a));
	assert_int_equal(server_weight(&table, a, 7), 7);
}

static void
test_key_length_limit(void **state)
{
	char name[SERVER_KEY_MAX];
	uint32_t slot;

	(void)state;
	memset(name, 'x', sizeof(name));
	/* pool, slash and NUL are three bytes of the key */
	slot =
	    (uint32_t)server_table_slot(&table, STR("p"), (struct str){ name, SERVER_KEY_MAX - 3 });
	assert_int_equal(strlen(table.shared[slot].key), SERVER_KEY_MAX - 1);
	assert_int_equal(
	    server_table_slot(&table, STR("p"), (struct str){ name, SERVER_KEY_MAX - 2 }),
	    -ENAMETOOLONG);
}

static void
test_all_slots_taken(void **state)
{
	uint32_t i, keep[2] = { 3, 16000 };
	char name[16];

	(void)state;
	for (i = 0; i < SERVER_SLOTS_MAX; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		assert_int_equal(slot_of("pool", name), i);
	}
	assert_int_equal(server_table_slot(&table, STR("pool"), STR("more")), -ENOSPC);
	assert_int_equal(slot_of("pool", "s16383"), 16383);
	server_table_keep(&table, keep, 2);
	assert_int_equal(slot_of("pool", "s16000"), 16000);
	assert_int_equal(slot_of("pool", "more"), 0);
	assert_int_equal(slot_of("pool", "s1"), 1);
	assert_int_equal(slot_of("pool", "s2"), 2);
	assert_int_equal(slot_of("pool", "s4"), 4);
}

static void
test_member_begins_like_its_name(void **state)
{
	uint32_t name, m;

	(void)state;
	assert_int_equal(server_table_find(&table, STR("web"), STR("app")), -ENOENT);
	m = (uint32_t)server_table_member(&table, STR("web"), STR("app#1"), STR("app"));
	assert_int_equal(server_table_find(&table, STR("web"), STR("app")), -ENOENT);
	assert_int_equal(table.shared[m].admin, ADMIN_READY);
	name = slot_of("web", "app");
	server_set_admin(&table, name, ADMIN_DRAIN, 42);
	server_set_weight(&table, name, 9);
	assert_int_equal(server_table_member(&table, STR("web"), STR("app#1"), STR("app")), m);
	assert_int_equal(table.shared[m].admin, ADMIN_READY); /* no new one */
	m = (uint32_t)server_table_member(&table, STR("web"), STR("app#2"), STR("app"));
	assert_int_equal(table.shared[m].admin, ADMIN_DRAIN);
	assert_int_equal(server_weight(&table, m, 1), 9);
	assert_int_equal(table.shared[m].changed_wall_ns, 42);
	m = (uint32_t)server_table_member(&table, STR("api"), STR("app#2"), STR("app"));
	assert_int_equal(table.shared[m].admin, ADMIN_READY); /* another pool's */
	m = (uint32_t)server_table_member(&table, STR("web"), STR("b"), STR(""));
	assert_int_equal(table.shared[m].admin, ADMIN_READY);
}

static void
test_keep_forgets_the_others(void **state)
{
	uint32_t a = slot_of("web", "a"), b = slot_of("web", "b");

	(void)state;
	server_set_health(&table, a, HEALTH_DOWN, 1);
	server_set_health(&table, b, HEALTH_DOWN, 1);
	server_set_weight(&table, b, 9);
	table.load[b].checks_failed = 5;
	server_table_keep(&table, &a, 1);
	assert_int_equal(table.shared[a].used, 1);
	assert_int_equal(slot_of("web", "b"), b);
	assert_int_equal(table.shared[b].health, HEALTH_UNKNOWN);
	assert_int_equal(table.shared[b].weight, -1);
	assert_int_equal(table.load[b].checks_failed, 0);
	assert_int_equal(table.shared[a].health, HEALTH_DOWN);
}

static void
test_crash_keeps_verdicts_and_clears_loads(void **state)
{
	uint32_t a = slot_of("web", "a"), b = slot_of("web", "b");

	server_set_health(&table, a, HEALTH_DOWN, 42);
	server_set_admin(&table, b, ADMIN_DRAIN, 43);
	server_set_weight(&table, b, 3);
	server_set_unreachable(&table, b, true);
	table.active[a] = 17;
	server_table_fini(&table);
	assert_int_equal(server_table_init(&table, *state), 0);
	assert_int_equal(slot_of("web", "b"), b);
	assert_int_equal(slot_of("web", "a"), a);
	assert_int_equal(table.shared[a].health, HEALTH_DOWN);
	assert_int_equal(table.shared[a].changed_wall_ns, 42);
	assert_int_equal(table.shared[b].admin, ADMIN_DRAIN);
	assert_int_equal(table.shared[b].unreachable, 1);
	assert_int_equal(server_weight(&table, b, 1), 3);
	assert_int_equal(table.active[a], 0);
}

static void
test_crash_left_nonsense(void **state)
{
	struct server_shared *s = *state;

	memset(s[5].key, 'k', SERVER_KEY_MAX);
	s[5].health = 77;
	s[5].admin = 3;
	s[5].weight = SERVER_WEIGHT_MAX + 1;
	s[6].key[0] = 'b';
	s[6].weight = -2;
	server_table_fini(&table);
	assert_int_equal(server_table_init(&table, *state), 0);
	assert_int_equal(strlen(s[5].key), SERVER_KEY_MAX - 1);
	assert_int_equal(s[5].health, HEALTH_UNKNOWN);
	assert_int_equal(s[5].admin, ADMIN_READY);
	assert_int_equal(s[5].weight, -1);
	assert_int_equal(s[6].weight, -1);
}

static void
test_available(void **state)
{
	static const struct {
		enum server_health health;
		enum server_admin admin;
		bool unreachable, available, keeps;
	} rows[] = {
		{ HEALTH_UNKNOWN, ADMIN_READY, false, true, true },
		{ HEALTH_UP, ADMIN_READY, false, true, true },
		{ HEALTH_DOWN, ADMIN_READY, false, false, false },
		{ HEALTH_NEW, ADMIN_READY, false, false, false },
		{ HEALTH_UP, ADMIN_DRAIN, false, false, true },
		{ HEALTH_DOWN, ADMIN_DRAIN, false, false, false },
		{ HEALTH_UP, ADMIN_DRAIN, true, false, false },
		{ HEALTH_UP, ADMIN_MAINTENANCE, false, false, false },
		{ HEALTH_UP, ADMIN_READY, true, false, false },
		{ HEALTH_UNKNOWN, ADMIN_READY, true, false, false },
	};
	uint32_t a = slot_of("web", "a");
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		server_set_health(&table, a, rows[i].health, 0);
		server_set_admin(&table, a, rows[i].admin, 0);
		server_set_unreachable(&table, a, rows[i].unreachable);
		assert_int_equal(server_available(&table, a), rows[i].available);
		assert_int_equal(server_keeps(&table, a), rows[i].keeps);
		assert_int_equal(server_operating(&table, a), rows[i].admin == ADMIN_READY);
	}
}

static void
test_drained(void **state)
{
	uint32_t a = slot_of("web", "a");

	(void)state;
	assert_false(server_drained(&table, a)); /* it may get requests */
	table.active[a] = 1;
	table.load[a].connections = 2;
	assert_true(server_set_admin(&table, a, ADMIN_DRAIN, 1));
	table.active[a] = 0;
	assert_false(server_drained(&table, a));
	table.load[a].connections = 0;
	assert_true(server_drained(&table, a));
	assert_true(server_drained_now(&table, a));
	assert_false(server_drained_now(&table, a)); /* it was told */
	assert_true(server_drained(&table, a));
	assert_true(server_set_admin(&table, a, ADMIN_MAINTENANCE, 1));
	assert_true(server_drained_now(&table, a));
	assert_true(server_set_admin(&table, a, ADMIN_DRAIN, 1));
	assert_true(server_set_admin(&table, a, ADMIN_READY, 1));
	assert_false(table.load[a].drains);
	/* nothing is left after a crash, which is news */
	assert_true(server_set_admin(&table, a, ADMIN_DRAIN, 1));
	table.active[a] = 1;
	server_table_fini(&table);
	assert_int_equal(server_table_init(&table, *state), 0);
	assert_true(server_drained_now(&table, a));
}

static void
count_change(void *arg)
{
	++*(unsigned *)arg;
}

static void
test_version_counts_changes_only(void **state)
{
	unsigned told = 0;
	uint32_t a = slot_of("web", "a");
	uint64_t version = table.version;

	(void)state;
	table.changed = count_change;
	table.changed_arg = &told;
	assert_true(version > 0); /* a balancer that was built for nothing starts at 0 */
	assert_false(server_set_health(&table, a, HEALTH_UNKNOWN, 1));
	assert_false(server_set_admin(&table, a, ADMIN_READY, 1));
	assert_false(server_set_weight(&table, a, -1));
	assert_false(server_set_unreachable(&table, a, false));
	assert_int_equal(table.version, version);
	assert_int_equal(table.shared[a].changed_wall_ns, 0);
	assert_true(server_set_health(&table, a, HEALTH_UP, 1));
	assert_true(server_set_admin(&table, a, ADMIN_DRAIN, 2));
	assert_true(server_set_weight(&table, a, 0));
	assert_true(server_set_unreachable(&table, a, true));
	assert_int_equal(table.version, version + 4);
	assert_int_equal(told, 4);
	assert_int_equal(table.shared[a].changed_wall_ns, 2);
	assert_int_equal(server_weight(&table, a, 5), 0);
}

static void
test_three_connect_failures_take_out(void **state)
{
	uint32_t a = slot_of("web", "a");

	(void)state;
	assert_false(server_connect_failed(&table, a));
	assert_false(server_connect_failed(&table, a));
	server_connect_worked(&table, a);
	assert_false(server_connect_failed(&table, a));
	assert_false(server_connect_failed(&table, a));
	assert_true(server_available(&table, a));
	assert_true(server_connect_failed(&table, a));
	assert_false(server_available(&table, a));
	assert_false(server_connect_failed(&table, a)); /* once is enough */
	server_connect_worked(&table, a);
	assert_false(server_available(&table, a)); /* only a check brings it back */
	assert_true(server_set_unreachable(&table, a, false));
	assert_false(server_connect_failed(&table, a)); /* and counting starts anew */
}

static void
test_response_time_follows_peaks_at_once(void **state)
{
	uint32_t a = slot_of("web", "a");
	int64_t now = 1000 * NS_PER_S;

	(void)state;
	assert_true(server_response_us(&table, a, now) == 0);
	server_response_time(&table, a, 1000, now);
	assert_true(server_response_us(&table, a, now) == 1000);
	server_response_time(&table, a, 5000, now + 1);
	assert_true(server_response_us(&table, a, now + 1) == 5000);
	server_response_time(&table, a, 1000, now + 1 + 10 * NS_PER_S);
	assert_true(fabs(table.load[a].response_ewma_us - (1000 + 4000 * exp(-1))) < 0.001);
	server_response_time(&table, a, 0, now + 4000 * NS_PER_S);
	assert_true(table.load[a].response_ewma_us > 0); /* 0 would read as no sample */
}

static void
test_response_time_fades_without_samples(void **state)
{
	uint32_t a = slot_of("web", "a");
	int64_t now = 1000 * NS_PER_S;

	(void)state;
	server_response_time(&table, a, 1000, now);
	assert_true(fabs(server_response_us(&table, a, now + 10 * NS_PER_S) - 367.9) < 0.1);
	/* another worker's clock may be a little behind */
	assert_true(server_response_us(&table, a, now - NS_PER_S) == 1000);
}

/*
 * A sample every 10 us changes less than a microsecond each; the average must come down all the
 * same.
 */
static void
test_response_time_falls_under_quick_samples(void **state)
{
	uint32_t a = slot_of("web", "a"), i;
	int64_t now = 1000 * NS_PER_S;

	(void)state;
	server_response_time(&table, a, 1000, now);
	for (i = 0; i < 1000000; i++)
		server_response_time(&table, a, 100, now += 10 * NS_PER_US);
	assert_true(fabs(table.load[a].response_ewma_us - (100 + 900 * exp(-1))) < 1);
}

enum { THREADS = 4, STEPS = 20000 };

struct hammer {
	pthread_t thread;
	uint32_t slot, taken_out, backwards;
};

static void *
hammer_run(void *arg)
{
	struct hammer *h = arg;
	uint64_t version, seen = 0;
	uint32_t i;

	for (i = 0; i < STEPS; i++) {
		atomic_fetch_add_explicit(&table.active[h->slot], 1, memory_order_relaxed);
		h->taken_out += server_connect_failed(&table, h->slot);
		server_response_time(&table, h->slot, i % 100 + 1, (int64_t)i * NS_PER_MS);
		version = atomic_load_explicit(&table.version, memory_order_acquire);
		h->backwards += version < seen;
		seen = version;
		if (server_available(&table, h->slot))
			server_weight(&table, h->slot, 1);
		if (i % 2)
			atomic_fetch_sub_explicit(&table.active[h->slot], 1, memory_order_relaxed);
	}
	return NULL;
}

/*
 * Workers report while the main thread judges: nothing is lost, and each way out is reported once.
 */
static void
test_threads(void **state)
{
	struct hammer hammers[THREADS] = { 0 };
	uint32_t a = slot_of("web", "a"), i, out = 0, back = 0;

	(void)state;
	for (i = 0; i < THREADS; i++) {
		hammers[i].slot = a;
		assert_int_equal(
		    pthread_create(&hammers[i].thread, NULL, hammer_run, &hammers[i]), 0);
	}
	for (i = 0; i < STEPS; i++) {
		back += server_set_unreachable(&table, a, false);
		server_set_health(&table, a, i % 2 ? HEALTH_UP : HEALTH_DOWN, i);
		server_set_weight(&table, a, (int32_t)(i % 100));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(hammers[i].thread, NULL);
		out += hammers[i].taken_out;
		assert_int_equal(hammers[i].backwards, 0);
	}
	assert_int_equal(table.active[a], THREADS * STEPS / 2);
	assert_true(out > 0);
	assert_int_equal(out, back + table.shared[a].unreachable);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_slot_is_found_again),
		CASE(test_new_slot_is_unknown_and_ready),
		CASE(test_key_length_limit),
		CASE(test_all_slots_taken),
		CASE(test_member_begins_like_its_name),
		CASE(test_keep_forgets_the_others),
		CASE(test_crash_keeps_verdicts_and_clears_loads),
		CASE(test_crash_left_nonsense),
		CASE(test_available),
		CASE(test_drained),
		CASE(test_version_counts_changes_only),
		CASE(test_three_connect_failures_take_out),
		CASE(test_response_time_follows_peaks_at_once),
		CASE(test_response_time_fades_without_samples),
		CASE(test_response_time_falls_under_quick_samples),
		CASE(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
