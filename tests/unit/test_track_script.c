/* test_track_script.c - rise and fall, time-outs, children that stay behind, and the very first run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "common/clock.h"
#include "hafailover/track/track_script.h"

static struct ev_loop *loop;
static unsigned changes;

static void
on_changed(void *owner)
{
	(void)owner;
	changes++;
}

static void
turn_until_changed(unsigned n)
{
	int64_t start = clock_ns();

	while (changes < n && clock_ns() - start < 5 * NS_PER_S) {
		ev_run(loop, EVRUN_NOWAIT);
		usleep(500);
	}
	assert_int_equal(changes, n);
}

static struct track_script *
start(const char *command, int interval_ms, int timeout_ms)
{
	const struct ha_script_config config = {
		.command = str_of(command),
		.interval = interval_ms * NS_PER_MS,
		.timeout = timeout_ms * NS_PER_MS,
		.fall = 3,
		.rise = 2,
	};
	struct track_script *s = track_script_start(loop, &config, on_changed, NULL);

	assert_non_null(s);
	assert_false(track_script_known(s) || track_script_good(s));
	changes = 0;
	return s;
}

static unsigned
runs(const char *file)
{
	FILE *f = fopen(file, "r");
	unsigned n = 0;
	int c;

	while (f && (c = fgetc(f)) != EOF)
		n += c == 'x';
	if (f)
		fclose(f);
	return n;
}

static void
test_first_run(void **state)
{
	struct track_script *s = start("true", 10000, 1000);

	(void)state;
	turn_until_changed(1);
	assert_true(track_script_good(s));
	assert_string_equal(track_script_reason(s), "exit status 0");
	track_script_stop(&s);
	s = start("exit 3", 10000, 1000);
	turn_until_changed(1);
	assert_true(track_script_known(s) && !track_script_good(s));
	assert_string_equal(track_script_reason(s), "exit status 3");
	track_script_stop(&s);
	s = start("kill -9 $$", 10000, 1000);
	turn_until_changed(1);
	assert_string_equal(track_script_reason(s), "killed by signal 9");
	track_script_stop(&s);
}

static void
test_rise_and_fall(void **state)
{
	char good[] = "/tmp/test_track_script.XXXXXX", count[64], command[256];
	int fd = mkstemp(good);
	struct track_script *s;
	unsigned before;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(count, sizeof(count), "%s.runs", good);
	snprintf(command, sizeof(command), "printf x >> %s; test -e %s", count, good);
	s = start(command, 20, 1000);
	turn_until_changed(1);
	before = runs(count);
	unlink(good);
	turn_until_changed(2);
	assert_false(track_script_good(s));
	assert_true(runs(count) >= before + 3);
	before = runs(count);
	fd = open(good, O_CREAT | O_WRONLY, 0600);
	close(fd);
	turn_until_changed(3);
	assert_true(track_script_good(s));
	assert_true(runs(count) >= before + 2);
	track_script_stop(&s);
	unlink(good);
	unlink(count);
}

/* Killed with what it started. */
static void
test_timeout(void **state)
{
	char mark[] = "/tmp/test_track_script.XXXXXX", command[256];
	int fd = mkstemp(mark);
	struct track_script *s;
	int64_t began = clock_ns();

	(void)state;
	close(fd);
	unlink(mark);
	snprintf(command, sizeof(command), "(sleep 0.5; touch %s) & sleep 10", mark);
	s = start(command, 10000, 100);
	turn_until_changed(1);
	assert_true(clock_ns() - began < 3 * NS_PER_S);
	assert_false(track_script_good(s));
	assert_string_equal(track_script_reason(s), "timed out after 100 ms");
	usleep(700000);
	assert_int_equal(access(mark, F_OK), -1);
	track_script_stop(&s);
}

static void
test_stop_while_it_runs(void **state)
{
	struct track_script *s = start("sleep 10", 10000, 9000);
	int64_t began = clock_ns();

	(void)state;
	for (int i = 0; i < 50; i++) {
		ev_run(loop, EVRUN_NOWAIT);
		usleep(500);
	}
	track_script_stop(&s);
	assert_null(s);
	assert_true(clock_ns() - began < 2 * NS_PER_S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_run),
		cmocka_unit_test(test_rise_and_fall),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_stop_while_it_runs),
	};

	loop = ev_loop_new(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
