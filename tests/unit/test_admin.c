/* test_admin.c - what an operator sees: status, servers, the stream for those who watch, HTTP. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/unit/admin_client.h"

/* --- status and servers --- */

static void
test_status(void **state)
{
	struct admin_client *t = *state;
	struct stats_exchange x = { 0, 0, 0, 200, NS_PER_MS, -1, -1 };
	const json_t *part;
	json_t *s;

	for (int i = 0; i < 5; i++)
		stats_exchange(t->f->stats[i % 2], &x, 0);
	counter_add(&stats_listener(t->f->stats[0], 0)->connections, 2);
	counter_add(&stats_listener(t->f->stats[1], 1)->connections, 3);
	stats_loop_lag(t->f->stats[1], 1250000);
	server_set_health(&t->f->servers, t->f->web[0].slot, HEALTH_DOWN, 1);
	s = ask(t, "{\"command\":\"status\"}");
	assert_true(truth_of(s, "ok"));
	assert_string_equal(text_of(s, "version"), LBPAIR_VERSION);
	assert_int_equal(number_of(s, "pid"), getpid());
	assert_true(json_real_value(json_object_get(s, "uptime_s")) < 60);
	assert_string_equal(text_of(s, "node"), "lb1");
	assert_int_equal(number_of(s, "generation"), 3);
	part = json_object_get(s, "config");
	assert_string_equal(text_of(part, "file"), "/etc/lbpair/lbd.json");
	assert_string_equal(text_of(part, "digest"), "0123456789abcdef");
	assert_string_equal(text_of(part, "loaded_at"), "2026-01-31T12:00:00.005Z");
	assert_true(truth_of(s, "ready"));
	assert_true(json_is_null(json_object_get(s, "not_ready")));
	assert_false(truth_of(s, "draining"));
	part = json_array_get(json_object_get(s, "listeners"), 1);
	assert_string_equal(text_of(part, "name"), "side");
	assert_string_equal(
	    json_string_value(json_array_get(json_object_get(part, "bind"), 0)), "[::]:81");
	assert_int_equal(number_of(part, "connections"), 3);
	part = json_array_get(json_object_get(s, "workers"), 1);
	assert_int_equal(number_of(part, "id"), 1);
	assert_int_equal(number_of(part, "connections"), 3);
	assert_true(json_real_value(json_object_get(part, "loop_lag_ms")) == 1.25);
	assert_int_equal(number_of(s, "servers_up"), 2);
	assert_int_equal(number_of(s, "servers_total"), FIXTURE_SERVERS);
	assert_int_equal(number_of(s, "connections"), 5);
	assert_int_equal(number_of(s, "requests_total"), 5);
	assert_int_equal(json_array_size(json_object_get(s, "alarms")), 0);
	json_decref(s);
}

static void
test_alarms(void **state)
{
	struct admin_client *t = *state;
	const json_t *alarms;
	json_t *s;

	server_set_health(&t->f->servers, t->f->web[0].slot, HEALTH_DOWN, 1);
	server_set_health(&t->f->servers, t->f->web[1].slot, HEALTH_DOWN, 1);
	s = ask(t, "{\"command\":\"status\"}");
	alarms = json_object_get(s, "alarms");
	assert_int_equal(json_array_size(alarms), 1);
	assert_string_equal(text_of(json_array_get(alarms, 0), "name"), "pool_down");
	assert_string_equal(text_of(json_array_get(alarms, 0), "pool"), "web");
	json_decref(s);
}

/* Before its first check a server gets requests, and is not said to be up. */
static void
test_unchecked_servers(void **state)
{
	struct admin_client *t = *state;
	json_t *s;

	t->f->pools[0].health.type = CHECK_TCP;
	s = ask(t, "{\"command\":\"status\"}");
	assert_int_equal(number_of(s, "servers_up"), 1);
	assert_int_equal(number_of(s, "servers_unchecked"), 2);
	assert_int_equal(json_array_size(json_object_get(s, "alarms")), 0);
	json_decref(s);
	server_set_health(&t->f->servers, t->f->web[0].slot, HEALTH_UP, 1);
	server_set_admin(&t->f->servers, t->f->web[1].slot, ADMIN_DRAIN, 1);
	s = ask(t, "{\"command\":\"status\"}");
	assert_int_equal(number_of(s, "servers_up"), 2);
	assert_int_equal(number_of(s, "servers_unchecked"), 0);
	json_decref(s);
}

static void
test_not_ready_says_why(void **state)
{
	struct admin_client *t = *state;
	json_t *s;

	t->f->state.not_ready = "worker 1 does not turn";
	t->f->state.draining = true;
	s = ask(t, "{\"command\":\"status\"}");
	assert_false(truth_of(s, "ready"));
	assert_true(truth_of(s, "draining"));
	assert_string_equal(text_of(s, "not_ready"), "worker 1 does not turn");
	json_decref(s);
}

static void
test_servers(void **state)
{
	struct admin_client *t = *state;
	uint32_t a = t->f->web[0].slot, b = t->f->web[1].slot;
	const json_t *list, *row;
	json_t *s;

	server_set_health(&t->f->servers, a, HEALTH_DOWN, 1769860800 * NS_PER_S);
	server_set_admin(&t->f->servers, b, ADMIN_DRAIN, 1769860801 * NS_PER_S);
	atomic_store(&t->f->servers.active[b], 4);
	atomic_store(&t->f->servers.load[b].connections, 6);
	atomic_store(&t->f->servers.load[b].idle_connections, 2);
	atomic_store(&t->f->servers.load[a].checks_passed, 10);
	atomic_store(&t->f->servers.load[a].checks_failed, 3);
	atomic_store(&t->f->servers.load[a].check_duration_us, 1500);
	s = ask(t, "{\"command\":\"servers\"}");
	list = json_object_get(s, "servers");
	assert_int_equal(json_array_size(list), FIXTURE_SERVERS);
	row = json_array_get(list, 0);
	assert_string_equal(text_of(row, "pool"), "web");
	assert_string_equal(text_of(row, "name"), "a");
	assert_string_equal(text_of(row, "health"), "down");
	assert_string_equal(text_of(row, "admin"), "ready");
	assert_false(truth_of(row, "available"));
	assert_string_equal(text_of(row, "reason"), "status 500, not 200");
	assert_string_equal(text_of(row, "changed_at"), "2026-01-31T12:00:00.000Z");
	assert_int_equal(number_of(json_object_get(row, "checks"), "passed"), 10);
	assert_int_equal(number_of(json_object_get(row, "checks"), "failed"), 3);
	assert_string_equal(
	    text_of(json_object_get(row, "checks"), "checked_at"), "2026-01-31T12:00:00.000Z");
	row = json_array_get(list, 1);
	assert_string_equal(text_of(row, "name"), "unix:/run/b.sock");
	assert_string_equal(text_of(row, "health"), "unknown");
	assert_string_equal(text_of(row, "admin"), "drain");
	assert_int_equal(number_of(row, "weight"), 5);
	assert_int_equal(number_of(row, "active"), 4);
	assert_int_equal(number_of(row, "connections"), 6);
	assert_int_equal(number_of(row, "idle"), 2);
	row = json_array_get(list, 2);
	assert_string_equal(text_of(row, "pool"), FIXTURE_ODD);
	assert_true(json_is_null(json_object_get(row, "changed_at")));
	json_decref(s);
}

/* --- watch --- */

static void
assert_says(struct admin_client *t, int ms, bool ready, bool draining, json_int_t up)
{
	json_t *line = line_within(t, ms);

	if (!line)
		fail_msg("nothing within %d ms", ms);
	assert_true(truth_of(line, "ok"));
	assert_int_equal(truth_of(line, "ready"), ready);
	assert_int_equal(truth_of(line, "draining"), draining);
	assert_int_equal(number_of(line, "servers_up"), up);
	json_decref(line);
}

/* Far sooner than the periodic line: 400 ms leave room for a busy machine, and are less than its 500. */
static void
test_watch_tells_changes_at_once(void **state)
{
	struct admin_client *t = *state;

	request(t, "{\"command\":\"watch\"}");
	assert_says(t, 400, true, false, 3);
	server_set_health(&t->f->servers, t->f->web[0].slot, HEALTH_DOWN, 1);
	assert_says(t, 400, true, false, 2);
	t->f->state.draining = true;
	admin_changed(t->admin);
	assert_says(t, 400, true, true, 2);
	t->f->state.not_ready = "no worker";
	assert_says(t, 400, false, true, 2);
}

static void
test_watch_speaks_every_second(void **state)
{
	struct admin_client *t = *state;
	int64_t start = clock_ns();

	request(t, "{\"command\":\"watch\"}");
	for (int i = 0; i < 4; i++)
		assert_says(t, 1000, true, false, 3);
	assert_true(clock_ns() - start > 1200 * NS_PER_MS); /* and not all the time */
	close(t->client);
	poll(NULL, 0, 100);
	for (int i = 0; i < 10; i++)
		ev_run(t->loop, EVRUN_NOWAIT);
	t->n = 0;
	t->client = client_connect(t);
	request(t, "{\"command\":\"watch\"}");
	assert_says(t, 400, true, false, 3);
	assert_says(t, 1000, true, false, 3);
}

/* --- HTTP --- */

static int
http_listen(struct admin_client *t, struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(*address);
	struct err err;

	*address = (struct sockaddr_in){ .sin_family = AF_INET };
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &n), 0);
	return admin_listen(t->admin, fd, &err);
}

static void
http_get(struct admin_client *t, const struct sockaddr_in *address, const char *path, char *answer,
    size_t size)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t until = clock_ns() + 5 * NS_PER_S;
	size_t n = 0;
	char head[128];
	ssize_t r = -1;

	assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	assert_int_equal(send(fd, head, strlen(head), MSG_NOSIGNAL), strlen(head));
	while (r != 0 && n < size - 1) {
		ev_run(t->loop, EVRUN_NOWAIT);
		r = recv(fd, answer + n, size - 1 - n, MSG_DONTWAIT);
		if (r > 0)
			n += (size_t)r;
		else
			poll(NULL, 0, 1);
		assert_true(clock_ns() < until);
	}
	answer[n] = '\0';
	close(fd);
}

static void
assert_health(
    struct admin_client *t, const struct sockaddr_in *address, const char *status, const char *body)
{
	char answer[1024];

	http_get(t, address, "/healthz", answer, sizeof(answer));
	assert_memory_equal(answer + strlen("HTTP/1.1 "), status, strlen(status));
	assert_string_equal(strstr(answer, "\r\n\r\n") + 4, body);
}

static void
test_healthz(void **state)
{
	struct admin_client *t = *state;
	struct sockaddr_in address;

	assert_int_equal(http_listen(t, &address), 0);
	assert_health(t, &address, "200", "ok\n");
	t->f->state.draining = true;
	assert_health(t, &address, "503", "draining\n");
	t->f->state.not_ready = "worker 0 does not turn";
	assert_health(t, &address, "503", "worker 0 does not turn\n");
}

static void
test_metrics_over_http(void **state)
{
	static char answer[262144];
	struct admin_client *t = *state;
	struct sockaddr_in address, other;
	int fd;

	assert_int_equal(http_listen(t, &address), 0);
	http_get(t, &address, "/metrics", answer, sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 200", 12);
	assert_non_null(strstr(answer, "text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(answer, "\nlbpair_server_up{pool=\"web\",server=\"a\"} 1\n"));
	http_get(t, &address, "/nothing", answer, sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 404", 12);
	/* a reload moves it */
	assert_int_equal(http_listen(t, &other), 0);
	assert_health(t, &other, "200", "ok\n");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
	close(fd);
	assert_int_equal(admin_listen(t->admin, -1, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(test_status),
		WITH_CLIENT(test_alarms),
		WITH_CLIENT(test_unchecked_servers),
		WITH_CLIENT(test_not_ready_says_why),
		WITH_CLIENT(test_servers),
		WITH_CLIENT(test_watch_tells_changes_at_once),
		WITH_CLIENT(test_watch_speaks_every_second),
		WITH_CLIENT(test_healthz),
		WITH_CLIENT(test_metrics_over_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
