/* test_health_probe_tcp.c - what must be in an answer, cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lbd/health/probe_tcp.h"

static void
test_answers(void **state)
{
	static const struct {
		struct health_config conf;
		struct str answer;
		size_t enough; /* bytes of it; 0: never */
		const char *reason; /* at its end */
	} rows[] = {
		{ { .expect = { "+PONG", 5 } }, { "+PONG\r\n", 7 }, 5, "answered as expected" },
		{ { .expect = { "ready", 5 } }, { "220 ready\r\n", 11 }, 9,
		    "answered as expected" },
		{ { .expect = { "+PONG", 5 } }, { "-ERR no\r\n", 9 }, 0,
		    "unexpected answer \"-ERR no\\x0d\\x0a\"" },
		{ { .expect_hex = { "\0\1", 2 } }, { "\0\0\1", 3 }, 3, "answered as expected" },
		{ { .expect_hex = { "\0\1", 2 } }, { "\0\0", 2 }, 0,
		    "unexpected answer \"\\x00\\x00\"" },
		{ { .expect = { "x", 1 } }, { "0123456789012345678901234567890123456789yz", 42 }, 0,
		    "unexpected answer 0123456789012345678901234567890123456789..." },
		{ { .expect = { "x", 1 } }, { "", 0 }, 0, "unexpected answer \"\"" },
	};
	char reason[PROBE_REASON_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (size_t n = 0; n <= rows[i].answer.n; n++) {
			struct str part = { rows[i].answer.p, n };
			bool enough = rows[i].enough && n >= rows[i].enough;

			assert_int_equal(
			    probe_tcp_judge(&rows[i].conf, part, false, reason), enough);
		}
		assert_int_equal(probe_tcp_judge(&rows[i].conf, rows[i].answer, true, reason),
		    rows[i].enough ? 1 : -1);
		assert_string_equal(reason, rows[i].reason);
	}
}

/* Every byte that may be there, each of the worst kind. */
static void
test_a_long_answer_fits_the_reason(void **state)
{
	const struct health_config conf = { .expect = { "x", 1 } };
	char answer[200], reason[PROBE_REASON_MAX];

	(void)state;
	memset(answer, 1, sizeof(answer));
	assert_int_equal(
	    probe_tcp_judge(&conf, (struct str){ answer, sizeof(answer) }, true, reason), -1);
	assert_true(strlen(reason) < PROBE_REASON_MAX);
}

static void
test_what_is_sent(void **state)
{
	const struct health_config text = { .send = { "PING", 4 } },
				   bytes = { .send_hex = { "\0", 1 } },
				   nothing = { .type = CHECK_TCP };

	(void)state;
	assert_int_equal(probe_tcp_send(&text).n, 4);
	assert_int_equal(probe_tcp_send(&bytes).n, 1);
	assert_int_equal(probe_tcp_send(&nothing).n, 0);
	assert_int_equal(probe_tcp_expect(&nothing).n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_a_long_answer_fits_the_reason),
		cmocka_unit_test(test_what_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
