/* test_access_log.c - lines to the byte, hostile text, and the ring at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "lbd/worker/access_log_ring.h"
#include "tests/unit/access_log_example.h"

enum { RING = 65536 };

static char line[ACCESS_LINE_MAX];

static void
assert_line(const struct access_record *r, enum access_log_format format, const char *want)
{
	size_t n = access_log_format(r, format, line);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(line, want, n);
}

static void
test_a_line_of_json(void **state)
{
	struct access_record r = record_example();

	(void)state;
	r.bytes_out = UINT64_MAX;
	assert_line(&r, ACCESS_LOG_JSON,
	    "{\"time\":\"2026-01-31T12:00:00.007Z\",\"listener\":\"front\",\"client\":\"192.0.2."
	    "7\","
	    "\"method\":\"GET\",\"host\":\"www.example.org\",\"target\":\"/a?b=c\","
	    "\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes_in\":81,"
	    "\"bytes_out\":18446744073709551615,\"duration_ms\":12.346,\"connect_ms\":0.000,"
	    "\"response_ms\":null,\"pool\":\"web\",\"server\":\"s1\",\"retries\":1,"
	    "\"request_id\":\"abc123\",\"tls_version\":\"TLSv1.3\",\"termination\":\"ok\"}\n");
}

static void
test_a_combined_line(void **state)
{
	struct access_record r = record_example();

	(void)state;
	assert_line(&r, ACCESS_LOG_COMBINED,
	    "192.0.2.7 - - [31/Jan/2026:12:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 512 "
	    "\"http://example.org/\" \"curl/8\"\n");
}

static void
test_a_request_that_was_none(void **state)
{
	struct access_record r = {
		.client = STR("2001:db8::1"), .connect_ns = -1, .response_ns = -1
	};

	(void)state;
	r.termination = (enum termination)REFUSE_REQUEST_LINE;
	assert_line(&r, ACCESS_LOG_COMBINED,
	    "2001:db8::1 - - [01/Jan/1970:00:00:00 +0000] \"-\" 000 0 \"-\" \"-\"\n");
	assert_line(&r, ACCESS_LOG_JSON,
	    "{\"time\":\"1970-01-01T00:00:00.000Z\",\"listener\":\"\",\"client\":\"2001:db8::1\","
	    "\"method\":\"\",\"host\":\"\",\"target\":\"\",\"protocol\":\"HTTP/1.0\",\"status\":0,"
	    "\"bytes_in\":0,\"bytes_out\":0,\"duration_ms\":0.000,\"connect_ms\":null,"
	    "\"response_ms\":null,\"pool\":\"\",\"server\":\"\",\"retries\":0,\"request_id\":\"\","
	    "\"tls_version\":\"\",\"termination\":\"request_line\"}\n");
	assert_int_equal(access_log_format(&r, ACCESS_LOG_OFF, line), 0);
}

static void
test_times_at_their_edges(void **state)
{
	static const struct {
		int64_t wall_ns;
		const char *want;
	} rows[] = {
		{ 951782399 * NS_PER_S + 999999999, "{\"time\":\"2000-02-28T23:59:59.999Z\"" },
		{ 951782400 * NS_PER_S, "{\"time\":\"2000-02-29T00:00:00.000Z\"" },
		{ 4102444799 * NS_PER_S, "{\"time\":\"2099-12-31T23:59:59.000Z\"" },
		{ 951782400 * NS_PER_S + 1, "{\"time\":\"2000-02-29T00:00:00.000Z\"" },
	};
	struct access_record r = record_example();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		r.wall_ns = rows[i].wall_ns;
		access_log_format(&r, ACCESS_LOG_JSON, line);
		assert_memory_equal(line, rows[i].want, strlen(rows[i].want));
	}
}

static void
test_hostile_text_is_escaped(void **state)
{
	static const struct {
		struct str in;
		const char *json, *combined;
	} rows[] = {
		{ STR("\"\\"), "\\\"\\\\", "\\x22\\x5c" },
		{ STR("a\r\nb"), "a\\u000d\\u000ab", "a\\x0d\\x0ab" },
		{ STR("\0\x1b[2J\x7f"), "\\u0000\\u001b[2J\\u007f", "\\x00\\x1b[2J\\x7f" },
		{ STR("\xc3\xa9"), "\xc3\xa9", "\\xc3\\xa9" },
		{ STR("\xe2\x82\xac"), "\xe2\x82\xac", "\\xe2\\x82\\xac" },
		{ STR("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80", "\\xf0\\x9f\\x98\\x80" },
		{ STR("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf", "\\xf4\\x8f\\xbf\\xbf" },
		/* not UTF-8: alone, cut short, overlong, a surrogate, too high */
		{ STR("\x80\xff"), "\\u0080\\u00ff", "\\x80\\xff" },
		{ STR("\xe2\x82"), "\\u00e2\\u0082", "\\xe2\\x82" },
		{ STR("\xe2\x82\""), "\\u00e2\\u0082\\\"", "\\xe2\\x82\\x22" },
		{ STR("\xc0\xaf"), "\\u00c0\\u00af", "\\xc0\\xaf" },
		{ STR("\xe0\x80\xaf"), "\\u00e0\\u0080\\u00af", "\\xe0\\x80\\xaf" },
		{ STR("\xf0\x80\x80\xaf"), "\\u00f0\\u0080\\u0080\\u00af", "\\xf0\\x80\\x80\\xaf" },
		{ STR("\xed\xa0\x80"), "\\u00ed\\u00a0\\u0080", "\\xed\\xa0\\x80" },
		{ STR("\xf4\x90\x80\x80"), "\\u00f4\\u0090\\u0080\\u0080", "\\xf4\\x90\\x80\\x80" },
		/* a control character of terminals, well encoded */
		{ STR("\xc2\x9b"), "\\u00c2\\u009b", "\\xc2\\x9b" },
	};
	struct access_record r = record_example();
	char want[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		r.target = rows[i].in;
		access_log_format(&r, ACCESS_LOG_JSON, line);
		snprintf(want, sizeof(want), "\"target\":\"%s\",\"protocol\"", rows[i].json);
		if (!strstr(line, want))
			fail_msg("row %zu: no %s in %s", i, want, line);
		line[access_log_format(&r, ACCESS_LOG_COMBINED, line)] = '\0';
		snprintf(want, sizeof(want), "\"GET %s HTTP/1.1\"", rows[i].combined);
		if (!strstr(line, want))
			fail_msg("row %zu: no %s in %s", i, want, line);
	}
}

/* Eight bytes are looked at in one go: every byte at every place among plain ones. */
static void
test_every_byte_at_every_place(void **state)
{
	struct access_record r = record_example();
	char target[32], want[64];

	(void)state;
	for (size_t at = 0; at < sizeof(target); at++)
		for (int c = 0; c < 256; c++) {
			bool plain = c >= ' ' && c < 0x7f && c != '"' && c != '\\';
			size_t n = 0;

			memset(target, 'a' + (int)at % 26, sizeof(target));
			target[at] = (char)c;
			for (size_t i = 0; i < sizeof(target); i++)
				if (i != at || plain)
					want[n++] = target[i];
				else
					n += (size_t)sprintf(want + n, "\\x%02x", (unsigned)c);
			r.target = (struct str){ target, sizeof(target) };
			access_log_format(&r, ACCESS_LOG_COMBINED, line);
			assert_memory_equal(strstr(line, "\"GET ") + 5, want, n);
			assert_memory_equal(strstr(line, "\"GET ") + 5 + n, " HTTP/1.1\" ", 11);
		}
}

/* Each text as long as it can be and of the bytes that grow most; then random bytes. */
static void
test_no_line_is_too_long_or_broken(void **state)
{
	static char bytes[100000];
	struct access_record r = record_example();
	struct str all = { bytes, sizeof(bytes) };

	(void)state;
	r.listener = r.client = r.method = r.host = r.target = r.pool = r.server = r.request_id =
	    r.referer = r.user_agent = r.tls_version = all;
	memset(bytes, '\x80', sizeof(bytes));
	for (int round = 0; round < 50; round++) {
		char *exact = malloc(ACCESS_LINE_MAX);
		size_t n = access_log_format(&r, ACCESS_LOG_JSON, exact);
		json_t *object = json_loadb(exact, n, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(object);
		assert_int_equal(json_object_size(object), 19);
		assert_non_null(
		    strstr(json_string_value(json_object_get(object, "target")), "..."));
		json_decref(object);
		assert_ptr_equal(memchr(exact, '\n', n), exact + n - 1);
		n = access_log_format(&r, ACCESS_LOG_COMBINED, exact);
		assert_ptr_equal(memchr(exact, '\n', n), exact + n - 1);
		free(exact);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] =
			    (char)(rand() >> 7 | 1); /* no NUL: jansson's strings end there */
	}
}

static void
test_the_ring_keeps_what_was_put(void **state)
{
	static char bytes[20000];
	struct access_record r = record_example();
	struct access_ring ring;
	unsigned put = 0, got = 0;

	(void)state;
	assert_int_equal(access_ring_init(&ring, RING), 0);
	srand(1);
	while (got < 20000) {
		size_t n = (size_t)rand() % (rand() % 50 ? 200 : sizeof(bytes));

		memset(bytes, 'a' + (int)(put % 26), n);
		r.target = (struct str){ bytes, n };
		r.bytes_in = put;
		r.bytes_out = n;
		access_ring_put(&ring, &r);
		if (counter_get(&ring.dropped) == 0) {
			put++;
			continue;
		}
		atomic_store(&ring.dropped, 0);
		for (size_t end = access_ring_end(&ring); got < put; got++) {
			const struct access_record *seen = access_ring_first(&ring, end);

			assert_non_null(seen);
			assert_int_equal(seen->bytes_in, got);
			assert_int_equal(seen->target.n, seen->bytes_out);
			for (size_t i = 0; i < seen->target.n; i++)
				assert_int_equal(seen->target.p[i], 'a' + (int)(got % 26));
			assert_true(str_eq(seen->host, STR("www.example.org")));
			access_ring_pop(&ring);
		}
		assert_true(access_ring_empty(&ring));
	}
	access_ring_fini(&ring);
}

static void
test_a_full_ring_drops_and_counts(void **state)
{
	struct access_record r = record_example();
	struct access_ring ring;
	unsigned put = 0, got = 0;

	(void)state;
	assert_int_equal(access_ring_init(&ring, RING), 0);
	while (counter_get(&ring.dropped) == 0) {
		r.bytes_in = put++;
		access_ring_put(&ring, &r);
	}
	assert_true(put > 100);
	assert_true(access_ring_half_full(&ring));
	access_ring_put(&ring, &r);
	assert_int_equal(counter_get(&ring.dropped), 2);
	for (size_t end = access_ring_end(&ring); access_ring_first(&ring, end); got++)
		access_ring_pop(&ring);
	assert_int_equal(got, put - 1);
	access_ring_put(&ring, &r);
	assert_int_equal(counter_get(&ring.dropped), 2);
	access_ring_fini(&ring);
}

static void
test_a_record_larger_than_the_ring_is_dropped(void **state)
{
	static char bytes[8192];
	struct access_record r = record_example();
	struct access_ring ring;

	(void)state;
	assert_int_equal(access_ring_init(&ring, 1), 0);
	r.target = (struct str){ bytes, sizeof(bytes) };
	access_ring_put(&ring, &r);
	assert_int_equal(counter_get(&ring.dropped), 1);
	assert_true(access_ring_empty(&ring));
	access_ring_fini(&ring);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_of_json),
		cmocka_unit_test(test_a_combined_line),
		cmocka_unit_test(test_a_request_that_was_none),
		cmocka_unit_test(test_times_at_their_edges),
		cmocka_unit_test(test_hostile_text_is_escaped),
		cmocka_unit_test(test_every_byte_at_every_place),
		cmocka_unit_test(test_no_line_is_too_long_or_broken),
		cmocka_unit_test(test_the_ring_keeps_what_was_put),
		cmocka_unit_test(test_a_full_ring_drops_and_counts),
		cmocka_unit_test(test_a_record_larger_than_the_ring_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
