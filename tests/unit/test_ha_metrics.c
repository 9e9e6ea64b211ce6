/* test_ha_metrics.c - each family of hafailover's metrics, by what stands in the view. */
#include "hafailover/admin/metrics.h"

#include "tests/unit/view_fixture.h"

static char *
page(const struct fixture *f)
{
	struct text t;
	char *s;
	size_t n;

	text_init(&t, METRICS_SIZE_MAX);
	ha_metrics_write(&f->view, &t);
	assert_false(t.failed);
	s = strndup(t.p, t.n);
	assert_non_null(s);
	n = t.n;
	text_fini(&t);
	assert_true(n > 0 && s[n - 1] == '\n');
	return s;
}

static void
assert_line(const char *page, const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (!strstr(page, wanted))
		fail_msg("no line %s in\n%s", line, page);
}

static void
test_values(void **state)
{
	struct fixture f;
	char *p;

	(void)state;
	fixture_init(&f);
	f.transitions[CAUSE_STALL] = 3;
	f.link.counters[0].sent[PACKET_OK] = 11;
	f.link.counters[1].received[PACKET_FORGED] = 12;
	f.election.alarms = ALARM_DAMPED;
	f.election.dual_total_ns = 1500 * NS_PER_MS;
	p = page(&f);
	assert_line(p, "lbpair_ha_role{role=\"active\"} 1");
	assert_line(p, "lbpair_ha_role{role=\"backup\"} 0");
	assert_line(p, "lbpair_ha_transitions_total{cause=\"stall\"} 3");
	assert_line(p, "lbpair_ha_transitions_total{cause=\"operator\"} 0");
	assert_null(strstr(p, "cause=\"none\""));
	assert_line(
	    p, "lbpair_ha_heartbeats_total{path=\"10.0.0.2\",direction=\"sent\",result=\"ok\"} 11");
	assert_line(p,
	    "lbpair_ha_heartbeats_total{path=\"10.1.0.2\",direction=\"received\","
	    "result=\"forged\"} 12");
	assert_line(p, "lbpair_ha_peer_reachable 0");
	assert_line(p, "lbpair_ha_dual_active_seconds_total 1.500000000");
	assert_line(p, "lbpair_ha_term 6");
	assert_line(p, "lbpair_ha_eligible 1");
	assert_line(p, "lbpair_ha_vip_held{address=\"192.0.2.9\"} 1");
	assert_line(p, "lbpair_ha_vip_held{address=\"2001:db8::9\"} 0");
	assert_line(p, "lbpair_ha_alarm{name=\"damped\"} 1");
	assert_line(p, "lbpair_ha_alarm{name=\"dual_active\"} 0");
	free(p);
}

/* What lasts still counts already. */
static void
test_now(void **state)
{
	struct fixture f;
	char *p;

	(void)state;
	fixture_init(&f);
	fixture_meet(&f);
	f.election.dual_total_ns = NS_PER_S;
	f.election.dual_since_ns = FIXTURE_NOW - 250 * NS_PER_MS;
	f.election.dual_certain = true;
	f.view.track.eligible = false;
	p = page(&f);
	assert_line(p, "lbpair_ha_dual_active_seconds_total 1.250000000");
	assert_line(p, "lbpair_ha_peer_reachable 1");
	assert_line(p, "lbpair_ha_eligible 0");
	free(p);
}

static void
test_hooks(void **state)
{
	static const uint64_t runs[HA_HOOKS][HOOK_RESULTS] = { { 1, 2, 3 }, { 4, 5, 6 },
		{ 7, 8, 9 } };
	struct fixture f;
	char *p;

	(void)state;
	fixture_init(&f);
	p = page(&f);
	assert_null(strstr(p, "hook"));
	free(p);
	f.view.hook = (struct hook_report){ .configured = true, .failing = true, .runs = runs };
	p = page(&f);
	assert_line(p, "lbpair_ha_hook_runs_total{hook=\"active\",result=\"failed\"} 2");
	assert_line(p, "lbpair_ha_hook_runs_total{hook=\"backup\",result=\"ok\"} 4");
	assert_line(p, "lbpair_ha_hook_runs_total{hook=\"fault\",result=\"superseded\"} 9");
	assert_line(p, "lbpair_ha_hook_failing 1");
	free(p);
}

/* Prometheus' buckets hold all that is below. */
static void
test_delay(void **state)
{
	struct fixture f;
	char line[128], *p;

	(void)state;
	fixture_init(&f);
	delay_add(&f.delay, 0, FIXTURE_NOW);
	delay_add(&f.delay, delay_bounds[1].ns, FIXTURE_NOW);
	delay_add(&f.delay, 3600 * NS_PER_S, FIXTURE_NOW);
	p = page(&f);
	snprintf(line, sizeof(line), "lbpair_ha_scheduling_delay_seconds_bucket{le=\"%s\"} 1",
	    delay_bounds[0].seconds);
	assert_line(p, line);
	snprintf(line, sizeof(line), "lbpair_ha_scheduling_delay_seconds_bucket{le=\"%s\"} 2",
	    delay_bounds[DELAY_BOUNDS - 1].seconds);
	assert_line(p, line);
	assert_line(p, "lbpair_ha_scheduling_delay_seconds_bucket{le=\"+Inf\"} 3");
	assert_line(p, "lbpair_ha_scheduling_delay_seconds_count 3");
	assert_line(p, "lbpair_ha_scheduling_delay_worst_seconds 3600.000000000");
	free(p);
}

/* A family is described once, before its samples, and no sample comes twice. */
static void
test_form(void **state)
{
	struct fixture f;
	char *p, *line, *next, *seen[512];
	char family[128] = "";
	unsigned n = 0;

	(void)state;
	fixture_init(&f);
	p = page(&f);
	for (line = p; *line; line = next) {
		char *end = strchr(line, '\n');

		*end = '\0';
		next = end + 1;
		if (sscanf(line, "# HELP %127s ", family) == 1)
			continue;
		if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_memory_equal(line + 7, family, strlen(family));
			continue;
		}
		assert_memory_equal(line, family, strlen(family));
		*strrchr(line, ' ') = '\0';
		for (unsigned i = 0; i < n; i++)
			assert_string_not_equal(seen[i], line);
		assert_true(n < sizeof(seen) / sizeof(*seen));
		seen[n++] = line;
	}
	assert_true(n > 80);
	free(p);
}

static void
test_witness(void **state)
{
	struct fixture f;
	char *p;

	(void)state;
	fixture_init(&f);
	p = page(&f);
	assert_null(strstr(p, "witness_packets"));
	assert_null(strstr(p, "ha_vote"));
	free(p);
	fixture_witness(&f);
	f.witness.counters.sent[ASK_OK] = 5;
	f.witness.counters.received[ASK_CHALLENGE] = 1;
	f.election.vote.peer_until_ns = 0;
	p = page(&f);
	assert_line(p, "lbpair_ha_witness_packets_total{direction=\"sent\",result=\"ok\"} 5");
	assert_line(
	    p, "lbpair_ha_witness_packets_total{direction=\"received\",result=\"challenge\"} 1");
	assert_line(p, "lbpair_ha_witness_reachable 1");
	assert_line(p, "lbpair_ha_vote{of=\"self\"} 1");
	assert_line(p, "lbpair_ha_vote{of=\"peer\"} 0");
	assert_line(p, "lbpair_ha_vote{of=\"witness\"} 1");
	assert_line(p, "lbpair_ha_alarm{name=\"witness_silent\"} 0");
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_witness),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_now),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
