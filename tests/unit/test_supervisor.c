/* test_supervisor.c - the life of the proxy process under a real supervisor. */
#include "tests/unit/fake_lbd.h"

#include <sys/stat.h>
#include <sys/un.h>

static void
test_serves_and_drains(void **state)
{
	struct world *w = *state;
	struct stat st;
	pid_t proxy;

	world_start(w);
	assert_int_equal(port_generation(w->ports[0], &proxy), 1);
	assert_int_not_equal(proxy, w->pid);
	assert_int_equal(stat(w->control, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0660);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
	assert_int_equal(access(w->control, F_OK), -1);
	assert_int_equal(port_connect(w->ports[0]), -1);
	assert_int_equal(kill(proxy, 0), -1);
	world_wait(w, "drained");
}

/* Connections that come while there is no process wait for the next one. */
static void
test_crash_refuses_nobody(void **state)
{
	struct world *w = *state;
	char answer[256];
	pid_t first, second;
	int waiting[20], i;

	world_start(w);
	port_generation(w->ports[0], &first);
	kill(first, SIGSTOP); /* so that these are surely not accepted by the first */
	for (i = 0; i < 20; i++) {
		waiting[i] = port_connect(w->ports[0]);
		assert_true(waiting[i] >= 0);
		assert_int_equal(write(waiting[i], "i", 1), 1);
	}
	kill(first, SIGKILL);
	world_wait(w, "proxy_died signal=KILL");
	world_wait(w, "proxy_replaced generation=2 gap_ms=");
	for (i = 0; i < 20; i++) {
		ssize_t n = read(waiting[i], answer, sizeof(answer) - 1);

		assert_true(n > 0);
		answer[n] = '\0';
		close(waiting[i]);
	}
	assert_int_equal(port_generation(w->ports[0], &second), 2);
	assert_int_not_equal(first, second);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
}

/* How long nobody serves; generous, for slow machines and sanitizers. */
static void
test_gap_is_short(void **state)
{
	struct world *w = *state;
	double gap_ms, worst = 0;
	char *log;
	int i;

	world_start(w);
	for (i = 0; i < 4; i++) {
		char answer[256];

		port_ask(w->ports[0], 'a', answer);
		world_wait(w, "proxy_replaced");
		log = file_read(w->log);
		assert_int_equal(
		    sscanf(strstr(log + w->log_at, "gap_ms="), "gap_ms=%lf", &gap_ms), 1);
		free(log);
		worst = gap_ms > worst ? gap_ms : worst;
	}
	print_message("longest gap %.1f ms\n", worst);
	assert_true(worst < 500);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
}

static void
test_crash_loop_is_slowed(void **state)
{
	struct world *w = *state;
	char doom[128], answer[256];
	pid_t proxy;

	world_start(w);
	snprintf(doom, sizeof(doom), "%s.doom", w->config);
	file_write(doom, "");
	port_ask(w->ports[0], 'a', answer);
	world_wait(w, "proxy_restart_delayed delay_ms=100 deaths=5");
	world_wait(w, "proxy_restart_delayed delay_ms=200 deaths=6");
	unlink(doom);
	assert_true(port_generation(w->ports[0], &proxy) >= 7);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
}

static void
test_death_before_serving_is_a_failed_start(void **state)
{
	struct world *w = *state;
	char doom[128];

	snprintf(doom, sizeof(doom), "%s.doom", w->config);
	file_write(doom, "");
	w->pid = world_fork(w, w->log);
	world_wait(w, "start_failed");
	assert_int_equal(process_status(w->pid), 1);
	w->pid = 0;
	assert_int_equal(access(w->control, F_OK), -1);
}

static void
test_silence_is_a_hang(void **state)
{
	struct world *w = *state;
	char answer[256];
	pid_t proxy;

	w->silence_ns = 400 * NS_PER_MS;
	world_start(w);
	port_ask(w->ports[0], 's', answer);
	world_wait(w, "proxy_hangs");
	world_wait(w, "proxy_died signal=ABRT");
	world_wait(w, "proxy_replaced");
	assert_int_equal(port_generation(w->ports[0], &proxy), 2);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
}

static void
test_drain_has_an_end(void **state)
{
	struct world *w = *state;
	int64_t start;

	world_configure(
	    w, "stubborn", "127.0.0.1:1", w->ports[0], ", \"timeouts\": { \"drain\": \"200ms\" }");
	world_start(w);
	start = clock_ns();
	kill(w->pid, SIGTERM);
	world_wait(w, "drain_cut");
	assert_int_equal(process_status(w->pid), 1);
	w->pid = 0;
	assert_true(clock_ns() - start > 200 * NS_PER_MS);
	assert_true(clock_ns() - start < 10 * NS_PER_S);
}

static void
test_second_signal_ends_at_once(void **state)
{
	struct world *w = *state;
	int64_t start = clock_ns();
	pid_t proxy;

	world_configure(
	    w, "stubborn", "127.0.0.1:1", w->ports[0], ", \"timeouts\": { \"drain\": \"1h\" }");
	world_start(w);
	port_generation(w->ports[0], &proxy);
	kill(w->pid, SIGINT);
	world_wait(w, "draining signal=INT");
	kill(w->pid, SIGTERM);
	world_wait(w, "stopped_at_once");
	assert_int_equal(process_status(w->pid), 1);
	w->pid = 0;
	assert_true(clock_ns() - start < 15 * NS_PER_S);
	while (kill(proxy, 0) == 0) /* its new parent buries it */
		pause_briefly();
}

static void
test_supervisor_death_ends_all(void **state)
{
	struct world *w = *state;
	int64_t deadline = clock_ns() + PATIENCE_S * NS_PER_S;
	pid_t proxy;

	world_start(w);
	port_generation(w->ports[0], &proxy);
	kill(w->pid, SIGKILL);
	assert_int_equal(process_status(w->pid), 128 + SIGKILL);
	w->pid = 0;
	while (kill(proxy, 0) == 0 && clock_ns() < deadline)
		pause_briefly();
	assert_int_equal(kill(proxy, 0), -1);
	assert_int_equal(port_connect(w->ports[0]), -1);

	/* and what it left behind is in nobody's way */
	world_start(w);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
}

static void
test_second_lbd_is_refused(void **state)
{
	struct world *w = *state;
	char other_log[96];
	pid_t other, proxy;
	char *log;

	world_start(w);
	world_path(w, other_log, "other");
	other = world_fork(w, other_log);
	assert_int_equal(process_status(other), 1);
	log = file_read(other_log);
	assert_non_null(strstr(log, "is in use by a running process"));
	free(log);
	assert_int_equal(port_generation(w->ports[0], &proxy), 1);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
}

/* The same address with another control socket: SO_REUSEPORT must not let it in. */
static void
test_address_of_another_is_refused(void **state)
{
	struct world *w = *state;
	char control[96], log_path[96];
	char *log;
	pid_t other;

	world_start(w);
	strcpy(control, w->control);
	world_path(w, w->control, "other.sock");
	world_configure(w, "web", "127.0.0.1:1", w->ports[0], "");
	world_path(w, log_path, "other");
	other = world_fork(w, log_path);
	assert_int_equal(process_status(other), 1);
	log = file_read(log_path);
	assert_non_null(strstr(log, "Address already in use"));
	free(log);
	assert_int_equal(access(w->control, F_OK), -1);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
}

static void
test_bad_configuration_does_not_start(void **state)
{
	struct world *w = *state;

	file_write(w->config, "{ \"listenners\": [] }");
	w->pid = world_fork(w, w->log);
	world_wait(w, "config_problem text=");
	world_wait(w, "start_failed reason=");
	assert_int_equal(process_status(w->pid), 1);
	w->pid = 0;
}

static void
status_line(pid_t pid, const char *key, char value[128])
{
	char path[64], line[256];
	size_t n = strlen(key);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	value[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			sscanf(line + n + 1, " %127[^\n]", value);
	fclose(f);
}

static void
assert_harmless(pid_t pid)
{
	char value[128];

	status_line(pid, "CapEff", value);
	assert_string_equal(value, "0000000000000000");
	status_line(pid, "CapPrm", value);
	assert_string_equal(value, "0000000000000000");
	status_line(pid, "CapAmb", value);
	assert_string_equal(value, "0000000000000000");
	status_line(pid, "NoNewPrivs", value);
	assert_string_equal(value, "1");
	status_line(pid, "Name", value);
	assert_string_equal(value, "lbd-proxy");
}

static void
test_privileges_are_dropped(void **state)
{
	struct world *w = *state;
	char value[128];
	pid_t proxy;

	world_start(w);
	port_generation(w->ports[0], &proxy);
	assert_harmless(proxy);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
	if (geteuid() != 0)
		skip();

	world_configure(w, "web", "127.0.0.1:1", w->ports[0], ", \"user\": \"nobody\"");
	world_start(w);
	port_generation(w->ports[0], &proxy);
	assert_harmless(proxy);
	status_line(proxy, "Uid", value);
	assert_string_equal(value, "65534\t65534\t65534\t65534");
	status_line(proxy, "Groups", value);
	assert_string_equal(value, "");
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
}

static void
test_unknown_user_does_not_start(void **state)
{
	struct world *w = *state;

	world_configure(w, "web", "127.0.0.1:1", w->ports[0], ", \"user\": \"no-such-user\"");
	w->pid = world_fork(w, w->log);
	world_wait(w, "there is no user");
	assert_int_equal(process_status(w->pid), 1);
	w->pid = 0;
}

static void
test_logs_are_reopened(void **state)
{
	struct world *w = *state;
	char log[96], access_log[96], moved[128], more[512];
	char *text;

	world_path(w, log, "lbd.log");
	world_path(w, access_log, "access.log");
	snprintf(moved, sizeof(moved), "%s.1", log);
	snprintf(more, sizeof(more),
	    ", \"log\": { \"target\": \"file:%s\", \"access\": { \"target\": \"file:%s\" } }", log,
	    access_log);
	world_configure(w, "web", "127.0.0.1:1", w->ports[0], more);
	strcpy(w->log, log);
	world_start(w);
	assert_int_equal(rename(log, moved), 0);
	assert_int_equal(unlink(access_log), 0);
	kill(w->pid, SIGUSR1);
	w->log_at = 0;
	world_wait(w, "logs_reopened");
	text = file_read(moved);
	assert_null(strstr(text, "logs_reopened"));
	free(text);
	kill(w->pid, SIGTERM);
	assert_int_equal(world_end_status(w), 0);
	world_wait(w, "drained");
	text = file_read(access_log);
	assert_string_equal(text, "access\n"); /* the proxy process got the new one */
	free(text);
}

/* Reads what the service manager hears until that assignment comes. */
static void
notify_wait(struct world *w, const char *assignment)
{
	struct pollfd p = { .fd = w->notify_fd, .events = POLLIN };
	char text[1024];
	ssize_t n;

	while (poll(&p, 1, PATIENCE_S * 1000) == 1) {
		n = recv(w->notify_fd, text, sizeof(text) - 1, 0);
		assert_true(n > 0);
		text[n] = '\0';
		if (strstr(text, assignment))
			return;
	}
	log_print(w);
	fail_msg("systemd was not told %s", assignment);
}

static void
test_service_manager_is_told(void **state)
{
	struct world *w = *state;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char answer[256];

	memcpy(un.sun_path, w->notify, sizeof(w->notify));
	w->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->notify_fd, (struct sockaddr *)&un, sizeof(un)), 0);
	setenv("NOTIFY_SOCKET", w->notify, 1);
	setenv("WATCHDOG_USEC", "300000", 1);
	unsetenv("WATCHDOG_PID");
	w->silence_ns = 2 * NS_PER_S;
	world_start(w);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	notify_wait(w, "READY=1");
	notify_wait(w, "STATUS=serving");
	notify_wait(w, "WATCHDOG=1");
	kill(w->pid, SIGHUP);
	notify_wait(w, "RELOADING=1\nMONOTONIC_USEC=");
	notify_wait(w, "READY=1");
	notify_wait(w, "WATCHDOG=1");
	port_ask(w->ports[0], 'a', answer); /* a crash is no reason for a restart of the service */
	world_wait(w, "proxy_replaced");
	notify_wait(w, "WATCHDOG=1");
	kill(w->pid, SIGTERM);
	notify_wait(w, "STOPPING=1");
	assert_int_equal(world_end_status(w), 0);
}

#define LIFE(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(test_serves_and_drains),
		LIFE(test_crash_refuses_nobody),
		LIFE(test_gap_is_short),
		LIFE(test_crash_loop_is_slowed),
		LIFE(test_death_before_serving_is_a_failed_start),
		LIFE(test_silence_is_a_hang),
		LIFE(test_drain_has_an_end),
		LIFE(test_second_signal_ends_at_once),
		LIFE(test_supervisor_death_ends_all),
		LIFE(test_second_lbd_is_refused),
		LIFE(test_address_of_another_is_refused),
		LIFE(test_bad_configuration_does_not_start),
		LIFE(test_privileges_are_dropped),
		LIFE(test_unknown_user_does_not_start),
		LIFE(test_logs_are_reopened),
		LIFE(test_service_manager_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
