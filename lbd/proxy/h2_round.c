/* h2_round.c - the share, and the line for the next round. */
#include "lbd/proxy/h2_round.h"

#include "lbd/proxy/h2_connection.h"

enum { SHARE = 32 * H2_WORK_SLICE };

void
h2_round_worked(struct proxy *proxy, unsigned work)
{
	struct h2_round *r = &proxy->h2_round;

	if (r->began != proxy->worker->now) {
		r->began = proxy->worker->now;
		r->work = 0;
	}
	r->work += work;
}

bool
h2_round_over(const struct proxy *proxy)
{
	const struct h2_round *r = &proxy->h2_round;

	return r->began == proxy->worker->now && r->work >= SHARE;
}

void
h2_round_put(struct h2_connection *h)
{
	struct proxy *proxy = h->client->conn.worker->proxy;
	struct h2_round *r = &proxy->h2_round;

	if (h->prev_behind)
		return;
	h->next_behind = NULL;
	h->prev_behind = r->end;
	*r->end = h;
	r->end = &h->next_behind;
	ev_idle_start(proxy->worker->loop, &r->next);
}

void
h2_round_remove(struct h2_connection *h)
{
	struct proxy *proxy = h->client->conn.worker->proxy;
	struct h2_round *r = &proxy->h2_round;

	if (!h->prev_behind)
		return;
	*h->prev_behind = h->next_behind;
	if (h->next_behind)
		h->next_behind->prev_behind = h->prev_behind;
	else
		r->end = h->prev_behind;
	h->prev_behind = NULL;
	if (!r->first)
		ev_idle_stop(proxy->worker->loop, &r->next);
}

static void
on_next(struct ev_loop *loop, ev_idle *i, int revents)
{
	struct proxy *proxy = i->data;
	struct h2_connection *h = proxy->h2_round.first;

	(void)loop;
	(void)revents;
	h2_round_remove(h);
	h2_connection_go_on(h);
}

void
h2_round_init(struct proxy *proxy)
{
	struct h2_round *r = &proxy->h2_round;

	r->end = &r->first;
	ev_idle_init(&r->next, on_next);
	r->next.data = proxy;
	ev_set_priority(&r->next, EV_MAXPRI); /* in each round, not in idle ones alone */
}
