/*
 * test_golden.c - tests/golden: every file of lbd's; a good one's effective configuration must load to itself
 * with the same digest.
 *
 * A machine of 4 CPUs is assumed.
 */
#include "tests/unit/golden.h"

#include "lbd/config/config.h"

static struct lbd_config *
load(const char *name, struct str text, struct problems *problems)
{
	const struct config_options options = {
		.file = name,
		.node = "lb1",
		.cpus = 4,
	};

	return config_load(text, &options, problems);
}

static char *
effective(const char *name, struct str text, struct problems *problems)
{
	struct lbd_config *c = load(name, text, problems), *c2;
	char *printed, *again;

	if (!c)
		return NULL;
	printed = config_print(c);
	c2 = load(name, str_of(printed), problems);
	if (!c2)
		fail_msg(
		    "%s: the effective configuration is refused: %s", name, problems->list[0].text);
	again = config_print(c2);
	assert_string_equal(printed, again);
	assert_string_equal(c->digest, c2->digest);
	config_unref(&c);
	config_unref(&c2);
	free(again);
	return printed;
}

static void
test_golden_files(void **state)
{
	(void)state;
	golden_files(&(struct golden){ "tests/golden", effective, 75, 15 });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
