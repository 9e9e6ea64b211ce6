/* test_script_run.c - how a command ends, with what is around it, and that it does not outlive the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "hafailover/hook/script_run.h"

enum { RUNS, PASSED, FAILED };

static struct ev_loop *loop;

static void
on_done(void *owner, bool passed)
{
	*(int *)owner = passed ? PASSED : FAILED;
}

static void
assert_ends(struct script_run *r, const int *end, int wanted, const char *reason)
{
	int64_t start = clock_ns();

	while (*end == RUNS && clock_ns() - start < 10 * NS_PER_S) {
		ev_run(loop, EVRUN_NOWAIT);
		usleep(500);
	}
	assert_int_equal(*end, wanted);
	assert_string_equal(r->reason, reason);
	assert_false(script_run_active(r));
}

static void
test_ends(void **state)
{
	static char word[] = "WORD=good";
	static char *const environment[] = { word, NULL };
	static const struct {
		const char *command;
		char *const *environment;
		int end;
		const char *reason;
	} rows[] = {
		{ "true", NULL, PASSED, "exit status 0" },
		{ "exit 3", NULL, FAILED, "exit status 3" },
		{ "kill -9 $$", NULL, FAILED, "killed by signal 9" },
		{ "/no/such/program", NULL, FAILED, "exit status 127" },
		{ "sleep 60", NULL, FAILED, "timed out after 200 ms" },
		{ "test \"$WORD\" = good && test -z \"$HOME\"", environment, PASSED,
		    "exit status 0" },
		{ "test -z \"$WORD\" && test \"$PASSED_ON\" = yes", NULL, PASSED, "exit status 0" },
		{ "sleep 60 & exit 0", NULL, PASSED, "exit status 0" },
	};
	struct script_run r;
	int end;

	(void)state;
	script_run_init(&r, loop, on_done, &end);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t timeout = rows[i].reason[0] == 't' ? 200 * NS_PER_MS : 60 * NS_PER_S;

		end = RUNS;
		assert_true(script_run_start(&r, rows[i].command, rows[i].environment, timeout));
		assert_true(script_run_active(&r));
		assert_ends(&r, &end, rows[i].end, rows[i].reason);
	}
	script_run_fini(&r);
}

static void
test_kill(void **state)
{
	struct script_run r;
	int end = RUNS;

	(void)state;
	script_run_init(&r, loop, on_done, &end);
	script_run_kill(&r); /* nothing runs: nothing happens */
	assert_true(script_run_start(&r, "trap '' TERM; sleep 60", NULL, 60 * NS_PER_S));
	script_run_kill(&r);
	assert_true(script_run_active(&r)); /* until it has ended */
	assert_ends(&r, &end, FAILED, "killed by signal 9");
	script_run_fini(&r);
}

/* The shell's number comes through a pipe before its daemon is killed; then this process inherits it. */
static void
test_ends_with_the_daemon(void **state)
{
	struct script_run r;
	int end = RUNS, ends[2], status;
	pid_t daemon, shell = 0;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	daemon = fork();
	if (daemon == 0) {
		script_run_init(&r, loop, on_done, &end);
		if (!script_run_start(&r, "while :; do sleep 0.01; done", NULL, 60 * NS_PER_S) ||
		    write(ends[1], &r.pid, sizeof(r.pid)) != sizeof(r.pid))
			_exit(1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(ends[0], &shell, sizeof(shell)), sizeof(shell));
	usleep(50000); /* it may have begun by now, or not: both must end */
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	assert_int_equal(waitpid(shell, &status, 0), shell);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(ends[0]);
	close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_ends_with_the_daemon),
	};

	loop = ev_loop_new(0);
	setenv("PASSED_ON", "yes", 1);
	unsetenv("WORD");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
