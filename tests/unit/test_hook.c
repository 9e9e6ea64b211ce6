/* test_hook.c - what a hook is told, what becomes of it, and that one ends before the next begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "hafailover/hook/hook.h"

static struct ev_loop *loop;
static char calls[] = "/tmp/test_hook.XXXXXX";
static unsigned changes;

static void
on_changed(void *owner)
{
	assert_ptr_equal(owner, calls);
	changes++;
}

static struct ha_node_config nodes[2];
static struct ha_vip_config vips[2];
static struct ha_instance_config instance = { .vips = vips };

static struct ha_config
config(const char *active, const char *backup)
{
	return (struct ha_config){
		.nodes = nodes,
		.self = 1,
		.instances = &instance,
		.n_instances = 1,
		.hooks = { { str_of(active), str_of(backup), { "", 0 } }, 60 * NS_PER_S },
	};
}

static struct hook *
start(const struct ha_config *c)
{
	FILE *f = fopen(calls, "w");
	struct hook *h = hook_new(loop, c, on_changed, calls);

	fclose(f);
	changes = 0;
	assert_non_null(h);
	assert_int_equal(hook_report(h).rule.state, HOOK_NONE);
	return h;
}

static void
begin(struct hook *h, enum role from, enum role to)
{
	const struct hook_role role = { from, to, CAUSE_OPERATOR, 77 };

	hook_role_began(h, &role);
}

static void
turn_until(const struct hook *h, enum hook_state state, unsigned tries)
{
	int64_t start = clock_ns();

	while (clock_ns() - start < 10 * NS_PER_S) {
		struct hook_report r = hook_report(h);

		if (r.rule.state == state && r.rule.tries == tries)
			return;
		ev_run(loop, EVRUN_NOWAIT);
		usleep(500);
	}
	fail_msg("it is %s after %u tries", hook_state_name(hook_report(h).rule.state),
	    hook_report(h).rule.tries);
}

static void
assert_calls(const char *wanted)
{
	char text[1024] = "";
	FILE *f = fopen(calls, "r");
	size_t n = fread(text, 1, sizeof(text) - 1, f);

	fclose(f);
	text[n] = '\0';
	assert_string_equal(text, wanted);
}

static void
wait_for_call(void)
{
	int64_t start = clock_ns();
	struct stat st = { 0 };

	while (stat(calls, &st) == 0 && st.st_size == 0 && clock_ns() - start < 10 * NS_PER_S)
		usleep(500);
	assert_true(st.st_size > 0);
}

static void
test_environment(void **state)
{
	const struct ha_config c = config(
	    "echo $LBPAIR_HOOK $LBPAIR_ROLE $LBPAIR_FROM $LBPAIR_CAUSE $LBPAIR_TERM $LBPAIR_TRY "
	    "$LBPAIR_NODE $LBPAIR_PEER \"$LBPAIR_VIRTUAL_IPS\" $HOOKED >> $CALLS",
	    "");
	struct hook *h = start(&c);

	(void)state;
	assert_true(hook_report(h).configured);
	begin(h, ROLE_BACKUP, ROLE_ACTIVE);
	assert_true(changes > 0);
	assert_int_equal(hook_report(h).rule.state, HOOK_RUNNING);
	assert_string_equal(hook_report(h).name, "active");
	turn_until(h, HOOK_DONE, 1);
	assert_calls(
	    "active active backup operator 77 1 lb2 lb1 192.0.2.9/32 2001:db8::9/64 too\n");
	assert_int_equal(hook_report(h).runs[HA_HOOK_ACTIVE][HOOK_OK], 1);
	assert_false(hook_report(h).failing);
	begin(h, ROLE_ACTIVE, ROLE_FAULT);
	assert_int_equal(hook_report(h).rule.state, HOOK_NONE);
	assert_null(hook_report(h).name);
	hook_free(&h);
	assert_null(h);
}

/* In standby, too, it is a backup; at the end there is no hook. */
static void
test_roles(void **state)
{
	const struct ha_config c = config("", "echo $LBPAIR_HOOK $LBPAIR_ROLE >> $CALLS");
	struct hook *h = start(&c);

	(void)state;
	begin(h, ROLE_INITIALIZE, ROLE_BACKUP);
	turn_until(h, HOOK_DONE, 1);
	begin(h, ROLE_BACKUP, ROLE_STANDBY);
	turn_until(h, HOOK_DONE, 1);
	assert_calls("backup backup\nbackup standby\n");
	begin(h, ROLE_STANDBY, ROLE_INITIALIZE);
	assert_int_equal(hook_report(h).rule.state, HOOK_NONE);
	hook_free(&h);
}

static void
test_failure(void **state)
{
	struct ha_config c = config(
	    "echo $LBPAIR_TRY >> $CALLS; [ $LBPAIR_TRY = 1 ] && sleep 10; [ $LBPAIR_TRY = 2 ]", "");
	struct hook *h = start(&c);

	(void)state;
	c.hooks.timeout = 300 * NS_PER_MS;
	begin(h, ROLE_BACKUP, ROLE_ACTIVE);
	turn_until(h, HOOK_WAITING, 1);
	c.hooks.timeout = 60 * NS_PER_S;
	assert_true(hook_report(h).failing);
	assert_string_equal(hook_report(h).reason, "timed out after 300 ms");
	turn_until(h, HOOK_DONE, 2);
	assert_calls("1\n2\n");
	assert_int_equal(hook_report(h).runs[HA_HOOK_ACTIVE][HOOK_FAILED], 1);
	assert_int_equal(hook_report(h).runs[HA_HOOK_ACTIVE][HOOK_OK], 1);
	hook_free(&h);
}

/* The new one finds nothing of the old one alive, though that does not want to end. */
static void
test_superseded(void **state)
{
	const struct ha_config c =
	    config("trap '' TERM INT HUP; echo $$ > $CALLS; sleep 1000; echo late >> $CALLS",
		"kill -0 $(cat $CALLS) 2>/dev/null && echo alive > $CALLS || echo alone > $CALLS");
	struct hook *h = start(&c);

	(void)state;
	begin(h, ROLE_BACKUP, ROLE_ACTIVE);
	wait_for_call();
	begin(h, ROLE_ACTIVE, ROLE_BACKUP);
	assert_int_equal(hook_report(h).rule.state, HOOK_ENDING);
	assert_string_equal(hook_report(h).name, "backup");
	turn_until(h, HOOK_DONE, 1);
	assert_calls("alone\n");
	assert_int_equal(hook_report(h).runs[HA_HOOK_ACTIVE][HOOK_SUPERSEDED], 1);
	assert_int_equal(hook_report(h).runs[HA_HOOK_BACKUP][HOOK_OK], 1);
	hook_free(&h);
}

/* A new command of the present role runs; any other change does nothing. */
static void
test_configure(void **state)
{
	const struct ha_config c = config("echo a >> $CALLS", ""),
			       other = config("echo a >> $CALLS", "true"),
			       next = config("echo b >> $CALLS", ""), none = config("", "");
	struct hook *h = start(&c);

	(void)state;
	begin(h, ROLE_BACKUP, ROLE_ACTIVE);
	turn_until(h, HOOK_DONE, 1);
	hook_configure(h, &other);
	assert_int_equal(hook_report(h).rule.state, HOOK_DONE);
	hook_configure(h, &next);
	assert_int_equal(hook_report(h).rule.state, HOOK_RUNNING);
	turn_until(h, HOOK_DONE, 1);
	assert_calls("a\nb\n");
	hook_again(h);
	turn_until(h, HOOK_DONE, 1);
	assert_calls("a\nb\nb\n");
	hook_configure(h, &none);
	assert_int_equal(hook_report(h).rule.state, HOOK_NONE);
	assert_false(hook_report(h).configured);
	hook_free(&h);
}

static void
test_free_while_it_runs(void **state)
{
	const struct ha_config c = config("sleep 1000", "");
	struct hook *h = start(&c);
	int64_t began = clock_ns();

	(void)state;
	begin(h, ROLE_BACKUP, ROLE_ACTIVE);
	hook_free(&h);
	assert_true(clock_ns() - began < 5 * NS_PER_S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_superseded),
		cmocka_unit_test(test_configure),
		cmocka_unit_test(test_free_while_it_runs),
	};
	static const char *const texts[2] = { "192.0.2.9:0", "[2001:db8::9]:0" };
	struct err err;
	int failed, fd = mkstemp(calls);

	close(fd);
	setenv("CALLS", calls, 1);
	setenv("HOOKED", "too", 1);
	nodes[0].name = STR("lb1");
	nodes[1].name = STR("lb2");
	for (int i = 0; i < 2; i++)
		if (address_parse(&vips[i].address, str_of(texts[i]), &err) < 0)
			return 1;
	vips[0].prefix = 32;
	vips[1].prefix = 64;
	instance.n_vips = 2;
	loop = ev_loop_new(0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(calls);
	return failed;
}
