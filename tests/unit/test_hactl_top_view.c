/* test_hactl_top_view.c - what `hactl top` shows, from two moments. */
#include "tests/unit/hactl_page.h"

#include <stdio.h>

#include "common/clock.h"
#include "hafailover/hactl/top_view.h"

static const struct look plain = { 0, false };

static const char servers[] =
    "{'servers':[{'pool':'web','name':'a','health':'up','admin':'ready','reachable':true,"
    "'active':3,'connections':9},{'pool':'web','name':'b','health':'down','admin':'ready'}]}";

/* `scale`: how much happened so far. */
static void
moment_init(struct top_moment *m, double at_s, int pid, int scale)
{
	char status[1024], metrics[2048];

	*m = (struct top_moment){ .at_ns = (int64_t)(at_s * 1e9), .has_traffic = true };
	snprintf(status, sizeof(status),
	    "{'node':'lb1','pid':%d,'ready':true,'uptime_s':60,'servers_up':1,'servers_total':2,"
	    "'connections':5,'requests_total':%d,"
	    "'workers':[{'loop_lag_ms':0.25},{'loop_lag_ms':1.5}],"
	    "'alarms':[{'name':'pool_panic','pool':'web','text':'half are down'}]}",
	    pid, 110 * scale);
	snprintf(metrics, sizeof(metrics),
	    "lbpair_requests_total{listener=\"in\",pool=\"web\",server=\"a\",code=\"200\"} %d\n"
	    "lbpair_requests_total{listener=\"in\",pool=\"web\",server=\"\",code=\"503\"} %d\n"
	    "lbpair_request_duration_quantile_seconds{listener=\"in\",pool=\"web\",quantile="
	    "\"0.5\"} 0.00125\n"
	    "lbpair_request_duration_quantile_seconds{listener=\"in\",pool=\"web\",quantile="
	    "\"0.99\"} 1.5\n"
	    "lbpair_connections_total{listener=\"in\"} %d\n"
	    "lbpair_bytes_total{listener=\"in\",direction=\"in\"} %d\n"
	    "lbpair_bytes_total{listener=\"in\",direction=\"out\"} %d\n",
	    100 * scale, 10 * scale, 4 * scale, 500 * scale, 3000000 * scale);
	m->status = json_of(status);
	m->servers = json_of(servers);
	assert_int_equal(traffic_parse(&m->traffic, str_of(metrics)), 0);
}

static void
moment_fini(struct top_moment *m)
{
	json_decref(m->status);
	json_decref(m->servers);
	traffic_fini(&m->traffic);
}

static void
expect(const struct top_moment *now, const struct top_moment *before, const char *expected)
{
	struct top_view view = { now, before, plain };
	struct text page;

	page_begin(&page);
	top_view_print(&view, &page);
	page_expect(&page, expected);
}

static void
test_rates(void **state)
{
	struct top_moment before, now;

	(void)state;
	moment_init(&before, 10., 7, 1);
	moment_init(&now, 12., 7, 3);
	expect(&now, &before,
	    "lbd lb1: ready, up for 1 min 0 s, 1 of 2 servers up, 5 connections\n"
	    "2 workers, at most 1.50 ms late\n"
	    "110.0 requests per second\n"
	    "per second: 4.0 new connections, in 500.0 B, out 3.0 MB\n"
	    "answers per second:  1xx 0.0  2xx 100.0  3xx 0.0  4xx 0.0  5xx 10.0  none 0.0\n"
	    "\n"
	    "LISTENER  POOL  REQUESTS/s  5xx/s      P50  P95     P99  P99.9\n"
	    "in        web        110.0   10.0  1.25 ms    -  1.50 s      -\n"
	    "\n"
	    "POOL  SERVER  STATE  REQUESTS/s  5xx/s  ACTIVE  CONNECTIONS\n"
	    "web   a       up          100.0    0.0       3            9\n"
	    "web   b       down          0.0    0.0       0            0\n"
	    "\n"
	    "! pool web: half are down (pool_panic)\n");
	moment_fini(&before);
	moment_fini(&now);
}

/* The counters of another process, or none before: no rate is invented. */
static void
test_no_rates(void **state)
{
	static const char expected[] =
	    "lbd lb1: ready, up for 1 min 0 s, 1 of 2 servers up, 5 connections\n"
	    "2 workers, at most 1.50 ms late\n"
	    "- requests per second\n"
	    "per second: - new connections, in -, out -\n"
	    "answers per second:  1xx -  2xx -  3xx -  4xx -  5xx -  none -\n"
	    "\n"
	    "LISTENER  POOL  REQUESTS/s  5xx/s      P50  P95     P99  P99.9\n"
	    "in        web            -      -  1.25 ms    -  1.50 s      -\n"
	    "\n"
	    "POOL  SERVER  STATE  REQUESTS/s  5xx/s  ACTIVE  CONNECTIONS\n"
	    "web   a       up              -      -       3            9\n"
	    "web   b       down            -      -       0            0\n"
	    "\n"
	    "! pool web: half are down (pool_panic)\n";
	struct top_moment before, now, nothing = { 0 };

	(void)state;
	moment_init(&before, 10., 7, 1);
	moment_init(&now, 12., 8, 3);
	expect(&now, &before, expected);
	expect(&now, &nothing, expected);
	expect(&now, NULL, expected);
	moment_fini(&before);
	moment_fini(&now);
}

static void
test_without_metrics(void **state)
{
	struct top_moment before, now;

	(void)state;
	moment_init(&before, 10., 7, 1);
	moment_init(&now, 12., 7, 3);
	now.has_traffic = false;
	err_set(&now.why, -1, "lbd: \033refused");
	expect(&now, &before,
	    "lbd lb1: ready, up for 1 min 0 s, 1 of 2 servers up, 5 connections\n"
	    "2 workers, at most 1.50 ms late\n"
	    "110.0 requests per second\n"
	    "no codes, latencies and rates of servers: lbd: \\x1brefused\n"
	    "\n"
	    "POOL  SERVER  STATE  REQUESTS/s  5xx/s  ACTIVE  CONNECTIONS\n"
	    "web   a       up              -      -       3            9\n"
	    "web   b       down            -      -       0            0\n"
	    "\n"
	    "! pool web: half are down (pool_panic)\n");
	moment_fini(&before);
	moment_fini(&now);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_no_rates),
		cmocka_unit_test(test_without_metrics),
	};

	return cmocka_run_group_tests(tests, locale_set, NULL);
}
