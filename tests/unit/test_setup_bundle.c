/* test_setup_bundle.c - files that arrive as they were, and what is no bundle. */
#include "tests/unit/hactl_page.h"

#include "hafailover/hactl/setup_bundle.h"

static int
unpack(struct setup_bundle *b, const char *text, struct err *err)
{
	return setup_bundle_unpack(b, text, strlen(text), err);
}

static void
test_to_the_byte(void **state)
{
	static char secret[] = "0123456789abcdef\n", lbd[] = "{ \"comment\": \"\u00fc\t\\n\" }\r\n";
	static char hafailover[] = "{}";
	const struct setup_bundle sent = { { secret, lbd, hafailover } },
				  less = { { secret, NULL, hafailover } };
	const struct setup_bundle *const rows[] = { &sent, &less };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *json = setup_bundle_pack(rows[i]);
		char *text = json_dumps(json, 0);
		struct setup_bundle got;
		struct err err;

		assert_int_equal(unpack(&got, text, &err), 0);
		for (size_t k = 0; k < SETUP_FILES; k++)
			if (rows[i]->texts[k])
				assert_string_equal(got.texts[k], rows[i]->texts[k]);
			else
				assert_null(got.texts[k]);
		setup_bundle_fini(&got);
		free(text);
		json_decref(json);
	}
}

static void
test_what_is_not_utf8_is_not_packed(void **state)
{
	static char secret[] = "\xff\xfe", hafailover[] = "{}";
	const struct setup_bundle b = { { secret, NULL, hafailover } };

	(void)state;
	assert_null(setup_bundle_pack(&b));
}

static void
test_what_is_no_bundle(void **state)
{
	static const struct {
		const char *text, *wrong;
	} rows[] = {
		{ "", "not what hactl setup --export prints" },
		{ "{}", "not what hactl setup --export prints" },
		{ "[]", "not what hactl setup --export prints" },
		{ "{\"secret\":\"x\",\"hafailover.json\":\"{}\"", "not what" },
		{ "{\"secret\":\"x\",\"hafailover.json\":\"{}\",\"more\":\"y\"}", "not what" },
		{ "{\"secret\":7,\"hafailover.json\":\"{}\"}", "not what" },
		{ "{\"secret\":\"a\\u0000b\",\"hafailover.json\":\"{}\"}", "not what" },
		{ "{\"secret\":\"a\",\"secret\":\"b\",\"hafailover.json\":\"{}\"}", "not what" },
		{ "{\"secret\":\"x\",\"lbd.json\":\"{}\"}", "hafailover.json is missing" },
		{ "{\"hafailover.json\":\"{}\"}", "secret is missing" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct setup_bundle b;
		struct err err;

		assert_int_not_equal(unpack(&b, rows[i].text, &err), 0);
		if (!strstr(err.text, rows[i].wrong))
			fail_msg("%s: %s", rows[i].text, err.text);
		for (size_t k = 0; k < SETUP_FILES; k++)
			assert_null(b.texts[k]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_the_byte),
		cmocka_unit_test(test_what_is_not_utf8_is_not_packed),
		cmocka_unit_test(test_what_is_no_bundle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
