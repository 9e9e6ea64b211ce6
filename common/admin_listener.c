/* admin_listener.c - a few accepts per wakeup, a rest when descriptors run out. */
#include "common/admin_listener.h"

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
	struct admin_listener *a = w->data;
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
	struct admin_listener *a = w->data;

	(void)loop;
	(void)revents;
	if (!a->paused)
		ev_io_start(a->loop, &a->io);
}

void
admin_listener_start(struct admin_listener *a, struct ev_loop *loop, int fd,
    admin_listener_fn *accepted, void *owner)
{
	*a = (struct admin_listener){ .loop = loop, .accepted = accepted, .owner = owner };
	ev_io_init(&a->io, on_connection, fd, EV_READ);
	ev_timer_init(&a->retry, on_retry, retry_after_s, 0.);
	a->io.data = a->retry.data = a;
	ev_io_start(loop, &a->io);
}

void
admin_listener_pause(struct admin_listener *a)
{
	a->paused = true;
	ev_io_stop(a->loop, &a->io);
}

void
admin_listener_resume(struct admin_listener *a)
{
	a->paused = false;
	if (!ev_is_active(&a->retry))
		ev_io_start(a->loop, &a->io);
}

void
admin_listener_stop(struct admin_listener *a)
{
	ev_io_stop(a->loop, &a->io);
	ev_timer_stop(a->loop, &a->retry);
	close(a->io.fd);
}
