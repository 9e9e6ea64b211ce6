/* test_names_file.c - what is kept of names on disk: the newest text, whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lbd/resolve/names_file.h"

#include "common/file.h"

static char folder[] = "/tmp/test_names_file.XXXXXX";

static const char *
path(const char *name)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", folder, name);
	return text;
}

static void
write_file(const char *name, const char *text, size_t n)
{
	FILE *f = fopen(path(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void
expect_kept(const char *want)
{
	struct err err;
	char *text;
	size_t n;

	assert_int_equal(names_file_read(path("names"), &text, &n, &err), 0);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(text, want, n);
	free(text);
}

static void
test_read(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *kept;
	} rows[] = {
		{ "lbd-names 1\napp.test 4 10.0.0.1\n", 0, "app.test 4 10.0.0.1\n" },
		{ "lbd-names 1\n", 0, "" },
		{ "lbd-names 1", -EINVAL, NULL },
		{ "lbd-names 2\napp.test 4 10.0.0.1\n", -EINVAL, NULL },
		{ "app.test 4 10.0.0.1\n", -EINVAL, NULL },
		{ "", -EINVAL, NULL },
	};
	struct err err;
	char *text;
	size_t n;

	(void)state;
	assert_int_equal(names_file_read(path("names"), &text, &n, &err), -ENOENT);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_file("names", rows[i].text, strlen(rows[i].text));
		assert_int_equal(names_file_read(path("names"), &text, &n, &err), rows[i].code);
		assert_int_equal(text != NULL, rows[i].code == 0);
		free(text);
		if (rows[i].kept)
			expect_kept(rows[i].kept);
	}
}

/* Nothing that stands in its place keeps lbd from starting. */
static void
test_not_a_file(void **state)
{
	size_t size = (8 << 20) + 1, n;
	char *zeros = calloc(1, size), *text;
	struct err err;

	(void)state;
	assert_int_equal(names_file_read(folder, &text, &n, &err), -EINVAL);
	assert_int_equal(mkfifo(path("fifo"), 0600), 0);
	assert_int_equal(names_file_read(path("fifo"), &text, &n, &err), -EINVAL);
	write_file("names", zeros, size);
	assert_int_equal(names_file_read(path("names"), &text, &n, &err), -EFBIG);
	assert_null(text);
	free(zeros);
	unlink(path("fifo"));
}

/* The end waits for what is left, also while there is a pause. */
static void
test_newest_wins(void **state)
{
	struct names_file *f = names_file_new();
	char text[32];

	(void)state;
	for (int i = 0; i <= 100; i++) {
		snprintf(text, sizeof(text), "app.test 4 10.0.0.%d\n", i);
		names_file_keep(f, str_of(path("names")), str_of(text));
	}
	names_file_free(&f);
	assert_null(f);
	expect_kept("app.test 4 10.0.0.100\n");
	assert_int_equal(access(path("names.new"), F_OK), -1);
	f = names_file_new(); /* nothing was kept: nothing is written */
	names_file_free(&f);
	expect_kept("app.test 4 10.0.0.100\n");
}

/* It ends all the same, and what was there stays. */
static void
test_cannot_write(void **state)
{
	struct names_file *f = names_file_new();

	(void)state;
	names_file_keep(f, STR("/nonexistent/names"), STR("app.test 4 10.0.0.1\n"));
	names_file_free(&f);
	names_file_free(&f);
}

static void
test_replace(void **state)
{
	size_t n = 3 << 20;
	char *big = malloc(n), name[5000];
	struct err err;
	struct stat st;

	(void)state;
	memset(big, 'x', n);
	assert_int_equal(file_replace(path("names"), (struct str){ big, n }, &err), 0);
	assert_int_equal(stat(path("names"), &st), 0);
	assert_int_equal(st.st_size, n);
	assert_int_equal(st.st_mode & 0137, 0);
	assert_int_equal(file_replace("/nonexistent/names", STR("x"), &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/names.new"));
	/* what others have put there is not followed */
	assert_int_equal(symlink("names", path("other.new")), 0);
	assert_int_equal(file_replace(path("other"), STR("x"), &err), -ELOOP);
	unlink(path("other.new"));
	memset(name, 'a', sizeof(name) - 1);
	name[0] = '/';
	name[4092] = '\0';
	assert_int_equal(file_replace(name, STR("x"), &err), -ENAMETOOLONG);
	free(big);
}

static int
clean(void **state)
{
	(void)state;
	unlink(path("names"));
	unlink(path("names.new"));
	return 0;
}

static int
folder_make(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int
folder_drop(void **state)
{
	clean(state);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read, clean),
		cmocka_unit_test_setup(test_not_a_file, clean),
		cmocka_unit_test_setup(test_newest_wins, clean),
		cmocka_unit_test_setup(test_cannot_write, clean),
		cmocka_unit_test_setup(test_replace, clean),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_drop);
}
