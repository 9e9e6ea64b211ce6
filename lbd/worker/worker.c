/* worker.c - the loop of a worker: turns, time, deadlines, the change of snapshots. */
#include "lbd/worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/tls/engine.h"
#include "lbd/worker/acceptor.h"

uint64_t
worker_random(struct worker *w)
{
	uint64_t a = w->random[0], b = w->random[1], sum = a + b;

	b ^= a;
	w->random[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
	w->random[1] = b << 37 | b >> 27;
	return sum;
}

static void
fire_timers(struct worker *w)
{
	struct timer *t;

	while ((t = timer_expired(&w->wheel, w->now)))
		t->fire(t);
}

static void
on_turn_start(struct ev_loop *loop, ev_check *c, int revents)
{
	struct worker *w = c->data;

	(void)loop;
	(void)revents;
	CHECK(w->magic == WORKER_MAGIC);
	w->now = clock_ns();
	atomic_store_explicit(&w->beat_ns, w->now, memory_order_relaxed);
}

static void
on_tick(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct worker *w = t->data;

	(void)loop;
	(void)revents;
	stats_loop_lag(w->stats, w->now - w->tick_at);
	w->tick_at = TIMER_NEVER;
	fire_timers(w);
}

/* What was put off until now is done; events that this feeds are handled before the turn is over. */
static void
on_turn_end(struct ev_loop *loop, ev_prepare *p, int revents)
{
	struct worker *w = p->data;

	(void)loop;
	(void)revents;
	w->hooks->turn_end(w);
}

/* The loop waits next. */
static void
on_turn_over(struct ev_loop *loop, ev_prepare *p, int revents)
{
	struct worker *w = p->data;
	int64_t next;

	(void)revents;
	access_log_kick(w->access_log, w->id);
	next = timer_wheel_next(&w->wheel);
	if (next == w->tick_at)
		return;
	w->tick_at = next;
	ev_timer_stop(loop, &w->tick);
	if (next == TIMER_NEVER)
		return;
	ev_timer_set(&w->tick, next > w->now ? (double)(next - w->now) / 1e9 : 0., 0.);
	ev_timer_start(loop, &w->tick);
}

static void
watchers_start(struct worker *w)
{
	ev_check_init(&w->turn_start, on_turn_start);
	w->turn_start.data = w;
	ev_set_priority(&w->turn_start, EV_MAXPRI); /* before everything else of the turn */
	ev_check_start(w->loop, &w->turn_start);
	ev_prepare_init(&w->turn_end, on_turn_end);
	w->turn_end.data = w;
	ev_prepare_start(w->loop, &w->turn_end);
	ev_prepare_init(&w->turn_over, on_turn_over);
	w->turn_over.data = w;
	ev_set_priority(&w->turn_over, EV_MINPRI);
	ev_prepare_start(w->loop, &w->turn_over);
	ev_timer_init(&w->tick, on_tick, 0., 0.);
	w->tick.data = w;
	ev_timer_init(&w->accept_again, acceptor_on_again, 0., 0.);
	w->accept_again.data = w;
	ev_async_init(&w->room, acceptor_on_room);
	w->room.data = w;
	ev_async_start(w->loop, &w->room);
}

static int
memory_init(struct worker *w)
{
	char *block = malloc(SCRATCH_BEFORE + SCRATCH_KEPT + SCRATCH_READ + SCRATCH_BEHIND);

	w->format = malloc(FORMAT_SIZE);
	w->stats = stats_new();
	w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (block)
		w->scratch = block + SCRATCH_BEFORE;
	return block && w->format && w->stats && w->loop ? 0 : -ENOMEM;
}

struct worker *
worker_new(unsigned id, struct worker_shared *shared, const struct worker_hooks *hooks,
    struct server_table *servers, struct access_log *access_log, struct err *err)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w || memory_init(w) < 0 ||
	    getrandom(w->random, sizeof(w->random), 0) != sizeof(w->random)) {
		worker_free(&w);
		err_set(err, -ENOMEM, "out of memory for worker %u", id);
		return NULL;
	}
	w->magic = WORKER_MAGIC;
	w->id = id;
	w->shared = shared;
	w->hooks = hooks;
	w->servers = servers;
	w->access_log = access_log;
	w->now = clock_ns();
	w->tick_at = TIMER_NEVER;
	timer_wheel_init(&w->wheel, w->now);
	mailbox_init(&w->inbox, w->loop, w);
	watchers_start(w);
	return w;
}

void
worker_free(struct worker **wp)
{
	struct worker *w = *wp;

	*wp = NULL;
	if (!w)
		return;
	if (w->inbox.loop)
		mailbox_fini(&w->inbox);
	if (w->loop)
		ev_loop_destroy(w->loop);
	buffer_pool_fini(&w->buffers);
	if (w->scratch)
		free(w->scratch - SCRATCH_BEFORE);
	free(w->format);
	stats_free(&w->stats);
	tls_engine_free(&w->tls);
	free(w);
}

static void *
worker_thread(void *arg)
{
	struct worker *w = arg;

	ev_run(w->loop, 0); /* turn_start and turn_end keep it running */
	return NULL;
}

int
worker_start(struct worker *w)
{
	sigset_t all, before;
	int err;

	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, worker_thread, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

struct tls_engine *
worker_tls(struct worker *w, struct err *err)
{
	if (!w->tls)
		w->tls = tls_engine_new(err);
	return w->tls;
}

static void
open_stop(struct letter *l, void *owner)
{
	struct worker *w = owner;

	(void)l;
	ev_break(w->loop, EVBREAK_ALL);
}

void
worker_stop(struct worker *w)
{
	struct letter stop = { .open = open_stop };

	mailbox_post(&w->inbox, &stop);
	pthread_join(w->thread, NULL);
}

static void
open_snapshot(struct letter *l, void *owner)
{
	struct snapshot *s = (struct snapshot *)l;
	struct worker *w = owner;
	struct snapshot *old = w->snapshot;

	CHECK(w->magic == WORKER_MAGIC);
	w->snapshot = snapshot_ref(s);
	if (old)
		acceptors_stop(old, s);
	if (!w->draining)
		acceptors_start(s);
	w->hooks->adopted(w, old);
	s->adopted(s);
	if (old)
		snapshot_unref(&old);
}

void
worker_give(struct worker *w, struct snapshot *s)
{
	_Static_assert(offsetof(struct snapshot, letter) == 0, "open_snapshot casts");
	s->letter.open = open_snapshot;
	mailbox_post(&w->inbox, &s->letter);
}

void
worker_drain(struct worker *w)
{
	w->draining = true;
	if (w->snapshot)
		acceptors_stop(w->snapshot, NULL);
}
