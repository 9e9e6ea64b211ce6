/*
 * process_yield.c - the other node has taken over: connections end here, one after the other.
 *
 * Each ends with its next answer, which says so (Connection: close).  Those that only wait are served
 * once more if they ask in time; then they are closed, those of them from which nothing has come.
 * New ones are accepted as ever: some clients do not know yet.  It ends by itself: whoever asked for
 * it may be gone.  The workers see a flag; letters carry what must be done to idle connections.
 */
#include <stdlib.h>

#include "common/log.h"
#include "lbd/process.h"

/* Worker's thread; the letter goes back as the answer. */
static void open_swept(struct letter *, void *owner);

static void
open_sweep(struct letter *l, void *owner)
{
	struct worker *w = owner;
	struct process *p = w->shared->emptied_arg;

	proxy_close_idle(w);
	l->open = open_swept;
	mailbox_post(&p->inbox, l);
}

static void
open_swept(struct letter *l, void *owner)
{
	struct process *p = owner;

	(void)l;
	p->to_sweep--;
}

static void
on_sweep(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct process *p = t->data;

	(void)loop;
	(void)revents;
	if (p->to_sweep || p->draining)
		return;
	p->to_sweep = p->n_workers;
	for (unsigned i = 0; i < p->n_workers; i++) {
		p->sweeps[i].open = open_sweep;
		mailbox_post(&p->workers[i]->inbox, &p->sweeps[i]);
	}
}

static void
yield_set(struct process *p, bool on)
{
	if (atomic_exchange(&p->workers_shared.yielding, on) == on)
		return;
	log_notice("yielding", "on=%s connections=%u", on ? "yes" : "no",
	    atomic_load(&p->workers_shared.connections));
	admin_changed(p->admin);
}

static void
on_end(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct process *p = t->data;

	(void)revents;
	ev_timer_stop(loop, &p->sweep);
	yield_set(p, false);
}

/* Said again, it only lasts longer: idle ones are not granted anew. */
void
process_yield(struct process *p, bool on, int64_t idle_ns, int64_t for_ns)
{
	bool began = on && !atomic_load(&p->workers_shared.yielding);
	double idle_s = (double)idle_ns / 1e9;

	ev_now_update(p->loop);
	ev_timer_stop(p->loop, &p->yield_end);
	if (on) {
		ev_timer_set(&p->yield_end, (double)for_ns / 1e9, 0.);
		ev_timer_start(p->loop, &p->yield_end);
	}
	if (!on || began)
		ev_timer_stop(p->loop, &p->sweep);
	if (began) {
		ev_timer_set(&p->sweep, idle_s, idle_s);
		ev_timer_start(p->loop, &p->sweep);
	}
	yield_set(p, on);
}

int
process_yield_init(struct process *p)
{
	p->sweeps = calloc(p->n_workers, sizeof(*p->sweeps));
	ev_init(&p->sweep, on_sweep);
	ev_init(&p->yield_end, on_end);
	p->sweep.data = p->yield_end.data = p;
	return p->sweeps ? 0 : -1;
}
