/*
 * test_metrics.c - the text of /metrics: a strict reader of the format, the sums, the names that the
 * manual promises, and what a reload does to series.
 */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lbd/admin/metrics.h"
#include "lbd/admin/metrics_text.h"
#include "lbd/admin/pool_view.h"
#include "tests/unit/admin_fixture.h"

/* --- the reader --- */

enum { SERIES_MAX = 4096, NAME_MAX_ = 512 };

struct series {
	char text[NAME_MAX_]; /* name and labels, as written */
	double value;
};

struct parsed {
	struct series series[SERIES_MAX];
	size_t n;
};

static struct parsed parsed;

struct reader {
	char family[NAME_MAX_], type[16];
	bool has_type;
	size_t family_from; /* its first series */
	char families[128][NAME_MAX_];
	size_t n_families;
};

static size_t
name_length(const char *p)
{
	size_t n = 0;

	if (isalpha((unsigned char)*p) || *p == '_')
		while (isalnum((unsigned char)p[n]) || p[n] == '_')
			n++;
	return n;
}

/* After {key="value",...}; NULL when it is not well formed. */
static const char *
labels_end(const char *p)
{
	for (;;) {
		size_t n = name_length(p);

		if (n == 0 || strncmp(p + n, "=\"", 2) != 0)
			return NULL;
		for (p += n + 2; *p != '"'; p++) {
			if (*p == '\0')
				return NULL;
			if (*p == '\\' && *++p != '\\' && *p != '"' && *p != 'n')
				return NULL;
		}
		p++;
		if (*p == '}')
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

static bool
suffix_fits(const struct reader *r, const char *suffix, size_t n)
{
	static const char *const allowed[] = { "_bucket", "_sum", "_count" };

	if (strcmp(r->type, "histogram") != 0)
		return n == 0;
	for (size_t i = 0; i < 3; i++)
		if (n == strlen(allowed[i]) && strncmp(suffix, allowed[i], n) == 0)
			return true;
	return false;
}

static void
read_sample(struct reader *r, const char *line)
{
	size_t n = name_length(line), family = strlen(r->family);
	struct series *s = &parsed.series[parsed.n];
	const char *end = line + n;
	char *rest;

	assert_true(r->has_type);
	if (n < family || strncmp(line, r->family, family) != 0 ||
	    !suffix_fits(r, line + family, n - family))
		fail_msg("not of family %s: %s", r->family, line);
	if (*end == '{' && !(end = labels_end(end + 1)))
		fail_msg("labels: %s", line);
	assert_int_equal(*end, ' ');
	assert_true(end - line < NAME_MAX_);
	memcpy(s->text, line, (size_t)(end - line));
	s->text[end - line] = '\0';
	s->value = strtod(end + 1, &rest);
	assert_true(rest > end + 1 && *rest == '\0' && s->value >= 0);
	for (size_t i = 0; i < parsed.n; i++)
		assert_string_not_equal(parsed.series[i].text, s->text);
	parsed.n++;
	assert_true(parsed.n < SERIES_MAX);
}

static void
read_help(struct reader *r, const char *line)
{
	size_t n = name_length(line);

	assert_true(n > 0 && line[n] == ' ' && line[n + 1]);
	snprintf(r->family, sizeof(r->family), "%.*s", (int)n, line);
	for (size_t i = 0; i < r->n_families; i++)
		assert_string_not_equal(r->families[i], r->family);
	memcpy(r->families[r->n_families++], r->family, sizeof(r->family));
	r->has_type = false;
}

static void
read_type(struct reader *r, const char *line)
{
	size_t n = strlen(r->family);

	assert_false(r->has_type);
	assert_true(strncmp(line, r->family, n) == 0 && line[n] == ' ');
	snprintf(r->type, sizeof(r->type), "%s", line + n + 1);
	assert_true(strcmp(r->type, "counter") == 0 || strcmp(r->type, "gauge") == 0 ||
	    strcmp(r->type, "histogram") == 0);
	assert_int_equal(
	    strcmp(r->type, "counter") == 0, n > 6 && strcmp(r->family + n - 6, "_total") == 0);
	r->has_type = true;
	r->family_from = parsed.n;
}

/* The value of a series; -1 if there is none. */
static double
value_of(const char *series)
{
	for (size_t i = 0; i < parsed.n; i++)
		if (strcmp(parsed.series[i].text, series) == 0)
			return parsed.series[i].value;
	return -1;
}

/* Buckets rise in bound and count, end in +Inf, and that is the count. */
static void
check_histograms(void)
{
	double bound = 0, seen = 0;

	for (size_t i = 0; i < parsed.n; i++) {
		const char *text = parsed.series[i].text, *le = strstr(text, "le=\"");
		char count[NAME_MAX_];

		if (!strstr(text, "_bucket{"))
			continue;
		assert_non_null(le);
		assert_true(strtod(le + 4, NULL) > bound && parsed.series[i].value >= seen);
		bound = strtod(le + 4, NULL);
		seen = parsed.series[i].value;
		if (!isinf(bound))
			continue;
		snprintf(count, sizeof(count), "%.*s_count%.*s}",
		    (int)(strstr(text, "_bucket") - text), text, (int)(le - 1 - strchr(text, '{')),
		    strchr(text, '{'));
		assert_true(value_of(count) == seen);
		bound = seen = 0;
	}
}

static void
read_text(const struct text *text)
{
	struct reader r = { .n_families = 0 };
	char *copy = strdup(text->p), *line = copy, *end;

	parsed.n = 0;
	assert_int_equal(strlen(copy), text->n);
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (strncmp(line, "# HELP ", 7) == 0)
			read_help(&r, line + 7);
		else if (strncmp(line, "# TYPE ", 7) == 0)
			read_type(&r, line + 7);
		else
			read_sample(&r, line);
	}
	assert_int_equal(*line, '\0');
	free(copy);
	check_histograms();
}

static void
scrape(const struct fixture *f)
{
	struct text text;

	text_init(&text, METRICS_SIZE_MAX);
	assert_int_equal(metrics_write(&f->source, &f->state, clock_ns(), &text), 0);
	read_text(&text);
	text_fini(&text);
}

/* --- the tests --- */

static int
setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	fixture_free(&f);
	return 0;
}

static void
exchange(struct fixture *f, unsigned worker, unsigned listener, const struct server_config *s,
    uint16_t status, int64_t ms)
{
	stats_exchange(f->stats[worker],
	    &(struct stats_exchange){
		.listener = (uint16_t)f->listeners[listener].id,
		.pool = (uint16_t)f->pools[listener].id,
		.server = (uint16_t)s->id,
		.status = status,
		.duration_ns = ms * NS_PER_MS,
		.connect_ns = NS_PER_MS,
		.response_ns = 2 * NS_PER_MS,
	    },
	    clock_ns());
}

static void
assert_value(const char *series, double want)
{
	double found = value_of(series);

	if (fabs(found - want) > 1e-9)
		fail_msg("%s is %g, not %g", series, found, want);
}

/* Before the first request, everything that can be named is there. */
static void
test_series_of_a_fresh_start(void **state)
{
	static const char *const zero[] = {
		"lbpair_connections{listener=\"front\"}",
		"lbpair_connections_total{listener=\"side\"}",
		"lbpair_request_duration_seconds_count{listener=\"front\",pool=\"web\"}",
		"lbpair_request_duration_seconds_sum{listener=\"front\",pool=\"web\"}",
		"lbpair_upstream_connect_seconds_sum{pool=\"web\"}",
		"lbpair_upstream_response_seconds_bucket{pool=\"web\",le=\"+Inf\"}",
		"lbpair_server_active{pool=\"web\",server=\"unix:/run/b.sock\"}",
		"lbpair_server_idle_connections{pool=\"web\",server=\"a\"}",
		"lbpair_server_checks_total{pool=\"web\",server=\"a\",result=\"pass\"}",
		"lbpair_server_checks_total{pool=\"web\",server=\"a\",result=\"fail\"}",
		"lbpair_server_check_duration_seconds{pool=\"web\",server=\"a\"}",
		"lbpair_retries_total{pool=\"web\"}",
		"lbpair_retries_denied_total{pool=\"web\"}",
		"lbpair_pool_panic{pool=\"web\"}",
		"lbpair_rejected_total{listener=\"front\",reason=\"head_size\"}",
		"lbpair_rejected_total{listener=\"side\",reason=\"server_timeout\"}",
		"lbpair_bytes_total{listener=\"front\",direction=\"in\"}",
		"lbpair_bytes_total{listener=\"front\",direction=\"out\"}",
		"lbpair_worker_loop_lag_seconds{worker=\"0\"}",
		"lbpair_worker_loop_lag_seconds{worker=\"1\"}",
		"lbpair_access_log_written_total",
		"lbpair_access_log_dropped_total",
		"lbpair_uncounted_total",
		"lbpair_draining",
	};

	scrape(*state);
	for (size_t i = 0; i < sizeof(zero) / sizeof(*zero); i++)
		assert_value(zero[i], 0);
	assert_value("lbpair_config_info{digest=\"0123456789abcdef\"}", 1);
	assert_value("lbpair_build_info{version=\"" LBPAIR_VERSION "\"}", 1);
	assert_value("lbpair_ready", 1);
	assert_value("lbpair_proxy_generation", 3);
	assert_value("lbpair_server_up{pool=\"web\",server=\"a\"}", 1);
	assert_value("lbpair_server_weight{pool=\"web\",server=\"unix:/run/b.sock\"}", 5);
	assert_true(value_of("lbpair_process_start_time_seconds") > 1.6e9);
}

static void
test_workers_are_summed(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++) {
		exchange(f, 0, 0, &f->web[0], 200, 3);
		exchange(f, 1, 0, &f->web[0], 200, 3);
	}
	exchange(f, 1, 0, &f->web[1], 503, 700);
	counter_add(&stats_listener(f->stats[0], f->listeners[0].id)->connections, 3);
	counter_add(&stats_listener(f->stats[1], f->listeners[0].id)->connections, 4);
	counter_add(&stats_listener(f->stats[1], f->listeners[0].id)->bytes_out, 77);
	counter_add(
	    &stats_listener(f->stats[1], f->listeners[0].id)->rejected[END_SERVER_TIMEOUT], 2);
	counter_add(&stats_pool(f->stats[0], f->pools[0].id)->retries, 5);
	counter_add(&stats_pool(f->stats[1], f->pools[0].id)->retries, 6);
	stats_loop_lag(f->stats[1], 1500000);
	scrape(f);
	assert_value(
	    "lbpair_requests_total{listener=\"front\",pool=\"web\",server=\"a\",code=\"200\"}", 20);
	assert_value("lbpair_requests_total{listener=\"front\",pool=\"web\","
		     "server=\"unix:/run/b.sock\",code=\"503\"}",
	    1);
	assert_value("lbpair_request_duration_seconds_count{listener=\"front\",pool=\"web\"}", 21);
	assert_value("lbpair_request_duration_seconds_sum{listener=\"front\",pool=\"web\"}", 0.76);
	assert_value("lbpair_request_duration_seconds_bucket{listener=\"front\",pool=\"web\","
		     "le=\"0.0025\"}",
	    0);
	assert_value("lbpair_request_duration_seconds_bucket{listener=\"front\",pool=\"web\","
		     "le=\"0.005\"}",
	    20);
	assert_value("lbpair_upstream_connect_seconds_bucket{pool=\"web\",le=\"0.001\"}", 21);
	assert_value("lbpair_upstream_response_seconds_sum{pool=\"web\"}", 0.042);
	assert_value("lbpair_connections{listener=\"front\"}", 7);
	assert_value("lbpair_bytes_total{listener=\"front\",direction=\"out\"}", 77);
	assert_value("lbpair_rejected_total{listener=\"front\",reason=\"server_timeout\"}", 2);
	assert_value("lbpair_retries_total{pool=\"web\"}", 11);
	assert_value("lbpair_worker_loop_lag_seconds{worker=\"1\"}", 0.0015);
}

static void
test_quantiles_of_the_last_minute(void **state)
{
	static const char *const quantiles[] = { "0.5", "0.95", "0.99", "0.999" };
	static const double exact[] = { 0.5, 0.95, 0.99, 0.999 };
	struct fixture *f = *state;
	char series[256];

	scrape(f);
	assert_true(value_of("lbpair_request_duration_quantile_seconds{listener=\"front\","
			     "pool=\"web\",quantile=\"0.5\"}") < 0);
	for (int i = 1; i <= 1000; i++)
		exchange(f, i % 2, 0, &f->web[0], 200, i);
	scrape(f);
	for (size_t i = 0; i < 4; i++) {
		snprintf(series, sizeof(series),
		    "lbpair_request_duration_quantile_seconds{listener=\"front\",pool=\"web\","
		    "quantile=\"%s\"}",
		    quantiles[i]);
		assert_true(fabs(value_of(series) - exact[i]) <= 0.05 * exact[i]);
	}
}

static void
test_requests_of_nobody(void **state)
{
	struct fixture *f = *state;
	struct stats_exchange x = { (uint16_t)f->listeners[1].id, STATS_NO_POOL, STATS_NO_SERVER, 0,
		NS_PER_MS, -1, -1 };

	stats_exchange(f->stats[0], &x, clock_ns());
	scrape(f);
	assert_value(
	    "lbpair_requests_total{listener=\"side\",pool=\"\",server=\"\",code=\"0\"}", 1);
	assert_value("lbpair_request_duration_seconds_count{listener=\"side\",pool=\"\"}", 1);
}

static void
test_labels_are_escaped(void **state)
{
	struct fixture *f = *state;

	exchange(f, 0, 1, &f->odd[0], 200, 1);
	scrape(f);
	assert_value("lbpair_server_up{pool=\"o\\\"d\\\\d\\n\",server=\"c\"}", 1);
	assert_value("lbpair_requests_total{listener=\"side\",pool=\"o\\\"d\\\\d\\n\",server=\"c\","
		     "code=\"200\"}",
	    1);
}

static void
test_servers_in_every_state(void **state)
{
	struct fixture *f = *state;
	uint32_t a = f->web[0].slot, b = f->web[1].slot;

	server_set_health(&f->servers, a, HEALTH_DOWN, 1);
	server_set_admin(&f->servers, b, ADMIN_MAINTENANCE, 1);
	server_set_weight(&f->servers, b, 77);
	atomic_store(&f->servers.active[b], 4);
	atomic_store(&f->servers.load[b].idle_connections, 9);
	atomic_store(&f->servers.load[a].checks_failed, 12);
	atomic_store(&f->servers.load[a].check_duration_us, 2500);
	scrape(f);
	assert_value("lbpair_server_up{pool=\"web\",server=\"a\"}", 0);
	assert_value("lbpair_server_available{pool=\"web\",server=\"a\"}", 0);
	assert_value("lbpair_server_up{pool=\"web\",server=\"unix:/run/b.sock\"}", 1);
	assert_value("lbpair_server_available{pool=\"web\",server=\"unix:/run/b.sock\"}", 0);
	assert_value("lbpair_server_weight{pool=\"web\",server=\"unix:/run/b.sock\"}", 77);
	assert_value("lbpair_server_active{pool=\"web\",server=\"unix:/run/b.sock\"}", 4);
	assert_value("lbpair_server_idle_connections{pool=\"web\",server=\"unix:/run/b.sock\"}", 9);
	assert_value("lbpair_server_checks_total{pool=\"web\",server=\"a\",result=\"fail\"}", 12);
	assert_value("lbpair_server_check_duration_seconds{pool=\"web\",server=\"a\"}", 0.0025);
	assert_value("lbpair_pool_panic{pool=\"web\"}", 1);
}

static void
set_state(struct fixture *f, uint32_t slot, unsigned bits)
{
	static const struct breaker_config conf = { .consecutive_failures = 1, .open = 1 };
	const struct breaker_room room = { &f->servers.pools[0].ejected, 2 };
	struct breaker_opening o;

	server_set_health(&f->servers, slot, bits & 1 ? HEALTH_DOWN : HEALTH_UP, 1);
	server_set_admin(&f->servers, slot, bits & 2 ? ADMIN_DRAIN : ADMIN_READY, 1);
	server_set_weight(&f->servers, slot, bits & 4 ? 0 : -1);
	server_set_unreachable(&f->servers, slot, bits & 8);
	server_circuit_reset(&f->servers, slot);
	if (bits & 16)
		breaker_failed(&f->servers.load[slot].breaker, &conf, room, 0, 1, &o);
}

/* The same rule as the balancer's, so the same answer in every state of two servers. */
static void
assert_panic_is_the_balancers(struct fixture *f)
{
	struct balance_server servers[2];
	struct balancer *balancer;

	for (unsigned i = 0; i < 2; i++)
		servers[i] = (struct balance_server){ f->web[i].name, f->web[i].slot,
			f->web[i].weight, f->web[i].max_connections, f->web[i].backup };
	balancer = balancer_new(BALANCE_ROUND_ROBIN, servers, 2, &f->servers, 1);
	assert_non_null(balancer);
	for (unsigned bits = 0; bits < 1 << 10; bits++) {
		for (unsigned i = 0; i < 2; i++)
			set_state(f, f->web[i].slot, bits >> 5 * i);
		balancer_update(balancer, 0);
		assert_int_equal(
		    pool_view(&f->servers, &f->pools[0]).panics, balancer_panics(balancer));
	}
	scrape(f);
	assert_value("lbpair_pool_panic{pool=\"web\"}", balancer_panics(balancer));
	balancer_free(&balancer);
}

static void
test_panic_is_the_balancers(void **state)
{
	struct fixture *f = *state;

	for (unsigned backups = 0; backups < 4; backups++) {
		f->web[0].backup = backups & 1;
		f->web[1].backup = backups & 2;
		assert_panic_is_the_balancers(f);
	}
}

/* A slot that a removed server had goes to a new one: nothing of the old one's counts does. */
static void
test_a_new_server_starts_at_zero(void **state)
{
	struct fixture *f = *state;
	struct server_config old = f->web[0];
	uint32_t kept[] = { f->web[1].slot, f->odd[0].slot };

	exchange(f, 0, 0, &old, 200, 1);
	server_table_keep(&f->servers, kept, 2);
	f->web[0] = fixture_server(f, STR("web"), STR("new"), 1);
	assert_int_equal(f->web[0].slot, old.slot);
	scrape(f);
	assert_true(value_of("lbpair_requests_total{listener=\"front\",pool=\"web\","
			     "server=\"new\",code=\"200\"}") < 0);
	assert_true(value_of("lbpair_requests_total{listener=\"front\",pool=\"web\","
			     "server=\"a\",code=\"200\"}") < 0);
	exchange(f, 0, 0, &f->web[0], 200, 1);
	scrape(f);
	assert_value(
	    "lbpair_requests_total{listener=\"front\",pool=\"web\",server=\"new\",code=\"200\"}",
	    1);
	f->web[0] = fixture_server(f, STR("web"), STR("a"), 1);
	scrape(f);
	assert_value(
	    "lbpair_requests_total{listener=\"front\",pool=\"web\",server=\"a\",code=\"200\"}", 1);
}

static void
test_too_long_a_text_fails(void **state)
{
	struct fixture *f = *state;
	struct text text;

	text_init(&text, 1000);
	assert_true(metrics_write(&f->source, &f->state, clock_ns(), &text) < 0);
	text_fini(&text);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_series_of_a_fresh_start),
		WITH_FIXTURE(test_workers_are_summed),
		WITH_FIXTURE(test_quantiles_of_the_last_minute),
		WITH_FIXTURE(test_requests_of_nobody),
		WITH_FIXTURE(test_labels_are_escaped),
		WITH_FIXTURE(test_servers_in_every_state),
		WITH_FIXTURE(test_panic_is_the_balancers),
		WITH_FIXTURE(test_a_new_server_starts_at_zero),
		WITH_FIXTURE(test_too_long_a_text_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
