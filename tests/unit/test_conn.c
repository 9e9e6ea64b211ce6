/* test_conn.c - what is sent at once, what waits, and what is said when it cannot wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lbd/proxy/conn.h"

static char big[4 * BUFFER_HUGE_SIZE];

struct fixture {
	struct worker worker;
	struct conn conn;
	int peer;
};

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

static int
set_up(void **state)
{
	static const struct conn_events events = { on_event, on_event, on_expired };
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2], small = 4096;

	assert_non_null(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	f->worker.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	timer_wheel_init(&f->worker.wheel, 0);
	conn_init(&f->conn, &f->worker, fds[0], &events);
	f->peer = fds[1];
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	conn_close(&f->conn, false);
	close(f->peer);
	buffer_pool_fini(&f->worker.buffers);
	ev_loop_destroy(f->worker.loop);
	free(f);
	return 0;
}

static void
what_the_socket_does_not_take_waits(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(conn_send(&f->conn, big, BUFFER_LARGE_SIZE), 0);
	assert_int_equal(f->conn.bytes_sent + buffer_used(f->conn.out), BUFFER_LARGE_SIZE);
	assert_true(f->conn.out != NULL);
	assert_true(ev_is_active(&f->conn.write));
}

/* An error would mean that nothing was sent, and that a request may be sent to another server. */
static void
half_sent_is_not_called_unsent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(conn_send(&f->conn, big, sizeof(big)), 0);
	assert_true(f->conn.bytes_sent > 0);
	assert_true(f->conn.broken);
	assert_int_equal(conn_send(&f->conn, big, 1), -EPIPE);
}

static void
what_cannot_wait_any_more_breaks_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(conn_send(&f->conn, big, BUFFER_LARGE_SIZE), 0);
	assert_int_equal(conn_send(&f->conn, big, BUFFER_HUGE_SIZE), -ENOBUFS);
	assert_true(f->conn.broken);
	assert_true(f->conn.out == NULL);
}

static void
a_peer_that_is_gone_is_an_error_at_once(void **state)
{
	struct fixture *f = *state;

	shutdown(f->peer, SHUT_RDWR);
	assert_int_equal(conn_send(&f->conn, "x", 1), -EPIPE);
	assert_int_equal(f->conn.bytes_sent, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_the_socket_does_not_take_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_sent_is_not_called_unsent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_cannot_wait_any_more_breaks_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_peer_that_is_gone_is_an_error_at_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
