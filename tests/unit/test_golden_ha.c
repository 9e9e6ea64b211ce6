/*
 * test_golden_ha.c - tests/golden_ha: every file of hafailover's; a good one's effective configuration must load
 * to itself with the same digest.
 *
 * This machine has 192.0.2.11, 192.0.2.21 and 2001:db8::11.
 */
#include "tests/unit/golden.h"

#include "hafailover/config/config.h"

static bool
is_local(const struct address *a)
{
	char text[ADDRESS_TEXT_MAX];

	address_format_host(a, text);
	return strcmp(text, "192.0.2.11") == 0 || strcmp(text, "192.0.2.21") == 0 ||
	    strcmp(text, "2001:db8::11") == 0;
}

static struct ha_config *
load(const char *name, struct str text, struct problems *problems)
{
	const struct ha_config_options options = { .file = name, .is_local = is_local };

	return ha_config_load(text, &options, problems);
}

static char *
effective(const char *name, struct str text, struct problems *problems)
{
	struct ha_config *c = load(name, text, problems), *c2;
	char *printed, *again;

	if (!c)
		return NULL;
	printed = ha_config_print(c);
	c2 = load(name, str_of(printed), problems);
	if (!c2)
		fail_msg(
		    "%s: the effective configuration is refused: %s", name, problems->list[0].text);
	again = ha_config_print(c2);
	assert_string_equal(printed, again);
	assert_true(c->digest == c2->digest);
	ha_config_free(&c);
	ha_config_free(&c2);
	free(again);
	return printed;
}

static void
test_golden_files(void **state)
{
	(void)state;
	golden_files(&(struct golden){ "tests/golden_ha", effective, 70, 12 });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
