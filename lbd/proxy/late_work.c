/* late_work.c - a list, and an event behind the others. */
#include "lbd/proxy/late_work.h"

void
late_work_add(struct proxy *proxy, struct late_work *w)
{
	if (w->queued)
		return;
	w->queued = true;
	w->next = proxy->late;
	proxy->late = w;
	if (!w->next)
		ev_feed_event(proxy->worker->loop, &proxy->late_turn, EV_CUSTOM);
}

static void
list_remove(struct late_work **list, const struct late_work *w)
{
	while (*list && *list != w)
		list = &(*list)->next;
	if (*list)
		*list = w->next;
}

void
late_work_remove(struct proxy *proxy, struct late_work *w)
{
	if (!w->queued)
		return;
	list_remove(&proxy->late, w);
	list_remove(&proxy->late_now, w);
	w->queued = false;
}

static void
on_turn(struct ev_loop *loop, ev_async *a, int revents)
{
	struct proxy *proxy = a->data;
	struct late_work *w;

	(void)loop;
	(void)revents;
	proxy->late_now = proxy->late;
	proxy->late = NULL;
	while ((w = proxy->late_now)) {
		proxy->late_now = w->next;
		w->queued = false;
		w->run(w);
	}
}

void
late_work_init(struct proxy *proxy)
{
	ev_async_init(&proxy->late_turn, on_turn);
	proxy->late_turn.data = proxy;
	ev_set_priority(&proxy->late_turn, -1); /* before turn_over, which has EV_MINPRI */
	ev_async_start(proxy->worker->loop, &proxy->late_turn);
}
