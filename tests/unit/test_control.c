/* test_control.c - requests, late answers, subscriptions, and clients that misbehave; and the blocking client. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/control.h"
#include "common/control_client.h"
#include "common/unix_socket.h"

enum { TOPIC = 3, ANSWER_MAX = CONTROL_QUEUE_MAX + 4096 };

struct world {
	struct ev_loop *loop;
	struct control *control;
	struct unix_socket_file file;
	char dir[64], path[96];
	struct control_token *late; /* what "late" has kept */
	int ran; /* how often "count" did */
	char *answer; /* of the last take */
};

static void
run_echo(struct control_token *token, const json_t *request, void *context)
{
	(void)context;
	control_reply(token, json_pack("{s:O}", "you", json_object_get(request, "say")));
}

static void
run_count(struct control_token *token, const json_t *request, void *context)
{
	struct world *w = context;

	(void)request;
	w->ran++;
	control_reply(token, NULL);
}

static void
run_fail(struct control_token *token, const json_t *request, void *context)
{
	(void)request;
	(void)context;
	control_refuse(token, "not \"%s\", never: %s", "this", "\xff\xfe"); /* no UTF-8 */
}

static void
run_late(struct control_token *token, const json_t *request, void *context)
{
	struct world *w = context;

	(void)request;
	assert_null(w->late);
	w->late = token;
}

static void
run_watch(struct control_token *token, const json_t *request, void *context)
{
	(void)request;
	(void)context;
	control_subscribe(token, TOPIC, json_pack("{s:s}", "state", "first"));
}

/* Publishes to its own connection while it runs. */
static void
run_shout(struct control_token *token, const json_t *request, void *context)
{
	struct world *w = context;

	(void)request;
	control_publish(w->control, TOPIC, json_pack("{s:s}", "state", "shout"));
	control_reply(token, NULL);
}

static void
run_big(struct control_token *token, const json_t *request, void *context)
{
	size_t n = (size_t)json_integer_value(json_object_get(request, "n"));
	char *p = malloc(n);

	(void)context;
	memset(p, 'b', n);
	control_reply(token, json_pack("{s:o}", "big", json_stringn(p, n)));
	free(p);
}

static const struct control_command commands[] = {
	{ "echo", true, run_echo, "say it again" },
	{ "count", false, run_count, "count" },
	{ "fail", true, run_fail, "fail" },
	{ "late", true, run_late, "answer later" },
	{ "watch", true, run_watch, "follow" },
	{ "shout", false, run_shout, "to all" },
	{ "big", true, run_big, "much" },
};

static void
control_open(struct world *w, bool read_only)
{
	const struct unix_socket_access who = { 0600, (gid_t)-1 };
	struct control_options options = { .read_only = read_only,
		.commands = commands,
		.n_commands = sizeof(commands) / sizeof(commands[0]),
		.context = w };
	struct err err;

	options.listen_fd = unix_socket_listen(&w->file, str_of(w->path), &who, &err);
	assert_true(options.listen_fd >= 0);
	w->control = control_start(w->loop, &options, &err);
	assert_non_null(w->control);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/test_control.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/socket", w->dir);
	w->loop = ev_loop_new(EVFLAG_AUTO);
	w->answer = malloc(ANSWER_MAX);
	control_open(w, false);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	control_stop(&w->control);
	assert_null(w->control);
	control_stop(&w->control);
	if (w->late)
		control_reply(w->late, NULL); /* valid even now */
	ev_loop_destroy(w->loop);
	unix_socket_remove(&w->file);
	rmdir(w->dir);
	free(w->answer);
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

static void
say(struct world *w, int fd, const char *text)
{
	size_t n = strlen(text), done = 0;
	ssize_t sent;

	while (done < n) {
		sent = send(fd, text + done, n - done, MSG_NOSIGNAL);
		if (sent > 0)
			done += (size_t)sent;
		else
			assert_int_equal(errno, EAGAIN);
		turn(w);
	}
}

/* What has come until nothing more does, added behind *got bytes; "EOF" stands for the end. */
static void
take_more(struct world *w, int fd, size_t *got)
{
	int64_t quiet_until = clock_ns() + 50 * NS_PER_MS;
	ssize_t n = 1;

	while (n > 0 || (clock_ns() < quiet_until && !(*got && w->answer[*got - 1] == '\n'))) {
		turn(w);
		n = recv(fd, w->answer + *got, ANSWER_MAX - 4 - *got, 0);
		if (n > 0) {
			*got += (size_t)n;
		} else if (n == 0 || errno == ECONNRESET) {
			memcpy(w->answer + *got, "EOF", 3);
			*got += 3;
			break;
		}
	}
	w->answer[*got] = '\0';
}

static const char *
take(struct world *w, int fd)
{
	size_t got = 0;

	take_more(w, fd, &got);
	return w->answer;
}

/* Until the other side closes. */
static const char *
take_all(struct world *w, int fd)
{
	int64_t deadline = clock_ns() + 5 * NS_PER_S;
	size_t got = 0;

	do
		take_more(w, fd, &got);
	while (clock_ns() < deadline && (got < 3 || strcmp(w->answer + got - 3, "EOF") != 0));
	return w->answer;
}

static void
test_replies(void **state)
{
	struct world *w = *state;
	int fd = client_open(w);

	say(w, fd, "{\"command\":\"echo\",\"say\":[1,\"x\"]}\n");
	assert_string_equal(take(w, fd), "{\"ok\":true,\"you\":[1,\"x\"]}\n");
	say(w, fd, "{\"command\":\"count\"}\r\n");
	assert_string_equal(take(w, fd), "{\"ok\":true}\n");
	say(w, fd, "{\"command\":\"fail\"}\n");
	assert_string_equal(
	    take(w, fd), "{\"ok\":false,\"error\":\"not \\\"this\\\", never: ??\"}\n");
	close(fd);
}

static void
test_several_in_one_packet_and_one_in_pieces(void **state)
{
	struct world *w = *state;
	const char *request = "{\"command\":\"count\"}\n";
	int fd = client_open(w);
	char piece[2] = "";

	say(w, fd,
	    "{\"command\":\"count\"}\n{\"command\":\"echo\",\"say\":\"a\"}\n{\"command\":\"count\"}"
	    "\n{\"comm");
	assert_string_equal(
	    take(w, fd), "{\"ok\":true}\n{\"ok\":true,\"you\":\"a\"}\n{\"ok\":true}\n");
	say(w, fd, "and\":\"count\"}\n");
	assert_string_equal(take(w, fd), "{\"ok\":true}\n");
	for (; *request; request++) {
		piece[0] = *request;
		say(w, fd, piece);
	}
	assert_string_equal(take(w, fd), "{\"ok\":true}\n");
	assert_int_equal(w->ran, 4);
	close(fd);
}

static void
test_bad_requests(void **state)
{
	struct world *w = *state;
	int fd = client_open(w);

	say(w, fd, "{\"command\":\n");
	assert_non_null(strstr(take(w, fd), "{\"ok\":false,\"error\":\"not a JSON object"));
	say(w, fd, "\n");
	assert_non_null(strstr(take(w, fd), "\"ok\":false"));
	say(w, fd, "[\"echo\"]\n");
	assert_non_null(strstr(take(w, fd), "\"ok\":false"));
	say(w, fd, "{\"command\":7}\n");
	assert_non_null(strstr(take(w, fd), "\"ok\":false"));
	say(w, fd, "{\"command\":\"echo\",\"command\":\"count\"}\n");
	assert_non_null(strstr(take(w, fd), "\"ok\":false"));
	say(w, fd, "{\"command\":\"nix\"}\n");
	assert_string_equal(take(w, fd),
	    "{\"ok\":false,\"error\":\"unknown command \\\"nix\\\"; known: echo, count, fail, "
	    "late, "
	    "watch, shout, big, help\"}\n");
	say(w, fd, "{\"command\":\"count\"}\n"); /* and it still works */
	assert_string_equal(take(w, fd), "{\"ok\":true}\n");
	close(fd);
}

static void
test_help(void **state)
{
	struct world *w = *state;
	int fd = client_open(w);
	json_t *answer;

	say(w, fd, "{\"command\":\"help\"}\n");
	answer = json_loads(take(w, fd), 0, NULL);
	assert_int_equal(json_array_size(json_object_get(answer, "commands")), 7);
	json_decref(answer);
	close(fd);
}

static void
test_read_only(void **state)
{
	struct world *w = *state;
	int fd;

	control_stop(&w->control);
	unix_socket_remove(&w->file);
	control_open(w, true);
	fd = client_open(w);
	say(w, fd, "{\"command\":\"count\"}\n");
	assert_non_null(strstr(take(w, fd), "not allowed on a read-only socket"));
	assert_int_equal(w->ran, 0);
	say(w, fd, "{\"command\":\"echo\",\"say\":1}\n");
	assert_string_equal(take(w, fd), "{\"ok\":true,\"you\":1}\n");
	close(fd);
}

static void
test_late_answer_keeps_the_order(void **state)
{
	struct world *w = *state;
	int fd = client_open(w);

	say(w, fd, "{\"command\":\"late\"}\n{\"command\":\"count\"}\n");
	assert_string_equal(take(w, fd), "");
	assert_non_null(w->late);
	assert_int_equal(w->ran, 0);
	control_reply(w->late, json_pack("{s:i}", "n", 1));
	w->late = NULL;
	assert_string_equal(take(w, fd), "{\"ok\":true,\"n\":1}\n{\"ok\":true}\n");
	close(fd);
}

static void
test_late_answer_to_nobody(void **state)
{
	struct world *w = *state;
	int fd = client_open(w);

	say(w, fd, "{\"command\":\"late\"}\n");
	assert_non_null(w->late);
	close(fd);
	turn(w);
	control_refuse(w->late, "too late");
	w->late = NULL;
	turn(w);

	fd = client_open(w); /* the same, cut off by a reset */
	say(w, fd, "{\"command\":\"late\"}\n");
	say(w, fd, "unread");
	shutdown(fd, SHUT_RD);
	close(fd);
	turn(w);
	control_subscribe(w->late, TOPIC, NULL);
	w->late = NULL;
	turn(w);
	assert_false(control_has_subscribers(w->control, TOPIC));
}

static void
test_half_closed(void **state)
{
	struct world *w = *state;
	int fd = client_open(w);

	say(w, fd, "{\"command\":\"late\"}\n{\"command\":\"count\"}"); /* no newline at the end */
	shutdown(fd, SHUT_WR);
	turn(w);
	control_reply(w->late, NULL);
	w->late = NULL;
	assert_string_equal(take_all(w, fd), "{\"ok\":true}\n{\"ok\":true}\nEOF");
	close(fd);
}

static void
test_subscription(void **state)
{
	struct world *w = *state;
	int one = client_open(w), two = client_open(w), other = client_open(w);

	assert_false(control_has_subscribers(w->control, TOPIC));
	say(w, one, "{\"command\":\"watch\"}\n");
	assert_string_equal(take(w, one), "{\"ok\":true,\"state\":\"first\"}\n");
	say(w, two, "{\"command\":\"watch\"}\n");
	take(w, two);
	assert_true(control_has_subscribers(w->control, TOPIC));
	assert_false(control_has_subscribers(w->control, TOPIC + 1));
	control_publish(w->control, TOPIC, json_pack("{s:i}", "n", 1));
	control_publish(w->control, TOPIC + 1, json_pack("{s:i}", "n", 2));
	assert_string_equal(take(w, one), "{\"n\":1}\n");
	assert_string_equal(take(w, two), "{\"n\":1}\n");
	assert_string_equal(take(w, other), "");
	say(w, one, "{\"command\":\"shout\"}\n");
	assert_string_equal(take(w, one), "{\"state\":\"shout\"}\n{\"ok\":true}\n");
	close(one);
	close(two);
	turn(w);
	assert_false(control_has_subscribers(w->control, TOPIC));
	control_publish(w->control, TOPIC, json_pack("{s:i}", "n", 3));
	close(other);
}

/* It reads nothing: its queue ends, and nobody else notices. */
static void
test_slow_subscriber_is_cut_off(void **state)
{
	struct world *w = *state;
	int slow = client_open(w), good = client_open(w), i;
	char *big = malloc(1 << 20);

	memset(big, 'x', 1 << 20);
	say(w, slow, "{\"command\":\"watch\"}\n");
	say(w, good, "{\"command\":\"watch\"}\n");
	take(w, good);
	for (i = 0; i < 20; i++) {
		control_publish(
		    w->control, TOPIC, json_pack("{s:o}", "b", json_stringn(big, 1 << 20)));
		assert_int_equal(strlen(take(w, good)), (1 << 20) + 9);
	}
	turn(w);
	close(good);
	turn(w);
	assert_false(control_has_subscribers(w->control, TOPIC)); /* the slow one is gone, too */
	close(slow);
	free(big);
}

/* Always behind but reading: it may stay, whatever the sum. */
static void
test_lagging_subscriber_stays(void **state)
{
	struct world *w = *state;
	int fd = client_open(w), i;
	char *big = malloc(1 << 20);
	size_t got = 0;

	memset(big, 'x', 1 << 20);
	say(w, fd, "{\"command\":\"watch\"}\n");
	take(w, fd);
	for (i = 0; i < 2 * (CONTROL_QUEUE_MAX >> 20); i++) {
		control_publish(
		    w->control, TOPIC, json_pack("{s:o}", "b", json_stringn(big, 1 << 20)));
		for (got = i < 4 ? 1 << 20 : 0; got < 1 << 20; turn(w)) {
			ssize_t n = recv(fd, w->answer, (1 << 20) - got, 0);

			assert_int_not_equal(n, 0); /* cut off */
			got += n > 0 ? (size_t)n : 0;
		}
	}
	assert_true(control_has_subscribers(w->control, TOPIC));
	close(fd);
	free(big);
}

static void
test_long_lines(void **state)
{
	struct world *w = *state;
	char *line = malloc(CONTROL_LINE_MAX + 2);
	const char *head = "{\"command\":\"echo\",\"say\":\"";
	int fd = client_open(w);

	memset(line, 'x', CONTROL_LINE_MAX + 1); /* the longest that is allowed, newline included */
	memcpy(line, head, strlen(head));
	strcpy(line + CONTROL_LINE_MAX - 3, "\"}\n");
	say(w, fd, line);
	assert_memory_equal(take(w, fd), "{\"ok\":true,\"you\":\"xxx", 20);
	memset(line, 'x', CONTROL_LINE_MAX + 1);
	line[CONTROL_LINE_MAX] = '\0';
	say(w, fd, line);
	assert_string_equal(
	    take_all(w, fd), "{\"ok\":false,\"error\":\"the request line is too long\"}\nEOF");
	close(fd);
	free(line);
}

static void
test_big_replies(void **state)
{
	struct world *w = *state;
	int fd = client_open(w);
	char request[96];
	size_t got = 0;

	snprintf(request, sizeof(request), "{\"command\":\"big\",\"n\":%d}\n", 8 << 20);
	say(w, fd, request);
	say(w, fd, "{\"command\":\"count\"}\n"); /* runs only when that was read */
	assert_int_equal(w->ran, 0);
	while (!w->ran)
		take_more(w, fd, &got);
	take_more(w, fd, &got);
	assert_string_equal(w->answer + got - 16, "b\"}\n{\"ok\":true}\n");
	snprintf(request, sizeof(request), "{\"command\":\"big\",\"n\":%d}\n", CONTROL_QUEUE_MAX);
	say(w, fd, request);
	assert_string_equal(take(w, fd), "{\"ok\":false,\"error\":\"the reply is too long\"}\n");
	close(fd);
}

static void
test_too_many_clients(void **state)
{
	struct world *w = *state;
	int fds[CONTROL_CLIENTS_MAX], i, more;

	for (i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = client_open(w);
		turn(w);
	}
	more = client_open(w);
	assert_string_equal(take(w, more), "{\"ok\":false,\"error\":\"too many clients\"}\nEOF");
	close(more);
	close(fds[7]);
	turn(w);
	more = client_open(w);
	say(w, more, "{\"command\":\"count\"}\n");
	assert_string_equal(take(w, more), "{\"ok\":true}\n");
	close(more);
	for (i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (i != 7)
			close(fds[i]);
}

/* --- the blocking client, in its own thread --- */

struct talk {
	const char *path;
	char answers[4][96];
	int codes[4];
};

static void *
talk_run(void *arg)
{
	struct talk *t = arg;
	int64_t deadline = clock_ns() + 5 * NS_PER_S;
	struct control_client *c;
	struct str line;
	struct err err;

	c = control_client_open(t->path, deadline, &err);
	if (!c)
		return NULL;
	control_client_send(c, STR("{\"command\":\"watch\"}"), deadline, &err);
	control_client_send(c, STR("{\"command\":\"shout\"}"), deadline, &err);
	for (int i = 0; i < 3; i++) {
		t->codes[i] = control_client_read(c, &line, deadline, &err);
		if (!t->codes[i])
			snprintf(t->answers[i], 96, "%.*s", STR_ARG(line));
	}
	t->codes[3] = control_client_read(c, &line, clock_ns() + 50 * NS_PER_MS, &err);
	control_client_close(&c);
	control_client_close(&c);
	return arg;
}

static void
test_blocking_client(void **state)
{
	struct world *w = *state;
	struct talk talk = { .path = w->path };
	pthread_t thread;
	void *done = NULL;

	pthread_create(&thread, NULL, talk_run, &talk);
	while (pthread_tryjoin_np(thread, &done) != 0)
		ev_run(w->loop, EVRUN_NOWAIT);
	assert_non_null(done);
	assert_int_equal(talk.codes[0], 0);
	assert_string_equal(talk.answers[0], "{\"ok\":true,\"state\":\"first\"}");
	assert_string_equal(talk.answers[1], "{\"state\":\"shout\"}");
	assert_string_equal(talk.answers[2], "{\"ok\":true}");
	assert_int_equal(talk.codes[3], -ETIMEDOUT);
}

static void
test_blocking_client_without_daemon(void **state)
{
	struct world *w = *state;
	struct control_client *c;
	struct str line;
	struct err err;

	c = control_client_open(w->path, clock_ns() + NS_PER_S, &err);
	assert_non_null(c);
	turn(w);
	control_stop(&w->control);
	assert_int_equal(control_client_read(c, &line, clock_ns() + NS_PER_S, &err), -EPIPE);
	control_client_close(&c);
	assert_null(control_client_open(w->path, clock_ns() + NS_PER_S, &err));
	assert_int_equal(err.code, -ECONNREFUSED);
	unix_socket_remove(&w->file);
	assert_null(control_client_open(w->path, clock_ns() + NS_PER_S, &err));
	assert_int_equal(err.code, -ENOENT);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(test_replies),
		IN_WORLD(test_several_in_one_packet_and_one_in_pieces),
		IN_WORLD(test_bad_requests),
		IN_WORLD(test_help),
		IN_WORLD(test_read_only),
		IN_WORLD(test_late_answer_keeps_the_order),
		IN_WORLD(test_late_answer_to_nobody),
		IN_WORLD(test_half_closed),
		IN_WORLD(test_subscription),
		IN_WORLD(test_slow_subscriber_is_cut_off),
		IN_WORLD(test_lagging_subscriber_stays),
		IN_WORLD(test_long_lines),
		IN_WORLD(test_big_replies),
		IN_WORLD(test_too_many_clients),
		IN_WORLD(test_blocking_client),
		IN_WORLD(test_blocking_client_without_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
