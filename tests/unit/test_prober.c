/*
 * test_prober.c - what becomes of a server over time: verdicts, reloads, crashes, and many at once.
 */
#include "lbd/health/watch.h"
#include "tests/unit/prober_fixture.h"

static struct setting two; /* after a reload */

/* -- verdicts over time -- */

static void
test_fall_and_rise(void **state)
{
	uint32_t slot;
	uint64_t version, failed, passed;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, OK_ANSWER);
	setting_make(&one, CHECK_HTTP);
	slot = setting_add(&one, &f.address);
	assert_true(server_available(&table, slot)); /* no traffic is refused meanwhile */
	prober_use(&one.config);
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	version = table.version;
	passed = table.load[slot].checks_passed;
	RUN_UNTIL(table.load[slot].checks_passed == passed + 2);
	f.answer = ERROR_ANSWER;
	RUN_UNTIL(table.shared[slot].health == HEALTH_DOWN);
	assert_int_equal(table.load[slot].checks_failed, 3);
	assert_int_equal(table.version, version + 1);
	failed = table.load[slot].checks_failed;
	RUN_UNTIL(table.load[slot].checks_failed == failed + 2);
	assert_int_equal(table.load[slot].up_since_ns, 0); /* no slow start at the start */
	f.answer = OK_ANSWER;
	passed = table.load[slot].checks_passed;
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	assert_int_equal(table.load[slot].checks_passed, passed + 2);
	assert_int_equal(table.version, version + 2);
	assert_true(table.load[slot].up_since_ns > 0);
	fake_stop(&f);
}

/* Workers cannot reach it: it is checked now, not after an interval, and one success is enough. */
static void
test_suspect(void **state)
{
	uint32_t slot;
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_TCP);
	one.pool.health.interval = 1000 * NS_PER_S;
	slot = setting_add(&one, &f.address);
	server_set_unreachable(&table, slot, true);
	prober_suspect(prober, slot); /* not watched yet: nothing happens */
	prober_use(&one.config);
	prober_suspect(prober, slot);
	RUN_UNTIL(server_available(&table, slot));
	assert_true(table.load[slot].up_since_ns > 0);
	assert_int_equal(checks(slot), 1);
	prober_suspect(prober, slot); /* it is reachable: nothing to check */
	assert_int_equal(prober_running(prober), 0);
	fake_stop(&f);
}

/* Workers that complain again and again cause no more checks than a server in doubt gets. */
static void
test_suspect_is_not_a_flood(void **state)
{
	uint32_t slot;
	int64_t began;
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_TCP);
	one.pool.health.interval = 1 * NS_PER_S; /* in doubt: 200 ms */
	slot = setting_add(&one, &f.address);
	began = clock_ns();
	prober_use(&one.config);
	while (checks(slot) < 4) {
		server_set_unreachable(&table, slot, true);
		prober_suspect(prober, slot);
		RUN_UNTIL(server_available(&table, slot));
	}
	assert_true(clock_ns() - began >= 590 * NS_PER_MS);
	fake_stop(&f);
}

/* What has no check is given another chance after the cool-down. */
static void
test_unchecked_server(void **state)
{
	struct watch_site site = { .loop = loop, .table = &table };
	struct fake f;
	struct watch *w;
	uint32_t slot;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_NONE);
	slot = setting_add(&one, &f.address);
	server_set_health(&table, slot, HEALTH_DOWN, 0); /* by a check that there was once */
	w = watch_new(&site, slot);
	assert_true(watch_adopt(w, &one.pool, &one.servers[0], NULL));
	watch_begin(w, 0);
	assert_int_equal(table.shared[slot].health, HEALTH_UNKNOWN);
	assert_false(ev_is_active(&w->due));
	server_set_unreachable(&table, slot, true);
	watch_suspect(w);
	assert_true(ev_is_active(&w->due));
	assert_true(ev_timer_remaining(loop, &w->due) > 4.9);
	assert_true(ev_timer_remaining(loop, &w->due) < 5.1);
	assert_false(server_available(&table, slot));
	ev_timer_stop(loop, &w->due);
	ev_invoke(loop, &w->due, EV_TIMER);
	assert_true(server_available(&table, slot));
	assert_int_equal(checks(slot), 0);
	/* unreachable since before a crash: nobody will report it again */
	server_set_unreachable(&table, slot, true);
	watch_begin(w, 0);
	assert_true(ev_is_active(&w->due));
	assert_true(ev_timer_remaining(loop, &w->due) > 4.9);
	watch_free(&w);
	assert_null(w);
	fake_stop(&f);
}

/* -- reload and crash -- */

static void
test_reload_keeps_a_running_check(void **state)
{
	uint32_t slot;
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_HTTP);
	slot = setting_add(&one, &f.address);
	prober_use(&one.config);
	RUN_UNTIL(f.request[0]);
	setting_make(&two, CHECK_HTTP);
	assert_int_equal(setting_add(&two, &f.address), slot);
	prober_use(&two.config);
	memset(&one, 0xee, sizeof(one)); /* the old configuration is gone */
	assert_int_equal(prober_running(prober), 1);
	send(f.conns[0].io.fd, OK_ANSWER, sizeof(OK_ANSWER) - 1, MSG_NOSIGNAL);
	RUN_UNTIL(checks(slot) == 1);
	assert_int_equal(f.accepted, 1);
	assert_string_equal(prober_reason(prober, slot), "status 200");
	fake_stop(&f);
}

static void
test_reload_keeps_schedule_and_counts(void **state)
{
	uint32_t slot, i;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, OK_ANSWER);
	setting_make(&one, CHECK_HTTP);
	setting_make(&two, CHECK_HTTP);
	one.pool.health.interval = two.pool.health.interval = 1000 * NS_PER_S;
	slot = setting_add(&one, &f.address);
	setting_add(&two, &f.address);
	prober_use(&one.config);
	RUN_UNTIL(checks(slot) == 1);
	for (i = 0; i < 10; i++) {
		prober_use(i % 2 ? &one.config : &two.config);
		ev_run(loop, EVRUN_NOWAIT);
	}
	assert_int_equal(f.accepted, 1);
	assert_int_equal(table.shared[slot].checks_good, 1);
	assert_string_equal(prober_reason(prober, slot), "status 200");
	fake_stop(&f);
}

static void
test_reload_drops_what_is_gone(void **state)
{
	uint32_t slot;
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_HTTP);
	slot = setting_add(&one, &f.address);
	prober_use(&one.config);
	RUN_UNTIL(f.request[0]);
	setting_make(&two, CHECK_HTTP);
	prober_use(&two.config);
	assert_int_equal(prober_running(prober), 0);
	RUN_UNTIL(f.gone == 1); /* the check was cut off */
	assert_int_equal(checks(slot), 0);
	assert_string_equal(prober_reason(prober, slot), "");
	prober_suspect(prober, slot);
	fake_stop(&f);
}

static void
test_reload_with_another_check_begins_anew(void **state)
{
	uint32_t slot, n;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, ERROR_ANSWER);
	setting_make(&one, CHECK_HTTP);
	setting_make(&two, CHECK_HTTP);
	one.pool.health.interval = two.pool.health.interval = 1 * NS_PER_S;
	two.pool.health.path = STR("/alive");
	slot = setting_add(&one, &f.address);
	setting_add(&two, &f.address);
	prober_use(&one.config);
	RUN_UNTIL(checks(slot) == 1);
	assert_int_equal(table.shared[slot].health, HEALTH_DOWN);
	f.answer = OK_ANSWER;
	n = f.accepted;
	prober_use(&two.config);
	assert_int_equal(table.shared[slot].health, HEALTH_DOWN); /* until the new check speaks */
	assert_int_equal(table.shared[slot].checks_bad, 0);
	RUN_UNTIL(f.accepted == n + 1);
	RUN_UNTIL(checks(slot) == 2);
	assert_memory_equal(f.request, "GET /alive ", 11);
	assert_int_equal(table.shared[slot].health, HEALTH_DOWN);
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	assert_int_equal(checks(slot), 3);
	fake_stop(&f);
}

/* The same name at another address is another server: its first check decides. */
static void
test_reload_with_another_address(void **state)
{
	struct fake f, g;
	uint32_t slot;

	(void)state;
	fake_start(&f, HANG, "");
	fake_stop(&f);
	fake_start(&g, ANSWER, OK_ANSWER);
	setting_make(&one, CHECK_HTTP);
	setting_make(&two, CHECK_HTTP);
	slot = setting_add(&one, &f.address);
	setting_add(&two, &g.address);
	prober_use(&one.config);
	RUN_UNTIL(table.shared[slot].health == HEALTH_DOWN);
	server_set_unreachable(&table, slot, true);
	prober_use(&two.config);
	assert_int_equal(table.shared[slot].health, HEALTH_UNKNOWN);
	assert_true(server_available(&table, slot));
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	assert_int_equal(table.load[slot].checks_passed, 1);
	fake_stop(&g);
}

static void
test_crash_forgets_nothing(void **state)
{
	uint32_t slot;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, ERROR_ANSWER);
	setting_make(&one, CHECK_HTTP);
	one.pool.health.rise = 5;
	slot = setting_add(&one, &f.address);
	server_set_health(&table, slot, HEALTH_DOWN, 42);
	table.shared[slot].checks_good = 3;
	server_set_unreachable(&table, slot, true);
	prober_free(&prober);
	server_table_fini(&table);
	assert_int_equal(server_table_init(&table, shared), 0);
	prober = prober_new(loop, &table, NULL, NULL);
	assert_non_null(prober);
	f.answer = OK_ANSWER;
	prober_use(&one.config);
	assert_int_equal(table.shared[slot].health, HEALTH_DOWN);
	assert_int_equal(table.shared[slot].changed_wall_ns, 42);
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	assert_int_equal(table.load[slot].checks_passed, 2); /* 3 and 2 are 5 */
	assert_int_equal(table.shared[slot].unreachable, 0);
	fake_stop(&f);
}

/* -- many, and our own faults -- */

static void
test_many_servers(void **state)
{
	struct address address;
	int fd = listen_at("127.0.0.1:0", 4096, &address); /* answers nothing */
	uint32_t i, most = 0, most_waiting = 0;
	int64_t began = clock_ns();
	uint64_t done = 0;

	(void)state;
	setting_make(&one, CHECK_HTTP);
	one.pool.health.interval = 1000 * NS_PER_S;
	one.pool.health.timeout = 300 * NS_PER_MS;
	for (i = 0; i < SERVERS_MAX; i++)
		setting_add(&one, &address);
	prober_use(&one.config);
	ev_run(loop, EVRUN_NOWAIT);
	/* the first few at once, then one every 2 ms */
	assert_in_range(prober_running(prober), 1, 17 + (clock_ns() - began) / NS_PER_MS / 2);
	while (done < SERVERS_MAX) {
		ev_run(loop, EVRUN_ONCE);
		most = prober_running(prober) > most ? prober_running(prober) : most;
		most_waiting =
		    prober_waiting(prober) > most_waiting ? prober_waiting(prober) : most_waiting;
		for (done = 0, i = 0; i < SERVERS_MAX; i++)
			done += checks(one.servers[i].slot);
	}
	assert_int_equal(most, PROBER_CHECKS_MAX);
	assert_true(most_waiting > 50);
	assert_int_equal(prober_running(prober) + prober_waiting(prober), 0);
	for (i = 0; i < SERVERS_MAX; i++)
		assert_string_equal(
		    prober_reason(prober, one.servers[i].slot), "timeout after 300ms (response)");
	close(fd);
}

static void
on_stall(struct ev_loop *l, ev_timer *w, int revents)
{
	struct fake *f = w->data;
	int64_t until = clock_ns() + 300 * NS_PER_MS;

	(void)l;
	(void)revents;
	send(f->conns[0].io.fd, OK_ANSWER, sizeof(OK_ANSWER) - 1, MSG_NOSIGNAL);
	while (clock_ns() < until)
		usleep(10000); /* our own main thread hangs */
}

/* The server answered in time; we looked too late.  That is our fault, not the server's. */
static void
test_stall_fails_nobody(void **state)
{
	ev_timer stall;
	struct fake f;
	uint32_t slot;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_HTTP);
	one.pool.health.timeout = 100 * NS_PER_MS;
	slot = setting_add(&one, &f.address);
	prober_use(&one.config);
	RUN_UNTIL(f.request[0]);
	ev_timer_init(&stall, on_stall, 0., 0.);
	stall.data = &f;
	ev_timer_start(loop, &stall);
	RUN_UNTIL(checks(slot) == 1);
	assert_string_equal(prober_reason(prober, slot), "status 200");
	fake_stop(&f);
}

/* Of connections from or to that address. */
static uint32_t
time_waits(const struct address *a)
{
	FILE *file = fopen("/proc/net/tcp", "r");
	unsigned local, remote, status;
	char line[256];
	uint32_t n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " %*d: %x:%*x %x:%*x %x", &local, &remote, &status) == 3)
			n += status == 6 &&
			    (local == a->in.sin_addr.s_addr || remote == a->in.sin_addr.s_addr);
	fclose(file);
	return n;
}

static void
test_nothing_in_time_wait(void **state)
{
	unsigned pid = (unsigned)getpid();
	uint32_t slot;
	struct fake f;
	char text[32];

	(void)state;
	/* an address of our own: the port may have been that of another process a moment ago */
	snprintf(text, sizeof(text), "127.%u.%u.%u:0", 64 + (pid >> 16 & 63), pid >> 8 & 255,
	    1 + pid % 254);
	assert_true(fake_start_at(&f, text, ANSWER, OK_ANSWER));
	setting_make(&one, CHECK_HTTP);
	one.pool.health.interval = 10 * NS_PER_MS;
	slot = setting_add(&one, &f.address);
	prober_use(&one.config);
	RUN_UNTIL(checks(slot) >= 20 && f.gone >= 20);
	assert_int_equal(time_waits(&f.address), 0);
	fake_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_fall_and_rise),
		CASE(test_suspect),
		CASE(test_suspect_is_not_a_flood),
		CASE(test_unchecked_server),
		CASE(test_reload_keeps_a_running_check),
		CASE(test_reload_keeps_schedule_and_counts),
		CASE(test_reload_drops_what_is_gone),
		CASE(test_reload_with_another_check_begins_anew),
		CASE(test_reload_with_another_address),
		CASE(test_crash_forgets_nothing),
		CASE(test_many_servers),
		CASE(test_stall_fails_nobody),
		CASE(test_nothing_in_time_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
