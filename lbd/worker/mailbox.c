/* mailbox.c - a lock-free stack of letters and one ev_async to say that it is no longer empty. */
#include "lbd/worker/mailbox.h"

#include <stddef.h>

static struct letter *
reversed(struct letter *l)
{
	struct letter *out = NULL, *next;

	for (; l; l = next) {
		next = l->next;
		l->next = out;
		out = l;
	}
	return out;
}

static void
open_all(struct mailbox *m)
{
	struct letter *l =
	    reversed(atomic_exchange_explicit(&m->newest, NULL, memory_order_acquire));
	struct letter *next;

	for (; l; l = next) {
		next = l->next;
		l->open(l, m->owner);
	}
}

static void
on_wake(struct ev_loop *loop, ev_async *a, int revents)
{
	(void)loop;
	(void)revents;
	open_all(a->data);
}

void
mailbox_init(struct mailbox *m, struct ev_loop *loop, void *owner)
{
	atomic_init(&m->newest, NULL);
	m->loop = loop;
	m->owner = owner;
	ev_async_init(&m->wake, on_wake);
	m->wake.data = m;
	ev_async_start(loop, &m->wake);
	ev_unref(loop);
}

void
mailbox_fini(struct mailbox *m)
{
	open_all(m);
	ev_ref(m->loop);
	ev_async_stop(m->loop, &m->wake);
}

void
mailbox_post(struct mailbox *m, struct letter *l)
{
	l->next = atomic_load_explicit(&m->newest, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
	    &m->newest, &l->next, l, memory_order_release, memory_order_relaxed))
		;
	ev_async_send(m->loop, &m->wake);
}
