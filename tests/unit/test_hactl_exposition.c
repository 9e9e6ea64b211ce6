/* test_hactl_exposition.c - samples out of the text of /metrics, and what hactl top adds up of them. */
#include "tests/unit/hactl_page.h"

#include "hafailover/hactl/exposition.h"
#include "hafailover/hactl/traffic.h"

static void
expect_str(struct str got, const char *expected)
{
	assert_non_null(got.p);
	assert_int_equal(got.n, strlen(expected));
	assert_memory_equal(got.p, expected, got.n);
}

static void
test_samples(void **state)
{
	struct str text = STR("# HELP a what\n# TYPE a counter\na 1\n\n"
			      "b{x=\"1\",yy=\"with } and \\\" and ,\"} 2.5\nc{} +Inf\nd 4e3");
	struct sample s;

	(void)state;
	assert_true(exposition_next(&text, &s));
	expect_str(s.name, "a");
	assert_true(s.value == 1.);
	assert_null(sample_label(&s, "x").p);
	assert_true(exposition_next(&text, &s));
	expect_str(s.name, "b");
	assert_true(s.value == 2.5);
	expect_str(sample_label(&s, "x"), "1");
	expect_str(sample_label(&s, "yy"), "with } and \\\" and ,");
	assert_null(sample_label(&s, "y").p);
	assert_true(exposition_next(&text, &s));
	expect_str(s.name, "c");
	assert_true(s.value > 1e300);
	assert_true(exposition_next(&text, &s));
	assert_true(s.value == 4e3);
	assert_false(exposition_next(&text, &s));
}

static void
test_nonsense_is_passed_over(void **state)
{
	static const char *const lines[] = { "", " ", "a", "a ", "a x", "a 1 2", "a{ 1", "a{b} ",
		"a{b=\"} 1", "a{b=\"\\\"} 1", "{ 1", "a{}1", "a{}", "a 1x" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		size_t n = strlen(lines[i]);
		char *exact = malloc(n ? n : 1);
		struct str text = { exact, n };
		struct sample s;

		assert_non_null(exact);
		memcpy(exact, lines[i], n);
		assert_false(exposition_next(&text, &s));
		free(exact);
	}
}

static void
test_labels_that_make_no_sense(void **state)
{
	static const char *const labels[] = { "x", "=\"1\"", "x=1", "x\"1\"", "x=\"1",
		"y=\"1\"x=\"2" };

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		struct sample s = { .labels = str_of(labels[i]) };

		sample_label(&s, "x");
		assert_null(sample_label(&s, "z").p);
	}
}

static const char metrics[] =
    "lbpair_requests_total{listener=\"in\",pool=\"web\",server=\"a\",code=\"200\"} 90\n"
    "lbpair_requests_total{listener=\"in\",pool=\"web\",server=\"a\",code=\"503\"} 4\n"
    "lbpair_requests_total{listener=\"in\",pool=\"web\",server=\"b\",code=\"204\"} 5\n"
    "lbpair_requests_total{listener=\"in\",pool=\"web\",server=\"\",code=\"503\"} 1\n"
    "lbpair_requests_total{listener=\"two\",pool=\"web\",server=\"a\",code=\"0\"} 2\n"
    "lbpair_request_duration_quantile_seconds{listener=\"in\",pool=\"web\",quantile=\"0.5\"} "
    "0.001\n"
    "lbpair_request_duration_quantile_seconds{listener=\"in\",pool=\"web\",quantile=\"0.999\"} 2\n"
    "lbpair_connections_total{listener=\"in\"} 7\n"
    "lbpair_connections_total{listener=\"two\"} 1\n"
    "lbpair_bytes_total{listener=\"in\",direction=\"in\"} 1000\n"
    "lbpair_bytes_total{listener=\"in\",direction=\"out\"} 2000\n"
    "lbpair_process_start_time_seconds 1795418659.855559612\n"
    "lbpair_unheard_of 9\n";

static void
test_traffic(void **state)
{
	struct traffic t;
	const struct traffic_row *r;

	(void)state;
	assert_int_equal(traffic_parse(&t, str_of(metrics)), 0);
	assert_true(traffic_requests(t.classes) == 102.);
	assert_true(t.classes[0] == 2. && t.classes[2] == 95. && t.classes[5] == 5.);
	assert_true(t.connections == 8. && t.bytes_in == 1000. && t.bytes_out == 2000.);
	assert_int_equal(t.routes.n, 2);
	assert_int_equal(t.servers.n, 2);
	r = traffic_find(&t.routes, STR("in"), STR("web"), STR(""));
	assert_non_null(r);
	assert_true(traffic_requests(r->classes) == 100.);
	assert_true(r->quantile_s[0] == 0.001 && r->quantile_s[1] < 0. && r->quantile_s[3] == 2.);
	r = traffic_find(&t.servers, STR(""), STR("web"), STR("a"));
	assert_non_null(r);
	assert_true(r->classes[0] == 2. && r->classes[2] == 90. && r->classes[5] == 4.);
	assert_null(traffic_find(&t.servers, STR(""), STR("web"), STR("c")));
	traffic_fini(&t);
}

/* Cut anywhere, in a block of exactly that size. */
static void
test_traffic_cut_off(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(metrics); n++) {
		char *exact = malloc(n ? n : 1);
		struct traffic t;

		assert_non_null(exact);
		memcpy(exact, metrics, n);
		assert_int_equal(traffic_parse(&t, (struct str){ exact, n }), 0);
		assert_true(traffic_requests(t.classes) <= 102.);
		traffic_fini(&t);
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_nonsense_is_passed_over),
		cmocka_unit_test(test_labels_that_make_no_sense),
		cmocka_unit_test(test_traffic),
		cmocka_unit_test(test_traffic_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
