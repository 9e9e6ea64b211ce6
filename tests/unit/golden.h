/*
 * golden.h - every FOLDER/NAME.json against NAME.want: the exact messages of a bad file, or the effective
 * configuration of a good one.
 *
 * GOLDEN_WRITE=1 writes the .want files anew instead of comparing; read what changed.
 */
#ifndef TESTS_UNIT_GOLDEN_H
#define TESTS_UNIT_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>

#include "common/file.h"
#include "common/problems.h"

enum { GOLDEN_SIZE_MAX = 1 << 20 };

struct golden {
	const char *folder;
	/* The effective configuration, allocated; NULL: the problems say why not. */
	char *(*effective)(const char *name, struct str text, struct problems *);
	int bad_min, good_min; /* so many files there are at least */
};

/* With a NUL behind it, which is not counted. */
static char *
golden_read(const struct golden *g, const char *name, size_t *n)
{
	char path[512], *bytes, *text;
	struct err err;

	snprintf(path, sizeof(path), "%s/%s", g->folder, name);
	if (file_read(path, GOLDEN_SIZE_MAX, &bytes, n, &err) < 0)
		fail_msg("%s", err.text);
	text = calloc(1, *n + 1);
	assert_non_null(text);
	memcpy(text, bytes, *n);
	free(bytes);
	return text;
}

/* The messages, one a line. */
static char *
golden_problems(const struct problems *p)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	for (size_t i = 0; i < p->kept; i++)
		fprintf(f, "%s\n", p->list[i].text);
	fclose(f);
	return text;
}

/* What is expected to stand in the .want file. */
static char *
golden_answer(const struct golden *g, const char *name)
{
	struct problems problems = { 0 };
	size_t n;
	char *text = golden_read(g, name, &n);
	char *got = g->effective(name, (struct str){ text, n }, &problems);

	assert_true((got == NULL) == (problems.n > 0));
	if (!got)
		got = golden_problems(&problems);
	problems_fini(&problems);
	free(text);
	return got;
}

static void
golden_write(const struct golden *g, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", g->folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool
golden_check(const struct golden *g, const char *name)
{
	char want_name[300], *want, *got = golden_answer(g, name);
	size_t n;
	bool same = (*got != '{') == (strncmp(name, "bad_", 4) == 0);

	if (!same)
		print_error("%s: is named wrongly, for it says:\n%s", name, got);
	snprintf(want_name, sizeof(want_name), "%.*s.want", (int)strlen(name) - 5, name);
	if (getenv("GOLDEN_WRITE")) {
		golden_write(g, want_name, got);
	} else {
		want = golden_read(g, want_name, &n);
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
golden_is_json(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && strcmp(e->d_name + n - 5, ".json") == 0;
}

/* The test itself. */
static void
golden_files(const struct golden *g)
{
	struct dirent **files;
	int n = scandir(g->folder, &files, golden_is_json, alphasort);
	int bad = 0, wrong = 0;

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		bad += strncmp(files[i]->d_name, "bad_", 4) == 0;
		wrong += !golden_check(g, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	print_message("%d bad and %d good configurations\n", bad, n - bad);
	assert_int_equal(wrong, 0);
	assert_true(bad >= g->bad_min && n - bad >= g->good_min);
}

#endif
