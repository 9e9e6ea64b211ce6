/*
 * test_golden_ha.c - every tests/golden_ha/NAME.json against NAME.want: the exact messages of a bad
 * file, or the effective configuration of a good one, which must load to itself with the same
 * digest.
 *
 * This machine has 192.0.2.11, 192.0.2.21 and 2001:db8::11.  GOLDEN_WRITE=1 writes the .want files
 * anew instead of comparing; read what changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>

#include "common/daemon_kinds.h"
#include "hafailover/config.h"

static const char folder[] = "tests/golden_ha";

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

/* With a NUL behind it, which is not counted. */
static char *
read_text(const char *name, size_t *n)
{
	char path[512], *bytes, *text;
	struct err err;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (file_read(path, HA_CONFIG_SIZE_MAX, &bytes, n, &err) < 0)
		fail_msg("%s", err.text);
	text = calloc(1, *n + 1);
	assert_non_null(text);
	memcpy(text, bytes, *n);
	free(bytes);
	return text;
}

/* The messages, one a line. */
static char *
problems_text(const struct problems *p)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	for (size_t i = 0; i < p->kept; i++)
		fprintf(f, "%s\n", p->list[i].text);
	fclose(f);
	return text;
}

static char *
effective_text(const char *name, struct ha_config *c)
{
	struct problems problems = { 0 };
	char *text = ha_config_print(c), *again;
	struct ha_config *c2 = load(name, str_of(text), &problems);

	if (!c2)
		fail_msg(
		    "%s: the effective configuration is refused: %s", name, problems.list[0].text);
	again = ha_config_print(c2);
	assert_string_equal(text, again);
	assert_memory_equal(c->digest, c2->digest, sizeof(c->digest));
	ha_config_free(&c2);
	free(again);
	return text;
}

static char *
answer(const char *name)
{
	struct problems problems = { 0 };
	size_t n;
	char *text = read_text(name, &n);
	struct ha_config *c = load(name, (struct str){ text, n }, &problems);
	char *got;

	assert_true((c == NULL) == (problems.n > 0));
	got = c ? effective_text(name, c) : problems_text(&problems);
	ha_config_free(&c);
	problems_fini(&problems);
	free(text);
	return got;
}

static void
write_text(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool
check_file(const char *name)
{
	char want_name[300], *want, *got = answer(name);
	size_t n;
	bool same = (*got != '{') == (strncmp(name, "bad_", 4) == 0);

	if (!same)
		print_error("%s: is named wrongly, for it says:\n%s", name, got);
	snprintf(want_name, sizeof(want_name), "%.*s.want", (int)strlen(name) - 5, name);
	if (getenv("GOLDEN_WRITE")) {
		write_text(want_name, got);
	} else {
		want = read_text(want_name, &n);
		if (strcmp(want, got) != 0) {
			print_error("%s: expected:\n%sgot:\n%s", name, want, got);
			same = false;
		}
		free(want);
	}
	free(got);
	return same;
}

static int
is_json(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && strcmp(e->d_name + n - 5, ".json") == 0;
}

static void
test_golden_files(void **state)
{
	struct dirent **files;
	int n = scandir(folder, &files, is_json, alphasort);
	int bad = 0, wrong = 0;

	(void)state;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		bad += strncmp(files[i]->d_name, "bad_", 4) == 0;
		wrong += !check_file(files[i]->d_name);
		free(files[i]);
	}
	free(files);
	print_message("%d bad and %d good configurations\n", bad, n - bad);
	assert_int_equal(wrong, 0);
	assert_true(bad >= 70 && n - bad >= 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
