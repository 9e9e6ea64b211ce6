/* acceptor.c - accept, within the limits. */
#include "lbd/worker/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "lbd/balance/limit.h"
#include "lbd/worker/worker.h"

enum { ACCEPT_BATCH_MAX = 64, ACCEPT_QUEUE_MAX = 65536 };
static const double ACCEPT_AGAIN_S = 0.1;

enum accepted {
	ACCEPTED,
	ACCEPT_NONE, /* the queue is empty */
	ACCEPT_LATER /* the acceptors wait now */
};

static void
acceptors_pause(struct worker *w)
{
	struct snapshot *s = w->snapshot;

	for (uint32_t i = 0; i < s->config->n_listeners; i++)
		for (uint32_t b = 0; b < s->listeners[i].conf->n_bind; b++)
			ev_io_stop(w->loop, &s->listeners[i].acceptors[b].io);
}

/* One connection more, if the limit allows. */
static bool
connection_count(struct worker *w)
{
	return limit_take(&w->shared->connections, w->snapshot->config->limits.connections);
}

/* One less: there is room for somebody who waits, perhaps in another worker. */
void
worker_connection_closed(struct worker *w)
{
	struct worker_shared *shared = w->shared;

	if (atomic_fetch_sub(&shared->connections, 1) == 1 && w->draining)
		shared->emptied(shared->emptied_arg);
	if (atomic_load(&shared->waiting) == 0)
		return;
	for (uint32_t i = 0; i < shared->n_workers; i++)
		ev_async_send(shared->workers[i]->loop, &shared->workers[i]->room);
}

/* Nobody gives way to a connection that is not there. */
static bool
someone_waits(const struct acceptor *a)
{
	struct pollfd p = { .fd = a->io.fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* `waiting` is raised before the second look, so that whoever ends a connection after it wakes us. */
static enum accepted
room_or_wait(struct worker *w, const struct acceptor *a)
{
	if (connection_count(w))
		return ACCEPTED;
	if (!someone_waits(a))
		return ACCEPT_NONE;
	if (w->hooks->make_room(w) && connection_count(w))
		return ACCEPTED;
	if (w->waits_for_room) /* the last look at a socket that is given up */
		return ACCEPT_LATER;
	atomic_fetch_add(&w->shared->waiting, 1);
	if (connection_count(w)) {
		atomic_fetch_sub(&w->shared->waiting, 1);
		return ACCEPTED;
	}
	w->waits_for_room = true;
	acceptors_pause(w);
	return ACCEPT_LATER;
}

static enum accepted
accept_failed(struct worker *w, const struct acceptor *a, int err)
{
	switch (err) {
	case EAGAIN:
		return ACCEPT_NONE;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		if (!someone_waits(a)) /* accept(2) wants a descriptor before it looks */
			return ACCEPT_NONE;
		if (err == EMFILE && w->hooks->make_room(w))
			return ACCEPTED; /* a descriptor is free: go on */
		log_warning("accept_paused", "worker=%u reason=\"%s\"", w->id, strerror(err));
		acceptors_pause(w);
		ev_timer_stop(w->loop, &w->accept_again);
		ev_timer_set(&w->accept_again, ACCEPT_AGAIN_S, 0.);
		ev_timer_start(w->loop, &w->accept_again);
		return ACCEPT_LATER;
	default: /* that connection is gone already, or the network has a moment: accept(2) */
		return ACCEPTED;
	}
}

static enum accepted
accept_one(struct acceptor *a)
{
	struct worker *w = a->listener->snapshot->worker;
	struct address peer = { .len = sizeof(peer.un) };
	enum accepted room = room_or_wait(w, a);
	int fd, err;

	if (room != ACCEPTED)
		return room;
	fd = accept4(a->io.fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		err = errno;
		worker_connection_closed(
		    w); /* others may have seen the last place taken meanwhile */
		return accept_failed(w, a, err);
	}
	w->hooks->accepted(a->listener, fd, &peer);
	return ACCEPTED;
}

static void
on_acceptable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct acceptor *a = io->data;
	enum accepted got = ACCEPTED;
	uint32_t n;

	(void)loop;
	(void)revents;
	for (n = 0; n < a->batch && (got = accept_one(a)) == ACCEPTED; n++)
		;
	if (got == ACCEPTED && a->batch < ACCEPT_BATCH_MAX)
		a->batch *= 2;
	else if (got == ACCEPT_NONE)
		a->batch = n ? n : 1;
}

void
acceptor_init(struct acceptor *a, struct listener *l, int fd)
{
	a->listener = l;
	a->batch = 1;
	ev_io_init(&a->io, on_acceptable, fd, EV_READ);
	a->io.data = a;
}

void
acceptors_start(struct snapshot *s)
{
	struct worker *w = s->worker;

	if (w->waits_for_room || ev_is_active(&w->accept_again))
		return;
	for (uint32_t i = 0; i < s->config->n_listeners; i++)
		for (uint32_t b = 0; b < s->listeners[i].conf->n_bind; b++)
			ev_io_start(w->loop, &s->listeners[i].acceptors[b].io);
}

static bool
listens_on(const struct snapshot *s, int fd)
{
	for (uint32_t i = 0; s && i < s->config->n_listeners; i++)
		for (uint32_t b = 0; b < s->listeners[i].conf->n_bind; b++)
			if (s->listeners[i].acceptors[b].io.fd == fd)
				return true;
	return false;
}

static void
acceptor_stop(struct acceptor *a, const struct snapshot *next)
{
	struct worker *w = a->listener->snapshot->worker;

	ev_io_stop(w->loop, &a->io);
	if (listens_on(next, a->io.fd))
		return;
	for (int n = 0; n < ACCEPT_QUEUE_MAX && accept_one(a) == ACCEPTED; n++)
		;
}

void
acceptors_stop(struct snapshot *s, const struct snapshot *next)
{
	for (uint32_t i = 0; i < s->config->n_listeners; i++)
		for (uint32_t b = 0; b < s->listeners[i].conf->n_bind; b++)
			acceptor_stop(&s->listeners[i].acceptors[b], next);
}

static void
acceptors_resume(struct worker *w)
{
	if (!w->draining && w->snapshot)
		acceptors_start(w->snapshot);
}

void
acceptor_on_room(struct ev_loop *loop, ev_async *a, int revents)
{
	struct worker *w = a->data;

	(void)loop;
	(void)revents;
	CHECK(w->magic == WORKER_MAGIC);
	if (!w->waits_for_room)
		return;
	w->waits_for_room = false;
	atomic_fetch_sub(&w->shared->waiting, 1);
	acceptors_resume(w);
}

void
acceptor_on_again(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct worker *w = t->data;

	(void)loop;
	(void)revents;
	CHECK(w->magic == WORKER_MAGIC);
	acceptors_resume(w);
}
