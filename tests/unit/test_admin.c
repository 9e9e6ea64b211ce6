/*
 * test_admin.c - the control socket and the HTTP listener of a small lbd that is not there: every command
 * with its answers and refusals, the stream for those who watch, /healthz.
 */
#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/unit/admin_fixture.h"

struct test {
	struct fixture *f;
	struct ev_loop *loop;
	struct admin *admin;
	struct sockaddr_un address;
	socklen_t address_length;
	int client;
	char input[65536]; /* received and not yet used */
	size_t n;
};

static int
client_connect(const struct test *t)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&t->address, t->address_length), 0);
	return fd;
}

static int
setup(void **state)
{
	struct test *t = calloc(1, sizeof(*t));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct err err;

	log_set_level(LOG_ERR);
	t->f = fixture_new();
	t->loop = ev_loop_new(EVFLAG_AUTO);
	t->address.sun_family = AF_UNIX;
	t->address_length = sizeof(t->address);
	/* the kernel chooses a name */
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&t->address, sizeof(t->address.sun_family)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&t->address, &t->address_length), 0);
	t->admin = admin_start(t->loop, &t->f->source, fd, &err);
	assert_non_null(t->admin);
	t->client = client_connect(t);
	*state = t;
	return 0;
}

static int
teardown(void **state)
{
	struct test *t = *state;

	admin_stop(&t->admin);
	close(t->client);
	ev_loop_destroy(t->loop);
	fixture_free(&t->f);
	free(t);
	return 0;
}

/* --- requests and answers --- */

static void
request(struct test *t, const char *line)
{
	assert_int_equal(send(t->client, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	assert_int_equal(send(t->client, "\n", 1, MSG_NOSIGNAL), 1);
}

/* The next line as JSON; NULL when none comes within so many milliseconds. */
static json_t *
line_within(struct test *t, int ms)
{
	int64_t until = clock_ns() + ms * NS_PER_MS;
	struct pollfd pfd = { .fd = t->client, .events = POLLIN };
	char *end;
	json_t *json;
	ssize_t n;

	while (!(end = memchr(t->input, '\n', t->n))) {
		ev_run(t->loop, EVRUN_NOWAIT);
		if (poll(&pfd, 1, 1) > 0) {
			n = recv(t->client, t->input + t->n, sizeof(t->input) - t->n, MSG_DONTWAIT);
			assert_true(n > 0);
			t->n += (size_t)n;
		} else if (clock_ns() > until) {
			return NULL;
		}
	}
	json = json_loadb(t->input, (size_t)(end - t->input), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	t->n -= (size_t)(end + 1 - t->input);
	memmove(t->input, end + 1, t->n);
	return json;
}

static json_t *
ask(struct test *t, const char *line)
{
	json_t *answer;

	request(t, line);
	answer = line_within(t, 5000);
	assert_non_null(answer);
	return answer;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (!text)
		fail_msg("no text %s", key);
	return text;
}

static json_int_t
number_of(const json_t *o, const char *key)
{
	const json_t *n = json_object_get(o, key);

	if (!json_is_integer(n))
		fail_msg("no number %s", key);
	return json_integer_value(n);
}

static bool
truth_of(const json_t *o, const char *key)
{
	const json_t *b = json_object_get(o, key);

	if (!json_is_boolean(b))
		fail_msg("no truth %s", key);
	return json_is_true(b);
}

static void
assert_refused(struct test *t, const char *line, const char *error)
{
	json_t *answer = ask(t, line);

	assert_false(truth_of(answer, "ok"));
	assert_string_equal(text_of(answer, "error"), error);
	json_decref(answer);
}

/* --- status and servers --- */

static void
test_status(void **state)
{
	struct test *t = *state;
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
	struct test *t = *state;
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

static void
test_not_ready_says_why(void **state)
{
	struct test *t = *state;
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
	struct test *t = *state;
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

/* --- server --- */

static void
test_a_server_is_administered(void **state)
{
	static const struct {
		const char *action;
		enum server_admin admin;
		bool changes;
	} rows[] = {
		{ "ready", ADMIN_READY, false },
		{ "drain", ADMIN_DRAIN, true },
		{ "drain", ADMIN_DRAIN, false },
		{ "maintenance", ADMIN_MAINTENANCE, true },
		{ "ready", ADMIN_READY, true },
	};
	struct test *t = *state;
	uint32_t slot = t->f->web[1].slot;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t version = atomic_load(&t->f->servers.version);
		char line[256];
		json_t *answer;

		snprintf(line, sizeof(line),
		    "{\"command\":\"server\",\"name\":\"web/unix:/run/b.sock\",\"action\":\"%s\"}",
		    rows[i].action);
		answer = ask(t, line);
		assert_true(truth_of(answer, "ok"));
		assert_int_equal(truth_of(answer, "changed"), rows[i].changes);
		assert_string_equal(text_of(json_object_get(answer, "server"), "admin"),
		    server_admin_name(rows[i].admin));
		assert_int_equal(atomic_load(&t->f->servers.shared[slot].admin), rows[i].admin);
		assert_int_equal(atomic_load(&t->f->servers.version) > version, rows[i].changes);
		json_decref(answer);
	}
}

static void
test_a_server_is_weighed(void **state)
{
	struct test *t = *state;
	uint32_t slot = t->f->web[0].slot;
	json_t *answer = ask(
	    t, "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":42}");

	assert_true(truth_of(answer, "changed"));
	assert_int_equal(number_of(json_object_get(answer, "server"), "weight"), 42);
	assert_int_equal(server_weight(&t->f->servers, slot, 1), 42);
	json_decref(answer);
	answer = ask(
	    t, "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":null}");
	assert_int_equal(number_of(json_object_get(answer, "server"), "weight"), 1);
	assert_int_equal(server_weight(&t->f->servers, slot, 7), 7);
	json_decref(answer);
}

static void
test_refusals_are_precise(void **state)
{
	static const struct {
		const char *request, *error;
	} rows[] = {
		{ "{\"command\":\"server\"}", "\"name\" must be a text POOL/NAME" },
		{ "{\"command\":\"server\",\"name\":7}", "\"name\" must be a text POOL/NAME" },
		{ "{\"command\":\"server\",\"name\":\"web\"}",
		    "\"name\" must be a text POOL/NAME" },
		{ "{\"command\":\"server\",\"name\":\"nosuch/s9\",\"action\":\"drain\"}",
		    "no pool nosuch; known: web, " FIXTURE_ODD },
		{ "{\"command\":\"server\",\"name\":\"web/s9\",\"action\":\"drain\"}",
		    "no server web/s9; known: web/a, web/unix:/run/b.sock" },
		{ "{\"command\":\"server\",\"name\":\"web/a\"}",
		    "\"action\" must be ready, drain, maintenance or weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"up\"}",
		    "\"action\" must be ready, drain, maintenance or weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\"}",
		    "\"value\" must be an integer in 0..256, or null for the configured weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":257}",
		    "\"value\" must be an integer in 0..256, or null for the configured weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":-1}",
		    "\"value\" must be an integer in 0..256, or null for the configured weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":1.5}",
		    "\"value\" must be an integer in 0..256, or null for the configured weight" },
		{ "{\"command\":\"connections\",\"limit\":0}",
		    "\"limit\" must be an integer in 1..20000" },
		{ "{\"command\":\"connections\",\"limit\":\"9\"}",
		    "\"limit\" must be an integer in 1..20000" },
	};
	struct test *t = *state;
	uint64_t version = atomic_load(&t->f->servers.version);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_refused(t, rows[i].request, rows[i].error);
	assert_int_equal(atomic_load(&t->f->servers.version), version);
}

static void
test_many_servers_are_not_all_named(void **state)
{
	enum { MANY = 100 };
	static char names[MANY][8];
	static struct server_config many[MANY];
	struct test *t = *state;
	json_t *answer;
	const char *error;

	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "s%d", i);
		many[i].name = str_of(names[i]);
	}
	t->f->pools[0].servers = many;
	t->f->pools[0].n_servers = MANY;
	answer = ask(t, "{\"command\":\"server\",\"name\":\"web/x\",\"action\":\"drain\"}");
	error = text_of(answer, "error");
	assert_non_null(strstr(error, "known: web/s0, web/s1, "));
	assert_non_null(strstr(error, "web/s19, ... (100 in all)"));
	assert_null(strstr(error, "s20"));
	json_decref(answer);
}

/* --- answers that come later --- */

static void
test_reload_answers_when_it_is_done(void **state)
{
	struct test *t = *state;
	json_t *answer;

	request(t, "{\"command\":\"reload\"}");
	assert_null(line_within(t, 30));
	assert_non_null(t->f->reload);
	admin_reload_answer(t->f->reload, NULL);
	answer = line_within(t, 5000);
	assert_true(truth_of(answer, "ok"));
	json_decref(answer);
	request(t, "{\"command\":\"reload\"}");
	assert_null(line_within(t, 30));
	admin_reload_answer(t->f->reload, "lbd.json: pools: missing\nlbd.json: 100 % bad");
	answer = line_within(t, 5000);
	assert_string_equal(
	    text_of(answer, "error"), "lbd.json: pools: missing\nlbd.json: 100 % bad");
	json_decref(answer);
}

static void
test_connections_are_listed(void **state)
{
	struct test *t = *state;
	struct admin_connection c = {
		.client = STR("192.0.2.1:5000"),
		.listener = STR("front"),
		.state = STR("exchange"),
		.pool = STR("web"),
		.server = STR("a"),
		.worker = 1,
		.age_ns = 2500 * NS_PER_MS,
		.requests = 17,
		.bytes_in = 1000,
		.bytes_out = UINT64_C(5000000000),
	};
	const json_t *row;
	json_t *answer;

	counter_add(&stats_listener(t->f->stats[0], 0)->connections, 9);
	request(t, "{\"command\":\"connections\",\"limit\":2}");
	assert_null(line_within(t, 30));
	assert_int_equal(admin_listing_wants(t->f->listing), 2);
	admin_listing_add(t->f->listing, &c);
	c.state = STR("idle");
	c.pool = c.server = (struct str){ NULL, 0 };
	admin_listing_add(t->f->listing, &c);
	assert_int_equal(admin_listing_wants(t->f->listing), 0);
	admin_listing_add(t->f->listing, &c); /* from a worker that did not know */
	admin_listing_answer(&t->f->listing);
	assert_null(t->f->listing);
	answer = line_within(t, 5000);
	assert_int_equal(number_of(answer, "total"), 9);
	assert_int_equal(json_array_size(json_object_get(answer, "connections")), 2);
	row = json_array_get(json_object_get(answer, "connections"), 0);
	assert_string_equal(text_of(row, "client"), "192.0.2.1:5000");
	assert_string_equal(text_of(row, "state"), "exchange");
	assert_string_equal(text_of(row, "server"), "a");
	assert_true(json_real_value(json_object_get(row, "age_s")) == 2.5);
	assert_int_equal(number_of(row, "requests"), 17);
	assert_int_equal(number_of(row, "bytes_out"), 5000000000);
	row = json_array_get(json_object_get(answer, "connections"), 1);
	assert_string_equal(text_of(row, "server"), "");
	json_decref(answer);
}

static void
test_the_client_leaves_before_its_answer(void **state)
{
	struct test *t = *state;

	request(t, "{\"command\":\"connections\"}");
	assert_null(line_within(t, 30));
	close(t->client);
	for (int i = 0; i < 20; i++)
		ev_run(t->loop, EVRUN_NOWAIT);
	admin_listing_answer(&t->f->listing);
	t->client = client_connect(t);
	json_decref(ask(t, "{\"command\":\"status\"}"));
}

/* --- watch --- */

static void
assert_says(struct test *t, int ms, bool ready, bool draining, json_int_t up)
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
	struct test *t = *state;

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
	struct test *t = *state;
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

static void
test_help_names_the_commands(void **state)
{
	static const char *const names[] = { "status", "servers", "server", "reload", "connections",
		"watch" };
	json_t *answer = ask(*state, "{\"command\":\"help\"}");
	const json_t *list = json_object_get(answer, "commands");

	assert_int_equal(json_array_size(list), 6);
	for (size_t i = 0; i < 6; i++) {
		const json_t *row = json_array_get(list, i);

		assert_string_equal(text_of(row, "name"), names[i]);
		assert_int_equal(truth_of(row, "read_only"), i != 2 && i != 3);
		assert_true(strlen(text_of(row, "help")) > 10);
	}
	json_decref(answer);
}

/* --- HTTP --- */

static int
http_listen(struct test *t, struct sockaddr_in *address)
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
http_get(
    struct test *t, const struct sockaddr_in *address, const char *path, char *answer, size_t size)
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
    struct test *t, const struct sockaddr_in *address, const char *status, const char *body)
{
	char answer[1024];

	http_get(t, address, "/healthz", answer, sizeof(answer));
	assert_memory_equal(answer + strlen("HTTP/1.1 "), status, strlen(status));
	assert_string_equal(strstr(answer, "\r\n\r\n") + 4, body);
}

static void
test_healthz(void **state)
{
	struct test *t = *state;
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
	struct test *t = *state;
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

#define WITH_ADMIN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ADMIN(test_status),
		WITH_ADMIN(test_alarms),
		WITH_ADMIN(test_not_ready_says_why),
		WITH_ADMIN(test_servers),
		WITH_ADMIN(test_a_server_is_administered),
		WITH_ADMIN(test_a_server_is_weighed),
		WITH_ADMIN(test_refusals_are_precise),
		WITH_ADMIN(test_many_servers_are_not_all_named),
		WITH_ADMIN(test_reload_answers_when_it_is_done),
		WITH_ADMIN(test_connections_are_listed),
		WITH_ADMIN(test_the_client_leaves_before_its_answer),
		WITH_ADMIN(test_watch_tells_changes_at_once),
		WITH_ADMIN(test_watch_speaks_every_second),
		WITH_ADMIN(test_help_names_the_commands),
		WITH_ADMIN(test_healthz),
		WITH_ADMIN(test_metrics_over_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
