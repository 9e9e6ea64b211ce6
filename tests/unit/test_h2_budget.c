/* test_h2_budget.c - how much is too much, and that useful work buys more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "common/clock.h"
#include "lbd/http/h2_budget.h"

/* How many such frames pass. */
static unsigned
frames_until(struct h2_budget *b, uint8_t type, size_t length, enum h2_offence offence)
{
	enum h2_offence got;
	unsigned n = 0;

	while ((got = h2_budget_frame(b, type, 0, length)) == H2_NO_OFFENCE && n < 100000)
		n++;
	assert_int_equal(got, offence);
	return n;
}

static void
test_floods(void **state)
{
	static const uint8_t control[] = { NGHTTP2_PRIORITY, NGHTTP2_SETTINGS, NGHTTP2_PING,
		NGHTTP2_WINDOW_UPDATE, NGHTTP2_GOAWAY, 0xbe };

	(void)state;
	for (size_t i = 0; i < sizeof(control); i++) {
		struct h2_budget b = { 0 };

		assert_int_equal(frames_until(&b, control[i], 8, H2_CONTROL_FRAMES), 1000);
	}
	{
		struct h2_budget resets = { 0 }, data = { 0 }, continuation = { 0 };

		assert_int_equal(frames_until(&resets, NGHTTP2_RST_STREAM, 4, H2_RESETS), 100);
		assert_int_equal(frames_until(&data, NGHTTP2_DATA, 0, H2_EMPTY_FRAMES), 32);
		assert_int_equal(
		    frames_until(&continuation, NGHTTP2_CONTINUATION, 0, H2_EMPTY_FRAMES), 32);
	}
}

static void
test_work_buys_more(void **state)
{
	struct h2_budget b = { .answers = 50 };

	(void)state;
	assert_int_equal(frames_until(&b, NGHTTP2_RST_STREAM, 4, H2_RESETS), 150);
	b = (struct h2_budget){ .requests = 10, .data_frames = 5 };
	assert_int_equal(frames_until(&b, NGHTTP2_PING, 8, H2_CONTROL_FRAMES), 1000 + 80 + 20);
	b = (struct h2_budget){ 0 };
	for (int i = 0; i < 10; i++) /* gRPC answers each small message with a PING */
		assert_int_equal(h2_budget_sent(&b, 6, false), H2_NO_OFFENCE);
	assert_int_equal(frames_until(&b, NGHTTP2_PING, 8, H2_CONTROL_FRAMES), 1000 + 40);
}

static void
test_time_allows_more(void **state)
{
	struct h2_budget b = { 0 };
	int64_t now = 77;

	(void)state;
	for (int i = 0; i < 5000; i++) { /* a stream that idles for a day, kept alive */
		now += 17 * NS_PER_S;
		assert_int_equal(h2_budget_bytes(&b, 17, now), H2_NO_OFFENCE);
		assert_int_equal(h2_budget_frame(&b, NGHTTP2_PING, 0, 8), H2_NO_OFFENCE);
	}
	b = (struct h2_budget){ 0 };
	assert_int_equal(h2_budget_bytes(&b, 13, 77), H2_NO_OFFENCE);
	assert_int_equal(h2_budget_bytes(&b, 13, 77 + 20 * NS_PER_S), H2_NO_OFFENCE);
	assert_int_equal(frames_until(&b, NGHTTP2_RST_STREAM, 4, H2_RESETS), 120);
}

/* CVE-2019-9518 is about those without END_STREAM; the others are as many as requests. */
static void
test_empty_frames_that_end_something(void **state)
{
	struct h2_budget b = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    h2_budget_frame(&b, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 0), H2_NO_OFFENCE);
}

static void
test_overhead(void **state)
{
	struct h2_budget b = { 0 };
	unsigned n = 0;

	(void)state;
	while (h2_budget_bytes(&b, 1024, 0) == H2_NO_OFFENCE)
		n++;
	assert_int_equal(n, 8 * 1024);
	b = (struct h2_budget){ 0 };
	for (n = 0; n < 100000; n++) { /* an upload in small pieces */
		assert_int_equal(h2_budget_bytes(&b, 9 + 100, 0), H2_NO_OFFENCE);
		assert_int_equal(h2_budget_frame(&b, NGHTTP2_DATA, 0, 100), H2_NO_OFFENCE);
	}
}

static void
test_crumbs(void **state)
{
	struct h2_budget b = { 0 };
	unsigned n = 0;

	(void)state;
	while (h2_budget_sent(&b, 1, true) == H2_NO_OFFENCE)
		n++;
	assert_int_equal(n, 1000);
	assert_int_equal(h2_budget_sent(&b, 1, false), H2_NO_OFFENCE); /* an answer of one byte */
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 0; i < H2_OFFENCES; i++)
		assert_non_null(h2_offence_name((enum h2_offence)i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_work_buys_more),
		cmocka_unit_test(test_time_allows_more),
		cmocka_unit_test(test_empty_frames_that_end_something),
		cmocka_unit_test(test_overhead),
		cmocka_unit_test(test_crumbs),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
