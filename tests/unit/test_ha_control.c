/*
 * test_ha_control.c - a client of hafailover's control socket and of its HTTP: what is asked for
 * reaches the node as it was meant, and what is wrong is refused to the letter.
 */
#include "hafailover/admin/control.h"

#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/view_fixture.h"

struct pair {
	struct fixture f;
	struct ev_loop *loop;
	struct ha_control *control;
	int control_fd; /* a client */
	struct sockaddr_un http;
	socklen_t http_n;
	char input[65536];
	size_t n;
	char done[64]; /* what the node was last asked to do */
	struct control_token *waits; /* of a move that takes its time */
	bool later;
};

/* --- the node --- */

static void
node_view_get(void *owner, struct ha_view *v)
{
	*v = ((struct pair *)owner)->f.view;
}

static void
consume(struct pair *p, struct control_token *token)
{
	if (p->later)
		p->waits = token;
	else
		control_reply(token, NULL);
}

static void
node_failover(void *owner, struct control_token *token, enum election_target to, bool force)
{
	struct pair *p = owner;

	snprintf(p->done, sizeof(p->done), "failover %d %d", to, force);
	consume(p, token);
}

static void
node_standby(void *owner, struct control_token *token, bool on, bool force)
{
	struct pair *p = owner;

	snprintf(p->done, sizeof(p->done), "standby %d %d", on, force);
	consume(p, token);
}

static void
node_reload_ask(void *owner, struct control_token *token)
{
	struct pair *p = owner;

	snprintf(p->done, sizeof(p->done), "reload");
	control_refuse(token, "line 3: no");
}

/* --- the client --- */

/* The kernel chooses a name. */
static int
listener(struct sockaddr_un *a, socklen_t *n)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*n = sizeof(*a);
	assert_int_equal(bind(fd, (struct sockaddr *)a, sizeof(a->sun_family)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)a, n), 0);
	return fd;
}

static int
client(const struct sockaddr_un *a, socklen_t n)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)a, n), 0);
	return fd;
}

static int
setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	const struct ha_control_source source = { p, node_view_get, node_failover, node_standby,
		node_reload_ask };
	struct sockaddr_un a;
	socklen_t n;
	struct err err;

	fixture_init(&p->f);
	p->loop = ev_loop_new(EVFLAG_AUTO);
	p->control = ha_control_start(p->loop, &source, listener(&a, &n), &err);
	assert_non_null(p->control);
	assert_int_equal(ha_control_listen(p->control, listener(&p->http, &p->http_n), &err), 0);
	p->control_fd = client(&a, n);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct pair *p = *state;

	ha_control_stop(&p->control);
	close(p->control_fd);
	ev_loop_destroy(p->loop);
	free(p);
	return 0;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The loop turns once, and what has come is read.  False: the other side has closed. */
static bool
turn(struct pair *p, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	ev_run(p->loop, EVRUN_NOWAIT);
	if (poll(&pfd, 1, 1) <= 0)
		return true;
	n = recv(fd, p->input + p->n, sizeof(p->input) - 1 - p->n, 0);
	assert_true(n >= 0);
	p->n += (size_t)n;
	p->input[p->n] = '\0';
	return n > 0;
}

static json_t *
line_next(struct pair *p)
{
	json_t *o;
	char *end;

	for (int i = 0; !(end = memchr(p->input, '\n', p->n)); i++) {
		assert_true(i < 10000);
		assert_true(turn(p, p->control_fd));
	}
	o = json_loadb(p->input, (size_t)(end - p->input), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	p->n -= (size_t)(end + 1 - p->input);
	memmove(p->input, end + 1, p->n);
	return o;
}

static json_t *
ask(struct pair *p, const char *request)
{
	say(p->control_fd, request);
	say(p->control_fd, "\n");
	return line_next(p);
}

static bool
is_ok(const json_t *o)
{
	return json_is_true(json_object_get(o, "ok"));
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "(none)";
}

/* --- tests --- */

static void
test_reads(void **state)
{
	struct pair *p = *state;
	json_t *o = ask(p, "{\"command\":\"status\"}");

	assert_true(is_ok(o));
	assert_string_equal(text_of(o, "role"), "active");
	json_decref(o);
	o = ask(p, "{\"command\":\"history\"}");
	assert_true(is_ok(o) && json_is_array(json_object_get(o, "history")));
	json_decref(o);
	assert_string_equal(p->done, "");
}

static void
test_commands(void **state)
{
	static const struct {
		const char *request, *done;
	} rows[] = {
		{ "{\"command\":\"failover\"}", "failover 0 0" },
		{ "{\"command\":\"failover\",\"to\":\"lb1\"}", "failover 1 0" },
		{ "{\"command\":\"failover\",\"to\":\"lb2\",\"force\":true}", "failover 2 1" },
		{ "{\"command\":\"failover\",\"force\":false}", "failover 0 0" },
		{ "{\"command\":\"standby\",\"on\":true}", "standby 1 0" },
		{ "{\"command\":\"standby\",\"on\":false}", "standby 0 0" },
		{ "{\"command\":\"standby\",\"on\":true,\"force\":true}", "standby 1 1" },
	};
	struct pair *p = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = ask(p, rows[i].request);

		assert_true(is_ok(o));
		assert_string_equal(p->done, rows[i].done);
		json_decref(o);
	}
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *request, *error;
	} rows[] = {
		{ "{\"command\":\"failover\",\"to\":\"lb3\"}",
		    "\"to\" must be the name of a node: lb1 or lb2" },
		{ "{\"command\":\"failover\",\"to\":2}",
		    "\"to\" must be the name of a node: lb1 or lb2" },
		{ "{\"command\":\"failover\",\"to\":\"\"}",
		    "\"to\" must be the name of a node: lb1 or lb2" },
		{ "{\"command\":\"failover\",\"force\":1}", "\"force\" must be true or false" },
		{ "{\"command\":\"standby\"}", "\"on\" is missing: true or false" },
		{ "{\"command\":\"standby\",\"on\":\"yes\"}", "\"on\" must be true or false" },
		{ "{\"command\":\"standby\",\"on\":true,\"force\":null}",
		    "\"force\" must be true or false" },
		{ "{\"command\":\"reload\"}", "line 3: no" },
	};
	struct pair *p = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = ask(p, rows[i].request);

		assert_false(is_ok(o));
		assert_string_equal(text_of(o, "error"), rows[i].error);
		json_decref(o);
	}
	assert_string_equal(p->done, "reload"); /* nothing else came through */
}

/* A move is answered when it is over; the loop goes on meanwhile. */
static void
test_later(void **state)
{
	struct pair *p = *state;
	json_t *o;

	p->later = true;
	say(p->control_fd, "{\"command\":\"failover\"}\n");
	for (int i = 0; i < 10000 && !p->waits; i++)
		turn(p, p->control_fd);
	assert_non_null(p->waits);
	assert_int_equal(p->n, 0);
	control_refuse(p->waits, "%s", refusal_text(REFUSAL_TIMED_OUT));
	o = line_next(p);
	assert_string_equal(text_of(o, "error"), refusal_text(REFUSAL_TIMED_OUT));
	json_decref(o);
}

static void
test_watch(void **state)
{
	struct pair *p = *state;
	json_t *o = ask(p, "{\"command\":\"watch\"}");

	assert_true(is_ok(o));
	assert_string_equal(text_of(o, "role"), "active");
	json_decref(o);
	p->f.election.role = ROLE_BACKUP;
	ha_control_changed(p->control);
	o = line_next(p);
	assert_true(is_ok(o));
	assert_string_equal(text_of(o, "role"), "backup");
	json_decref(o);
	p->f.election.role = ROLE_FAULT; /* nobody says so: the next second tells */
	o = line_next(p);
	assert_string_equal(text_of(o, "role"), "fault");
	json_decref(o);
}

/* The answer is in p->input. */
static void
get(struct pair *p, const char *path)
{
	char request[128];
	int fd = client(&p->http, p->http_n);

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	p->n = 0;
	say(fd, request);
	for (int i = 0; turn(p, fd); i++)
		assert_true(i < 10000);
	close(fd);
}

static void
test_http(void **state)
{
	struct vrrp_election router = { .role = ROLE_BACKUP };
	struct pair *p = *state;

	p->f.view.vrrp = &router; /* its role counts then */
	get(p, "/healthz");
	assert_non_null(strstr(p->input, "\r\n\r\nbackup\n"));
	p->f.view.vrrp = NULL;
	get(p, "/healthz");
	assert_memory_equal(p->input, "HTTP/1.1 200 ", 13);
	assert_non_null(strstr(p->input, "\r\n\r\nactive\n"));
	p->f.view.track.eligible = false;
	snprintf(p->f.view.track.text, sizeof(p->f.view.track.text), "eth0 has no carrier");
	get(p, "/healthz");
	assert_memory_equal(p->input, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(p->input, "\r\n\r\nactive: eth0 has no carrier\n"));
	get(p, "/metrics");
	assert_memory_equal(p->input, "HTTP/1.1 200 ", 13);
	assert_non_null(strstr(p->input, "\nlbpair_ha_term 6\n"));
	get(p, "/other");
	assert_memory_equal(p->input, "HTTP/1.1 404 ", 13);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAIR(test_reads),
		WITH_PAIR(test_commands),
		WITH_PAIR(test_refusals),
		WITH_PAIR(test_later),
		WITH_PAIR(test_watch),
		WITH_PAIR(test_http),
	};

	log_set_level(LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
