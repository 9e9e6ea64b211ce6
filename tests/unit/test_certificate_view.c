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

/* Many live for days only: those are not alarming all the time. */
static void
test_revocations(void **state)
{
	static const struct {
		int64_t life_s, left_s;
		const char *name;
	} rows[] = {
		{ 100 * DAY_S, 14 * DAY_S, NULL },
		{ 100 * DAY_S, 14 * DAY_S - 1, "crl_expires" },
		{ 8 * DAY_S, 2 * DAY_S, NULL },
		{ 8 * DAY_S, 2 * DAY_S - 1, "crl_expires" },
		{ 8 * DAY_S, 0, "crl_expires" },
		{ 8 * DAY_S, -1, "crl_expired" },
		{ 100 * DAY_S, -50 * DAY_S, "crl_expired" },
	};
	struct tls_shelf_revocations r = { .path = STR("/r") };
	const int64_t now = NOW_S * NS_PER_S + 1;
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *name;

		r.lists.until = NOW_S + rows[i].left_s;
		r.lists.begun = r.lists.until - rows[i].life_s;
		name = revocations_alarm(&r, now, text, sizeof(text));
		assert_int_equal(name == NULL, rows[i].name == NULL);
		if (name)
			assert_string_equal(name, rows[i].name);
	}
	assert_string_equal(text, "/r has expired: certificates of clients are refused");
	assert_int_equal(revocations_days(&r, now), -50);
	r.lists.until = NOW_S + DAY_S;
	assert_non_null(revocations_alarm(&r, now, text, sizeof(text)));
	assert_string_equal(text, "/r expires in 1 days");
	r.lists.until = INT64_MAX;
	r.lists.begun = NOW_S;
	assert_null(revocations_alarm(&r, now, text, sizeof(text)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_days_and_alarms),
		cmocka_unit_test(test_revocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
