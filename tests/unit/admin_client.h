/*
 * admin_client.h - the administration of admin_fixture.h's lbd on a loop, and a client of its control
 * socket; the loop turns while the client waits.
 */
#ifndef TESTS_UNIT_ADMIN_CLIENT_H
#define TESTS_UNIT_ADMIN_CLIENT_H

#include <ev.h>
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

struct admin_client {
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
client_connect(const struct admin_client *t)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&t->address, t->address_length), 0);
	return fd;
}

static int
admin_client_setup(void **state)
{
	struct admin_client *t = calloc(1, sizeof(*t));
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
admin_client_teardown(void **state)
{
	struct admin_client *t = *state;

	admin_stop(&t->admin);
	close(t->client);
	ev_loop_destroy(t->loop);
	fixture_free(&t->f);
	free(t);
	return 0;
}

static void
request(struct admin_client *t, const char *line)
{
	assert_int_equal(send(t->client, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	assert_int_equal(send(t->client, "\n", 1, MSG_NOSIGNAL), 1);
}

/* The next line as JSON; NULL when none comes within so many milliseconds. */
static json_t *
line_within(struct admin_client *t, int ms)
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
ask(struct admin_client *t, const char *line)
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

#define WITH_CLIENT(test)                                                                          \
	cmocka_unit_test_setup_teardown(test, admin_client_setup, admin_client_teardown)

#endif
