/* test_certificate_view.c - days until a certificate ends, and when that is an alarm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/admin/certificate_view.h"

enum { NOW_S = 1795419000, DAY_S = 86400 };

static void
test_days_and_alarms(void **state)
{
	static const struct {
		int64_t left_s, days;
		const char *name, *text;
	} rows[] = {
		{ 100 * DAY_S, 100, NULL, NULL },
		{ 15 * DAY_S - 1, 14, NULL, NULL },
		{ 14 * DAY_S, 14, NULL, NULL },
		{ 14 * DAY_S - 1, 13, "certificate_expires", "/c expires in 13 days" },
		{ DAY_S, 1, "certificate_expires", "/c expires in 1 days" },
		{ DAY_S - 1, 0, "certificate_expires", "/c expires in 0 days" },
		{ 0, 0, "certificate_expires", "/c expires in 0 days" },
		{ -1, -1, "certificate_expired", "/c has expired" },
		{ -DAY_S, -1, "certificate_expired", "/c has expired" },
		{ -DAY_S - 1, -2, "certificate_expired", "/c has expired" },
	};
	struct tls_shelf_entry e = { .certificate = STR("/c") };
	const int64_t now = NOW_S * NS_PER_S + 1;
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *name;

		e.loaded.not_after = NOW_S + rows[i].left_s;
		assert_int_equal(certificate_days(&e, now), rows[i].days);
		name = certificate_alarm(&e, now, text, sizeof(text));
		assert_int_equal(name == NULL, rows[i].name == NULL);
		if (name)
			assert_string_equal(name, rows[i].name);
		if (name)
			assert_string_equal(text, rows[i].text);
	}
	e.ocsp = STR("/o");
	e.loaded.not_after = NOW_S + 20 * DAY_S;
	e.staple.until = NOW_S + 1;
	assert_null(certificate_alarm(&e, now, text, sizeof(text)));
	e.staple.until = NOW_S;
	assert_string_equal(certificate_alarm(&e, now, text, sizeof(text)), "ocsp_expired");
	e.staple.revoked = true;
	assert_string_equal(certificate_alarm(&e, now, text, sizeof(text)), "certificate_revoked");
	assert_string_equal(text, "/c is revoked, says /o");
	e.loaded.not_before = NOW_S + 1;
	assert_string_equal(certificate_alarm(&e, now, text, sizeof(text)), "certificate_early");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_days_and_alarms) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
