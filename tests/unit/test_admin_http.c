/* test_admin_http.c - the administrative server as a client sees it, byte for byte, also when it misbehaves. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/admin_http.h"
#include "common/clock.h"
#include "common/unix_socket.h"

enum { BIG = 8 << 20 };

struct world {
	struct ev_loop *loop;
	struct admin_http *http;
	struct unix_socket_file file;
	char dir[64], path[96];
	char query[64]; /* of the last request */
	char answer[BIG + 4096];
};

static void
get_hello(struct admin_response *r, struct str query, void *context)
{
	struct world *w = context;

	snprintf(w->query, sizeof(w->query), "%.*s", STR_ARG(query));
	admin_response_printf(r, "hello %d\n", 7);
}

static void
get_big(struct admin_response *r, struct str query, void *context)
{
	(void)query;
	(void)context;
	r->status = 503;
	r->type = "application/octet-stream";
	r->headers = "X-More: yes\r\n";
	r->n = BIG;
	r->body = malloc(r->n);
	memset(r->body, 'b', r->n);
}

static void
get_empty(struct admin_response *r, struct str query, void *context)
{
	(void)r;
	(void)query;
	(void)context;
}

static const struct admin_route routes[] = {
	{ "/hello", get_hello },
	{ "/big", get_big },
	{ "/empty", get_empty },
};

static int
setup(void **state)
{
	const struct unix_socket_access who = { 0600, (gid_t)-1 };
	struct world *w = calloc(1, sizeof(*w));
	struct admin_http_options options = {
		.routes = routes, .n_routes = sizeof(routes) / sizeof(routes[0]), .context = w
	};
	struct err err;

	strcpy(w->dir, "/tmp/test_admin_http.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/socket", w->dir);
	w->loop = ev_loop_new(EVFLAG_AUTO);
	options.listen_fd = unix_socket_listen(&w->file, str_of(w->path), &who, &err);
	w->http = admin_http_start(w->loop, &options, &err);
	assert_non_null(w->http);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	admin_http_stop(&w->http);
	admin_http_stop(&w->http);
	ev_loop_destroy(w->loop);
	unix_socket_remove(&w->file);
	rmdir(w->dir);
	free(w);
	return 0;
}

static int
client_open(struct world *w)
{
	struct err err;
	int fd = unix_socket_connect(w->path, NS_PER_S, &err);

	assert_true(fd >= 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
turn(struct world *w)
{
	int i;

	for (i = 0; i < 5; i++)
		ev_run(w->loop, EVRUN_NOWAIT);
}

/* Until the server closes, at most that long.  The whole answer. */
static const char *
take(struct world *w, int fd, int64_t limit_ns)
{
	int64_t deadline = clock_ns() + limit_ns;
	size_t got = 0;
	ssize_t n = -1;

	while (n != 0 && clock_ns() < deadline) {
		ev_run(w->loop, EVRUN_NOWAIT);
		n = recv(fd, w->answer + got, sizeof(w->answer) - 1 - got, 0);
		if (n > 0)
			got += (size_t)n;
		else if (n < 0)
			usleep(100);
	}
	assert_int_equal(n, 0);
	w->answer[got] = '\0';
	return w->answer;
}

static const char *
ask(struct world *w, const char *request)
{
	int fd = client_open(w);
	const char *answer;

	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	answer = take(w, fd, 3 * NS_PER_S);
	close(fd);
	turn(w);
	return answer;
}

static void
assert_answer(const char *answer, const char *status, const char *body)
{
	const char *end = strstr(answer, "\r\n\r\n");
	char length[64];

	assert_non_null(end);
	if (strncmp(answer, status, strlen(status)) != 0)
		fail_msg("not %s but %s", status, answer);
	snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", strlen(body));
	assert_non_null(strstr(answer, length));
	assert_non_null(strstr(answer, "\r\nDate: "));
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	assert_string_equal(end + 4, body);
}

static void
test_answers(void **state)
{
	struct world *w = *state;

	assert_answer(ask(w, "GET /hello?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 OK\r\n",
	    "hello 7\n");
	assert_non_null(strstr(w->answer, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	assert_string_equal(w->query, "x=1");
	assert_answer(ask(w, "GET /empty HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK\r\n", "");
	assert_answer(ask(w, "GET /nix HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 404 Not Found\r\n",
	    "404 Not Found\n");
	assert_answer(ask(w, "GET /hell HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 404 Not Found\r\n",
	    "404 Not Found\n");
	assert_answer(ask(w, "POST /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
	    "HTTP/1.1 405 Method Not Allowed\r\n", "405 Method Not Allowed\n");
	assert_non_null(strstr(w->answer, "\r\nAllow: GET, HEAD\r\n"));
	assert_answer(ask(w, "GET /hello HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n",
	    "400 Bad Request\n");
	assert_answer(ask(w, "GET /hello HTTP/3.1\r\n\r\n"),
	    "HTTP/1.1 505 HTTP Version Not Supported\r\n", "505 HTTP Version Not Supported\n");
}

static void
test_head(void **state)
{
	struct world *w = *state;
	const char *answer = ask(w, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");

	assert_non_null(strstr(answer, "\r\nContent-Length: 8\r\n"));
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
	answer = ask(w, "HEAD /nix HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_memory_equal(answer, "HTTP/1.1 404", 12);
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

static void
test_big_body(void **state)
{
	struct world *w = *state;
	const char *answer = ask(w, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n"), *body;
	size_t i;

	assert_memory_equal(answer, "HTTP/1.1 503 Service Unavailable\r\n", 34);
	assert_non_null(strstr(answer, "\r\nContent-Type: application/octet-stream\r\n"));
	assert_non_null(strstr(answer, "\r\nX-More: yes\r\n"));
	body = strstr(answer, "\r\n\r\n") + 4;
	assert_int_equal(strlen(body), BIG);
	for (i = 0; i < BIG; i++)
		if (body[i] != 'b')
			fail_msg("byte %zu is wrong", i);
}

static void
test_byte_by_byte(void **state)
{
	struct world *w = *state;
	const char *request = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
	int fd = client_open(w);

	for (; *request; request++) {
		assert_int_equal(send(fd, request, 1, 0), 1);
		turn(w);
	}
	assert_answer(take(w, fd, NS_PER_S), "HTTP/1.1 200 OK\r\n", "hello 7\n");
	close(fd);
}

/* More than was asked for must not cost the answer (a reset would). */
static void
test_surplus(void **state)
{
	struct world *w = *state;
	char *request = malloc(200000);

	memset(request, 'x', 200000);
	memcpy(request, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", 32);
	request[100000] = '\0';
	assert_answer(ask(w, request), "HTTP/1.1 200 OK\r\n", "hello 7\n");
	free(request);
}

static void
test_long_head(void **state)
{
	struct world *w = *state;
	char *request = malloc(ADMIN_HTTP_HEAD_MAX + 1);

	memset(request, 'x', ADMIN_HTTP_HEAD_MAX);
	request[ADMIN_HTTP_HEAD_MAX] = '\0';
	memcpy(request, "GET /hello HTTP/1.1\r\nHost: h\r\nA: ", 33);
	assert_answer(ask(w, request), "HTTP/1.1 431 Request Header Fields Too Large\r\n",
	    "431 Request Header Fields Too Large\n");
	memcpy(request + ADMIN_HTTP_HEAD_MAX - 4, "\r\n\r\n", 4); /* the longest that fits */
	assert_answer(ask(w, request), "HTTP/1.1 200 OK\r\n", "hello 7\n");
	free(request);
}

/* The deadline is absolute: bytes that drip do not move it.  Who said nothing gets no answer. */
static void
test_slow_request(void **state)
{
	struct world *w = *state;
	int64_t start = clock_ns();
	int slow = client_open(w), mute = client_open(w);

	assert_int_equal(send(slow, "GET /h", 6, 0), 6);
	while (clock_ns() - start < 4 * NS_PER_S) {
		ev_run(w->loop, EVRUN_NOWAIT);
		send(slow, "e", 1, MSG_NOSIGNAL);
		usleep(100000);
	}
	assert_answer(take(w, slow, 3 * NS_PER_S), "HTTP/1.1 408 Request Timeout\r\n",
	    "408 Request Timeout\n");
	assert_string_equal(take(w, mute, 3 * NS_PER_S), "");
	assert_true(clock_ns() - start > 4900 * NS_PER_MS);
	assert_true(clock_ns() - start < 8 * NS_PER_S);
	close(slow);
	close(mute);
}

static void
test_client_leaves(void **state)
{
	struct world *w = *state;
	const char *request = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
	int fd = client_open(w);

	turn(w);
	close(fd); /* before a word */
	turn(w);
	fd = client_open(w);
	send(fd, request, 10, 0);
	turn(w);
	close(fd); /* in the middle of a request */
	turn(w);
	fd = client_open(w);
	send(fd, request, strlen(request), 0);
	turn(w);
	close(fd); /* in the middle of the answer */
	turn(w);
	assert_answer(ask(w, "GET /hello HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK\r\n", "hello 7\n");
}

/* Those beyond the limit wait and are served when one has left. */
static void
test_many_clients(void **state)
{
	struct world *w = *state;
	int fds[ADMIN_HTTP_CLIENTS_MAX], i, more;
	const char *request = "GET /hello HTTP/1.0\r\n\r\n";
	char byte;

	for (i = 0; i < ADMIN_HTTP_CLIENTS_MAX; i++) {
		fds[i] = client_open(w);
		turn(w);
	}
	more = client_open(w);
	send(more, request, strlen(request), 0);
	turn(w);
	assert_int_equal(recv(more, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	close(fds[0]);
	assert_answer(take(w, more, NS_PER_S), "HTTP/1.1 200 OK\r\n", "hello 7\n");
	close(more);
	for (i = 1; i < ADMIN_HTTP_CLIENTS_MAX; i++)
		close(fds[i]);
	turn(w);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(test_answers),
		IN_WORLD(test_head),
		IN_WORLD(test_big_body),
		IN_WORLD(test_byte_by_byte),
		IN_WORLD(test_surplus),
		IN_WORLD(test_long_head),
		IN_WORLD(test_slow_request),
		IN_WORLD(test_client_leaves),
		IN_WORLD(test_many_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
