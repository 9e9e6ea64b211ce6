/* acceptor.c - a few accepts per wakeup, a rest when descriptors run out. */
#include "common/acceptor.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_PER_TURN = 16 };
static const double retry_after_s = 0.1;

static bool
accept_can_wait(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void
on_connection(struct ev_loop *loop, ev_io *w, int revents)
{
	struct acceptor *a = w->data;
	int i, fd;

	(void)revents;
	for (i = 0; i < ACCEPTS_PER_TURN && !a->paused; i++) {
		fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			a->accepted(a, fd);
		} else if (accept_can_wait(errno)) {
			ev_io_stop(loop, w);
			ev_timer_set(&a->retry, retry_after_s, 0.);
			ev_timer_start(loop, &a->retry);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

static void
on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct acceptor *a = w->data;

	(void)loop;
	(void)revents;
	if (!a->paused)
		ev_io_start(a->loop, &a->io);
}

void
acceptor_start(struct acceptor *a, struct ev_loop *loop, int fd, acceptor_fn *accepted, void *owner)
{
	*a = (struct acceptor){ .loop = loop, .accepted = accepted, .owner = owner };
	ev_io_init(&a->io, on_connection, fd, EV_READ);
	ev_timer_init(&a->retry, on_retry, retry_after_s, 0.);
	a->io.data = a->retry.data = a;
	ev_io_start(loop, &a->io);
}

void
acceptor_pause(struct acceptor *a)
{
	a->paused = true;
	ev_io_stop(a->loop, &a->io);
}

void
acceptor_resume(struct acceptor *a)
{
	a->paused = false;
	if (!ev_is_active(&a->retry))
		ev_io_start(a->loop, &a->io);
}

void
acceptor_stop(struct acceptor *a)
{
	ev_io_stop(a->loop, &a->io);
	ev_timer_stop(a->loop, &a->retry);
	close(a->io.fd);
}
