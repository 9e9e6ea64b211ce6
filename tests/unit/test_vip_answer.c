/* test_vip_answer.c - what answers mean, and which of two counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hafailover/vip/vip_answer.h"

static void
test_meaning(void **state)
{
	static const struct {
		enum probe_verdict verdict;
		bool holder, blind;
		enum election_vip means;
	} rows[] = {
		{ PROBE_SILENT, false, false, ELECTION_VIP_SILENT },
		{ PROBE_SILENT, true, true, ELECTION_VIP_SILENT },
		{ PROBE_ANSWERS, false, false, ELECTION_VIP_NO_SERVICE },
		{ PROBE_ANSWERS, false, true, ELECTION_VIP_SERVES }, /* who knows: nobody claims */
		{ PROBE_ANSWERS, true, true, ELECTION_VIP_NO_SERVICE }, /* another holder */
		{ PROBE_SERVES, false, false, ELECTION_VIP_SERVES },
		{ PROBE_FAILED, false, true, ELECTION_VIP_UNKNOWN },
		{ PROBE_FAILED, true, true, ELECTION_VIP_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(
		    vip_answer_of(rows[i].verdict, rows[i].holder, rows[i].blind), rows[i].means);
}

/* Whatever comes first, what tells more against a claim stays, and whose answer it was. */
static void
test_two_answers(void **state)
{
	static const enum election_vip rising[] = { ELECTION_VIP_UNKNOWN, ELECTION_VIP_SILENT,
		ELECTION_VIP_NO_SERVICE, ELECTION_VIP_SERVES };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 4; k++) {
			struct vip_answer a = { .result = ELECTION_VIP_UNKNOWN };
			unsigned most = i > k ? i : k;

			vip_answer_add(&a, rising[i], true);
			vip_answer_add(&a, rising[k], false);
			assert_int_equal(a.result, rising[most]);
			assert_int_equal(a.by_peer, i > 0 && i >= k);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meaning),
		cmocka_unit_test(test_two_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
