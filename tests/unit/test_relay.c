/* test_relay.c - two pairs of sockets and a relay between them: ends, breaks, and how much waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lbd/proxy/proxy.h"
#include "lbd/proxy/relay.h"

enum { NOT_OVER = -1, LARGE = 1 << 20 };

static const struct timeouts_config timeouts = {
	.tunnel = INT64_C(1000000000),
	.client_fin = INT64_C(200000000),
	.server_fin = INT64_C(300000000),
};

struct fixture {
	struct worker worker;
	struct proxy proxy;
	struct conn client, server;
	int client_peer, server_peer;
	struct relay relay;
	int over; /* enum termination */
};

static struct fixture *now; /* the one of the present test */

static void
on_event(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)io;
	(void)revents;
}

static void
on_expired(struct timer *t)
{
	(void)t;
}

static void
on_over(struct relay *r, enum termination why)
{
	assert_ptr_equal(r, &now->relay);
	assert_int_equal(now->over, NOT_OVER);
	now->over = (int)why;
}

static int
side_make(struct fixture *f, struct conn *c)
{
	static const struct conn_events events = { on_event, on_event, on_expired };
	int fds[2], size = LARGE;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	conn_init(c, &f->worker, fds[0], &events);
	return fds[1];
}

static int
set_up(void **state)
{
	struct fixture *f = now = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->worker.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	f->worker.proxy = &f->proxy;
	f->worker.scratch = malloc(SCRATCH_KEPT + SCRATCH_READ);
	timer_wheel_init(&f->worker.wheel, 0);
	f->client_peer = side_make(f, &f->client);
	f->server_peer = side_make(f, &f->server);
	f->over = NOT_OVER;
	relay_start(&f->relay, &f->client, &f->server, &timeouts, on_over);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	relay_fini(&f->relay);
	conn_close(&f->client, false);
	conn_close(&f->server, false);
	close(f->client_peer);
	close(f->server_peer);
	pipe_pool_fini(&f->proxy.pipes);
	buffer_pool_fini(&f->worker.buffers);
	free(f->worker.scratch);
	ev_loop_destroy(f->worker.loop);
	free(f);
	return 0;
}

/* What is readable there now. */
static void
expect_at(int fd, const char *text)
{
	char got[100];
	ssize_t n = recv(fd, got, sizeof(got), 0);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void
each_end_is_passed_on(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(send(f->client_peer, "ask", 3, 0), 3);
	relay_client_readable(&f->relay);
	expect_at(f->server_peer, "ask");
	shutdown(f->client_peer, SHUT_WR);
	relay_client_readable(&f->relay);
	expect_at(f->server_peer, "");
	assert_int_equal(f->over, NOT_OVER);
	assert_int_equal(send(f->server_peer, "answer", 6, 0), 6);
	relay_server_readable(&f->relay);
	expect_at(f->client_peer, "answer");
	shutdown(f->server_peer, SHUT_WR);
	relay_server_readable(&f->relay);
	assert_int_equal(f->over, END_OK);
}

static void
what_was_kept_goes_first(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(conn_keep(&f->client, "early", 5), 0);
	relay_start(&f->relay, &f->client, &f->server, &timeouts, on_over);
	expect_at(f->server_peer, "early");
}

/* The server closes with something unread: a reset, of which the client hears behind the last words. */
static void
a_break_is_told_behind_what_came_before(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(send(f->client_peer, "unread", 6, 0), 6);
	relay_client_readable(&f->relay);
	assert_int_equal(send(f->server_peer, "last words", 10, 0), 10);
	close(f->server_peer);
	f->server_peer = -1;
	relay_server_readable(&f->relay);
	expect_at(f->client_peer, "last words");
	assert_int_equal(f->over, NOT_OVER);
	relay_server_readable(&f->relay);
	assert_int_equal(f->over, END_SERVER_RESET);
}

/* What it cannot get rid of stops the client; what the server still says is heard. */
static void
a_side_that_takes_nothing_any_more_is_heard_out(void **state)
{
	struct fixture *f = *state;

	shutdown(f->server_peer, SHUT_RD);
	assert_int_equal(send(f->client_peer, "in vain", 7, 0), 7);
	relay_client_readable(&f->relay);
	assert_true(f->server.broken);
	assert_false(ev_is_active(&f->client.read));
	assert_int_equal(f->over, NOT_OVER);
	assert_int_equal(send(f->server_peer, "because", 7, 0), 7);
	relay_server_readable(&f->relay);
	expect_at(f->client_peer, "because");
	shutdown(f->server_peer, SHUT_WR);
	relay_server_readable(&f->relay);
	assert_int_equal(f->over, END_SERVER_RESET);
}

static void
nothing_for_long_is_an_end(void **state)
{
	struct fixture *f = *state;

	relay_expired(&f->relay);
	assert_int_equal(f->over, END_TUNNEL_IDLE);
	relay_client_readable(&f->relay); /* and then nothing */
}

/* How long nothing may move now. */
static int64_t
patience(const struct fixture *f)
{
	return f->server.timer.deadline - f->worker.now;
}

static void
a_client_that_has_ended_waits_for_the_server(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(patience(f), timeouts.tunnel);
	shutdown(f->client_peer, SHUT_WR);
	relay_client_readable(&f->relay);
	assert_int_equal(patience(f), timeouts.server_fin);
	assert_int_equal(send(f->server_peer, "still busy", 10, 0), 10);
	f->worker.now += timeouts.server_fin;
	relay_server_readable(&f->relay);
	assert_int_equal(patience(f), timeouts.server_fin); /* anew */
	expect_at(f->client_peer, "still busy");
	relay_expired(&f->relay);
	assert_int_equal(f->over, END_SERVER_FIN_TIMEOUT);
}

static void
a_server_that_has_ended_waits_for_the_client(void **state)
{
	struct fixture *f = *state;

	shutdown(f->server_peer, SHUT_WR);
	relay_server_readable(&f->relay);
	assert_int_equal(patience(f), timeouts.client_fin);
	relay_expired(&f->relay);
	assert_int_equal(f->over, END_CLIENT_FIN_TIMEOUT);
}

/* Whoever has not taken all has not got the FIN either. */
static void
an_end_that_waits_is_none_yet(void **state)
{
	struct fixture *f = *state;
	static char much[LARGE];
	ssize_t sent = 0, n;

	do {
		n = send(f->client_peer, much, sizeof(much), 0);
		sent += n > 0 ? n : 0;
		relay_client_readable(&f->relay);
	} while (!f->relay.up.pipe && !f->server.out);
	shutdown(f->client_peer, SHUT_WR);
	assert_int_equal(patience(f), timeouts.tunnel);
	while (sent > 0) {
		n = recv(f->server_peer, much, sizeof(much), 0);
		assert_true(n > 0 || errno == EAGAIN);
		sent -= n > 0 ? n : 0;
		if (f->relay.up.pipe || f->server.out)
			relay_server_writable(&f->relay);
		else
			relay_client_readable(&f->relay);
	}
	relay_client_readable(&f->relay);
	assert_int_equal(patience(f), timeouts.server_fin);
}

/* What it had of us long ago lies in the kernel: it is alive while that gets less. */
static void
a_slow_reader_is_not_idle(void **state)
{
	struct fixture *f = *state;
	char some[1000];

	memset(some, 'x', sizeof(some));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send(f->client_peer, some, sizeof(some), 0), sizeof(some));
		relay_client_readable(&f->relay);
	}
	for (int i = 0; i < 2; i++) {
		relay_expired(&f->relay);
		assert_int_equal(f->over, NOT_OVER);
		assert_int_equal(recv(f->server_peer, some, sizeof(some), 0), sizeof(some));
	}
	relay_expired(&f->relay);
	assert_int_equal(f->over, NOT_OVER);
	relay_expired(&f->relay); /* one is left, and stays */
	assert_int_equal(f->over, END_TUNNEL_IDLE);
}

/* Numbers of four bytes, as far as the socket takes them; those that come out are the same. */
static uint32_t
numbers_send(int fd, uint32_t next)
{
	static uint32_t block[LARGE / 4];
	ssize_t n;

	for (uint32_t i = 0; i < LARGE / 4; i++)
		block[i] = next + i;
	n = send(fd, block, sizeof(block), 0);
	assert_true(n % 4 == 0 || errno == EAGAIN);
	return n > 0 ? next + (uint32_t)n / 4 : next;
}

static uint32_t
numbers_receive(int fd, uint32_t next)
{
	static char bytes[LARGE];
	static size_t kept;
	ssize_t n = recv(fd, bytes + kept, sizeof(bytes) - kept, 0);
	size_t have = n > 0 ? kept + (size_t)n : kept, whole = have / 4 * 4;
	uint32_t v;

	for (size_t i = 0; i < whole; i += 4) {
		memcpy(&v, bytes + i, 4);
		assert_int_equal(v, next + i / 4);
	}
	memmove(bytes, bytes + whole, have - whole);
	kept = have - whole;
	return next + (uint32_t)(whole / 4);
}

static void
a_large_flow_is_spliced_and_waits_within_bounds(void **state)
{
	struct fixture *f = *state;
	uint32_t sent = 0, got = 0;

	for (int round = 0; round < 200; round++) {
		sent = numbers_send(f->client_peer, sent);
		relay_client_readable(&f->relay);
		if (round % 10 == 9) /* a slow reader */
			got = numbers_receive(f->server_peer, got);
		if (f->relay.up.pipe || f->server.out)
			relay_server_writable(&f->relay);
		assert_true(f->client.bytes_read - f->server.bytes_sent <= SCRATCH_READ);
		assert_int_equal(
		    ev_is_active(&f->client.read), !f->relay.up.pipe && !f->server.out);
	}
	assert_true(f->proxy.pipes.n > 0);
	assert_true(f->client.bytes_read > 8 * LARGE);
	while (got * UINT64_C(4) + 3 < f->client.bytes_read) {
		got = numbers_receive(f->server_peer, got);
		if (f->relay.up.pipe || f->server.out)
			relay_server_writable(&f->relay);
	}
	assert_null(f->relay.up.pipe);
}

int
main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(each_end_is_passed_on),
		CASE(what_was_kept_goes_first),
		CASE(a_break_is_told_behind_what_came_before),
		CASE(a_side_that_takes_nothing_any_more_is_heard_out),
		CASE(nothing_for_long_is_an_end),
		CASE(a_client_that_has_ended_waits_for_the_server),
		CASE(a_server_that_has_ended_waits_for_the_client),
		CASE(an_end_that_waits_is_none_yet),
		CASE(a_slow_reader_is_not_idle),
		CASE(a_large_flow_is_spliced_and_waits_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
