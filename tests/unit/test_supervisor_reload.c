/* test_supervisor_reload.c - a new configuration under a real supervisor: all of it or nothing. */
#include "tests/unit/fake_lbd.h"

static void
stop(struct world *w)
{
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
}

static void
test_moves_to_new_address(void **state)
{
	struct world *w = *state;
	pid_t before, after;

	world_start(w);
	port_generation(w->ports[0], &before);
	world_configure(w, "web", "127.0.0.1:1", w->ports[1], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_done");
	assert_int_equal(port_generation(w->ports[1], &after), 1);
	assert_int_equal(before, after);
	assert_int_equal(port_connect(w->ports[0]), -1);
	stop(w);
}

/* A socket that stays is the same one: what waits in it is served. */
static void
test_kept_address_keeps_its_queue(void **state)
{
	struct world *w = *state;
	char answer[64];
	pid_t proxy;
	int fds[10], i;

	world_start(w);
	port_generation(w->ports[0], &proxy);
	kill(proxy, SIGSTOP);
	for (i = 0; i < 10; i++) {
		fds[i] = port_connect(w->ports[0]);
		assert_int_equal(write(fds[i], "i", 1), 1);
	}
	world_configure(w, "other", "127.0.0.1:1", w->ports[0], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_started");
	kill(proxy, SIGCONT);
	world_wait(w, "reload_done");
	for (i = 0; i < 10; i++) {
		assert_true(read(fds[i], answer, sizeof(answer)) > 0);
		close(fds[i]);
	}
	stop(w);
}

/* After a refusal of any kind: the old address serves, the new one does not. */
static void
assert_unchanged(struct world *w, unsigned generation)
{
	pid_t proxy;

	world_wait(w, "reload_refused");
	assert_int_equal(port_generation(w->ports[0], &proxy), generation);
	assert_int_equal(port_connect(w->ports[1]), -1);

	/* and nothing of it is left in the way of a good one */
	world_configure(w, "web", "127.0.0.1:1", w->ports[1], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_done");
	assert_int_equal(port_generation(w->ports[1], &proxy), generation);
	stop(w);
}

static void
test_bad_file(void **state)
{
	struct world *w = *state;

	world_start(w);
	file_write(w->config, "{ \"listeners\": [ }");
	kill(w->pid, SIGHUP);
	world_wait(w, "config_problem text=");
	assert_unchanged(w, 1);
}

static void
test_missing_file(void **state)
{
	struct world *w = *state;

	world_start(w);
	unlink(w->config);
	kill(w->pid, SIGHUP);
	assert_unchanged(w, 1);
}

static void
test_proxy_refuses(void **state)
{
	struct world *w = *state;

	world_start(w);
	world_configure(w, "refuse", "127.0.0.1:1", w->ports[1], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_refused reason=\"the fake refuses\"");
	w->log_at = 0;
	assert_unchanged(w, 1);
}

static void
test_proxy_dies_of_it(void **state)
{
	struct world *w = *state;

	world_start(w);
	world_configure(w, "crash", "127.0.0.1:1", w->ports[1], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "proxy_died signal=ABRT");
	assert_unchanged(w, 2);
}

static void
test_proxy_never_answers(void **state)
{
	struct world *w = *state;

	w->silence_ns = 400 * NS_PER_MS;
	world_start(w);
	world_configure(w, "hang", "127.0.0.1:1", w->ports[1], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "proxy_hangs pid=");
	world_wait(w, "no answer to a reload");
	assert_unchanged(w, 2);
}

static void
test_address_is_taken(void **state)
{
	struct world *w = *state;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)w->ports[2]),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	world_start(w);
	w->also_port = w->ports[2];
	world_configure(w, "web", "127.0.0.1:1", w->ports[1], "");
	w->also_port = 0;
	kill(w->pid, SIGHUP);
	world_wait(w, "Address already in use");
	close(fd);
	assert_unchanged(w, 1);
}

static void
test_what_only_a_restart_can_change(void **state)
{
	struct world *w = *state;
	char control[96];

	world_start(w);
	strcpy(control, w->control);
	world_path(w, w->control, "elsewhere.sock");
	w->workers = 3;
	world_configure(w, "web", "127.0.0.1:1", w->ports[1], ", \"user\": \"nobody\"");
	strcpy(w->control, control);
	w->workers = 2;
	kill(w->pid, SIGHUP);
	world_wait(w, "workers: a reload cannot change it (running with 2, now 3)");
	world_wait(w, "user: a reload cannot change it");
	world_wait(w, "admin.socket: a reload cannot change it");
	assert_unchanged(w, 1);
}

static void
test_admin_http_moves(void **state)
{
	struct world *w = *state;
	char path[96];

	world_start(w);
	snprintf(w->http, sizeof(w->http), "127.0.0.1:%d", w->ports[1]);
	world_configure(w, "web", "127.0.0.1:1", w->ports[0], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_done");
	assert_true(port_connects(w->ports[1]));

	world_path(w, path, "http");
	snprintf(w->http, sizeof(w->http), "unix:%s", path);
	world_configure(w, "refuse", "127.0.0.1:1", w->ports[0], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_refused");
	assert_true(port_connects(w->ports[1]));
	assert_int_equal(access(path, F_OK), -1);
	world_configure(w, "web", "127.0.0.1:1", w->ports[0], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_done");
	assert_false(port_connects(w->ports[1]));
	assert_int_equal(access(path, F_OK), 0);

	strcpy(w->http, "off");
	world_configure(w, "web", "127.0.0.1:1", w->ports[0], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_done");
	assert_int_equal(access(path, F_OK), -1);
	stop(w);
}

static void
test_asked_for_over_the_channel(void **state)
{
	struct world *w = *state;
	char answer[256];

	world_start(w);
	port_ask(w->ports[0], 'l', answer);
	assert_string_equal(answer, "4711 ok ");
	file_write(w->config, "[ 1 ]");
	port_ask(w->ports[0], 'l', answer);
	assert_string_not_equal(answer, "");
	assert_non_null(strstr(answer, "4711 refused "));
	stop(w);
}

/* A second request while the first runs is done afterwards, and sees the newest file. */
static void
test_one_waits_for_the_other(void **state)
{
	struct world *w = *state;
	pid_t proxy, same;

	world_start(w);
	port_generation(w->ports[0], &proxy);
	kill(proxy, SIGSTOP);
	world_configure(w, "first", "127.0.0.1:1", w->ports[1], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_started");
	world_configure(w, "second", "127.0.0.1:1", w->ports[2], "");
	kill(w->pid, SIGHUP);
	usleep(50000);
	kill(proxy, SIGCONT);
	world_wait(w, "reload_done");
	world_wait(w, "reload_started");
	world_wait(w, "reload_done");
	assert_int_equal(port_generation(w->ports[2], &same), 1);
	assert_int_equal(proxy, same);
	assert_int_equal(port_connect(w->ports[1]), -1);
	stop(w);
}

/* Whether names have addresses is the proxy process's to find out. */
static void
test_names_are_taken_as_they_are(void **state)
{
	struct world *w = *state;
	pid_t proxy;

	world_start(w);
	world_configure(w, "web", "no-such-host.invalid:80", w->ports[1], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_done");
	assert_int_equal(port_generation(w->ports[1], &proxy), 1);
	stop(w);
}

static void
test_drain_gives_a_reload_up(void **state)
{
	struct world *w = *state;
	pid_t proxy;

	world_start(w);
	port_generation(w->ports[0], &proxy);
	kill(proxy, SIGSTOP);
	world_configure(w, "web", "127.0.0.1:1", w->ports[1], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_started");
	kill(w->pid, SIGTERM);
	world_wait(w, "reload_refused reason=\"lbd is shutting down\"");
	kill(proxy, SIGCONT);
	assert_int_equal(world_end_status(w), 0);
}

/* While there is no process, it is the next one's: no need to wait for its turn. */
static void
test_while_there_is_no_process(void **state)
{
	struct world *w = *state;
	char doom[128], answer[256];
	pid_t proxy;

	world_start(w);
	snprintf(doom, sizeof(doom), "%s.doom", w->config);
	file_write(doom, "");
	port_ask(w->ports[0], 'a', answer);
	world_wait(w, "delay_ms=1600 ");
	unlink(doom);
	world_configure(w, "web", "127.0.0.1:1", w->ports[1], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_done");
	world_wait(w, "proxy_replaced");
	port_generation(w->ports[1], &proxy);
	assert_int_equal(port_connect(w->ports[0]), -1);
	stop(w);
}

/* More descriptors than one message can carry. */
static void
test_many_workers(void **state)
{
	struct world *w = *state;
	pid_t proxy;
	int i;

	w->workers = CHANNEL_SOCKETS_MAX + 20;
	world_configure(w, "web", "127.0.0.1:1", w->ports[0], "");
	world_start(w);
	for (i = 1; i < 3; i++) {
		world_configure(w, "web", "127.0.0.1:1", w->ports[i], "");
		kill(w->pid, SIGHUP);
		world_wait(w, "reload_done");
		port_generation(w->ports[i], &proxy);
		assert_int_equal(port_connect(w->ports[i - 1]), -1);
	}
	stop(w);
}

static size_t
count_descriptors(pid_t pid)
{
	char command[128];
	size_t n = 0;
	FILE *f;

	snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", (int)pid);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu", &n), 1);
	pclose(f);
	return n;
}

static void
test_nothing_leaks(void **state)
{
	struct world *w = *state;
	size_t before = 0, proxy_before = 0;
	pid_t proxy;
	int i;

	world_start(w);
	port_generation(w->ports[0], &proxy);
	for (i = 0; i < 60; i++) {
		if (i == 10) {
			before = count_descriptors(w->pid);
			proxy_before = count_descriptors(proxy);
		}
		world_configure(w, i % 3 == 1 ? "refuse" : "web",
		    i % 5 ? "127.0.0.1:1" : "app.example:1", w->ports[i % 2], "");
		kill(w->pid, SIGHUP);
		world_wait(w, i % 3 == 1 ? "reload_refused" : "reload_done");
	}
	world_configure(w, "web", "127.0.0.1:1", w->ports[0], "");
	kill(w->pid, SIGHUP);
	world_wait(w, "reload_done");
	assert_int_equal(count_descriptors(w->pid), before);
	assert_int_equal(count_descriptors(proxy), proxy_before);
	stop(w);
}

#define LIFE(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(test_moves_to_new_address),
		LIFE(test_kept_address_keeps_its_queue),
		LIFE(test_bad_file),
		LIFE(test_missing_file),
		LIFE(test_proxy_refuses),
		LIFE(test_proxy_dies_of_it),
		LIFE(test_proxy_never_answers),
		LIFE(test_address_is_taken),
		LIFE(test_what_only_a_restart_can_change),
		LIFE(test_admin_http_moves),
		LIFE(test_asked_for_over_the_channel),
		LIFE(test_one_waits_for_the_other),
		LIFE(test_names_are_taken_as_they_are),
		LIFE(test_drain_gives_a_reload_up),
		LIFE(test_while_there_is_no_process),
		LIFE(test_many_workers),
		LIFE(test_nothing_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
