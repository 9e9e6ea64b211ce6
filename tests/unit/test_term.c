/*
 * test_term.c - what survives a restart: the term, standby, the history; and files that are damaged,
 * missing, or cannot be written.
 */
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

#include "common/clock.h"
#include "common/str.h"
#include "hafailover/state/history.h"
#include "hafailover/state/keeper.h"

static char folder[] = "/tmp/test_term.XXXXXX";

static const char *
path(const char *name)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", folder, name);
	return text;
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
clean(void **state)
{
	(void)state;
	unlink(path(TERM_FILE));
	unlink(path(TERM_FILE ".new"));
	unlink(path(HISTORY_FILE));
	return 0;
}

static void
test_round_trip(void **state)
{
	struct term t = { INT64_MAX, true }, got = { 5, false };
	struct err err;

	(void)state;
	assert_int_equal(term_read(folder, &got, &err), 0); /* none yet */
	assert_true(got.term == 0 && !got.standby);
	assert_int_equal(term_write(folder, &t, &err), 0);
	assert_int_equal(term_read(folder, &got, &err), 0);
	assert_true(got.term == INT64_MAX && got.standby);
	t = (struct term){ 7, false };
	assert_int_equal(term_write(folder, &t, &err), 0);
	assert_int_equal(term_read(folder, &got, &err), 0);
	assert_true(got.term == 7 && !got.standby);
	assert_int_equal(access(path(TERM_FILE ".new"), F_OK), -1);
}

static void
test_damaged(void **state)
{
	static const char *const cases[] = { "", "{", "[]", "{\"term\":1}",
		"{\"term\":-1,\"standby\":false}", "{\"term\":\"1\",\"standby\":false}",
		"{\"term\":1,\"standby\":0}" };
	struct term t;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		write_file(TERM_FILE, cases[i]);
		t = (struct term){ 9, true };
		assert_int_equal(term_read(folder, &t, &err), -EINVAL);
		assert_true(t.term == 0 && !t.standby);
		assert_non_null(strstr(err.text, TERM_FILE));
	}
}

static void
test_no_directory(void **state)
{
	struct term t = { 1, false };
	struct err err;

	(void)state;
	assert_int_equal(term_write("/nonexistent", &t, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent"));
}

/* A write that is cut short leaves the former file as it was. */
static void
test_old_or_new(void **state)
{
	struct term t = { 3, true }, got;
	struct err err;

	(void)state;
	assert_int_equal(term_write(folder, &t, &err), 0);
	write_file(TERM_FILE ".new", "{\"ter");
	assert_int_equal(term_read(folder, &got, &err), 0);
	assert_true(got.term == 3 && got.standby);
}

static struct history_entry
entry(int i)
{
	return (struct history_entry){
		.wall_ns = 1767225600 * NS_PER_S + i * NS_PER_S + 5 * NS_PER_MS,
		.duration_ns = i * NS_PER_MS,
		.term = (uint64_t)i,
		.from = ROLE_BACKUP,
		.to = ROLE_ACTIVE,
		.cause = CAUSE_PEER_SILENT,
	};
}

static void
test_history_ring(void **state)
{
	struct history h = { 0 };

	(void)state;
	for (int i = 0; i < HISTORY_MAX + 10; i++) {
		struct history_entry e = entry(i);

		history_add(&h, &e);
	}
	assert_int_equal(h.n, HISTORY_MAX);
	assert_int_equal(history_at(&h, 0)->term, 10);
	assert_int_equal(history_at(&h, HISTORY_MAX - 1)->term, HISTORY_MAX + 9);
}

static void
test_history_json(void **state)
{
	struct history_entry e = entry(3);
	json_t *o = history_json(&e, "lb1");

	(void)state;
	assert_string_equal(
	    json_string_value(json_object_get(o, "time")), "2026-01-01T00:00:03.005Z");
	assert_string_equal(json_string_value(json_object_get(o, "from")), "backup");
	assert_string_equal(json_string_value(json_object_get(o, "to")), "active");
	assert_string_equal(json_string_value(json_object_get(o, "cause")), "peer_silent");
	assert_int_equal(json_integer_value(json_object_get(o, "duration_ms")), 3);
	json_decref(o);
	e.duration_ns = -1;
	o = history_json(&e, "lb1");
	assert_true(json_is_null(json_object_get(o, "duration_ms")));
	json_decref(o);
}

/* Through the thread, which is gone only when all is written. */
static void
test_keeper(void **state)
{
	struct history h = { 0 };
	struct keeper *k;
	struct term t;
	struct err err;

	(void)state;
	k = keeper_start(folder, &err);
	assert_non_null(k);
	for (int i = 1; i <= 20; i++) {
		struct history_entry e = entry(i);
		char line[HISTORY_LINE_MAX];
		size_t n = history_format(&e, line);

		t = (struct term){ (uint64_t)i, i % 2 };
		keeper_term(k, &t);
		keeper_history(k, (struct str){ line, n });
	}
	keeper_stop(&k);
	assert_null(k);
	assert_int_equal(term_read(folder, &t, &err), 0);
	assert_int_equal(t.term, 20);
	assert_int_equal(history_load(&h, folder, &err), 0);
	assert_int_equal(h.n, 20);
	for (unsigned i = 0; i < 20; i++) {
		struct history_entry e = entry((int)i + 1);
		const struct history_entry *got = history_at(&h, i);

		assert_true(got->wall_ns == e.wall_ns && got->duration_ns == e.duration_ns);
		assert_true(got->from == e.from && got->to == e.to && got->cause == e.cause);
		assert_true(got->term == e.term);
	}
}

static void
test_history_damaged(void **state)
{
	struct history h = { 0 };
	struct history_entry e = entry(1);
	char line[HISTORY_LINE_MAX], text[3 * HISTORY_LINE_MAX];
	struct err err;

	(void)state;
	history_format(&e, line);
	snprintf(text, sizeof(text), "nonsense\n{\"from\":\"x\"}\n\n%s{\"time\":\"cut", line);
	write_file(HISTORY_FILE, text);
	assert_int_equal(history_load(&h, folder, &err), 0);
	assert_int_equal(h.n, 1);
}

/* However many moves there are, the file stays small and the newest are in it. */
static void
test_history_bounded(void **state)
{
	struct history h = { 0 };
	struct keeper *k;
	struct stat st;
	struct err err;

	(void)state;
	for (int round = 0; round < 60; round++) {
		k = keeper_start(folder, &err);
		assert_non_null(k);
		for (int i = 0; i < 30; i++) {
			struct history_entry e = entry(round * 30 + i);
			char line[HISTORY_LINE_MAX];

			keeper_history(k, (struct str){ line, history_format(&e, line) });
		}
		keeper_stop(&k);
	}
	assert_int_equal(stat(path(HISTORY_FILE), &st), 0);
	assert_true(st.st_size < 3 * HISTORY_MAX * HISTORY_LINE_MAX);
	assert_int_equal(history_load(&h, folder, &err), 0);
	assert_int_equal(h.n, HISTORY_MAX);
	assert_int_equal(history_at(&h, HISTORY_MAX - 1)->term, 60 * 30 - 1);
	assert_int_equal(history_at(&h, 0)->term, 60 * 30 - HISTORY_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_round_trip, clean),
		cmocka_unit_test_teardown(test_damaged, clean),
		cmocka_unit_test_teardown(test_no_directory, clean),
		cmocka_unit_test_teardown(test_old_or_new, clean),
		cmocka_unit_test(test_history_ring),
		cmocka_unit_test(test_history_json),
		cmocka_unit_test_teardown(test_keeper, clean),
		cmocka_unit_test_teardown(test_history_damaged, clean),
		cmocka_unit_test_teardown(test_history_bounded, clean),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
