/* watch.c - timer, turn, probe, verdict, and round again. */
#include "lbd/health/watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "lbd/health/health_rule.h"
#include "lbd/http/authority.h"
#include "lbd/tls/names.h"

enum { WATCH_MAGIC = 0x77617463 };

static struct server_shared *
shared_of(const struct watch *w)
{
	return &w->site->table->shared[w->slot];
}

static void
watch_schedule(struct watch *w, int64_t due_ns)
{
	int64_t left = due_ns - clock_ns();

	ev_timer_stop(w->site->loop, &w->due);
	ev_now_update(w->site->loop);
	ev_timer_set(&w->due, left > 0 ? (double)left / NS_PER_S : 0., 0.);
	ev_timer_start(w->site->loop, &w->due);
}

static void
watch_rest(struct watch *w)
{
	ev_timer_stop(w->site->loop, &w->due);
	probe_free(&w->probe);
	turns_leave(&w->site->turns, &w->turn);
}

/* What every event of a server says. */
struct watch_text {
	char text[4 * sizeof(struct log_value)];
};

static struct watch_text
watch_text(const struct watch *w, const char *reason)
{
	struct watch_text t;

	snprintf(t.text, sizeof(t.text), "pool=%s server=%s reason=%s",
	    log_quoted(w->pool->name).text, log_quoted(w->server->name).text,
	    log_quoted(str_of(reason)).text);
	return t;
}

/* -- the verdict -- */

static struct health_state
state_read(const struct watch *w)
{
	const struct server_shared *s = shared_of(w);

	return (struct health_state){ s->health, s->checks_good, s->checks_bad };
}

static void
state_write(struct watch *w, struct health_state state)
{
	struct server_shared *s = shared_of(w);

	s->checks_good = state.good;
	s->checks_bad = state.bad;
	server_set_health(w->site->table, w->slot, state.health, clock_wall_ns());
}

static void
reachable(struct watch *w, const char *reason)
{
	if (shared_of(w)->unreachable)
		server_comes_up(w->site->table, w->slot, clock_ns());
	if (server_set_unreachable(w->site->table, w->slot, false))
		log_notice("server_reachable", "%s", watch_text(w, reason).text);
}

static void
judge(struct watch *w, const struct probe_result *r)
{
	struct health_state state = state_read(w);
	enum server_health before = state.health;
	bool changed = health_step(&state, &w->pool->health, r->passed);

	if ((before == HEALTH_DOWN || before == HEALTH_NEW) && state.health == HEALTH_UP)
		server_comes_up(w->site->table, w->slot, clock_ns());
	state_write(w, state);
	if (changed && state.health == HEALTH_DOWN && w->pool->health.on_down == ON_DOWN_CLOSE)
		w->site->down(w->site->down_arg, w->slot);
	if (changed && state.health == HEALTH_DOWN)
		log_warning("server_down", "%s", watch_text(w, r->reason).text);
	else if (changed && before == HEALTH_DOWN)
		log_notice("server_up", "%s", watch_text(w, r->reason).text);
	else if (changed)
		log_info("server_up", "%s", watch_text(w, r->reason).text);
	if (r->passed)
		reachable(w, r->reason);
}

static void
result_count(const struct watch *w, const struct probe_result *r)
{
	struct server_load *l = &w->site->table->load[w->slot];
	int64_t us = r->duration_ns / NS_PER_US;

	atomic_fetch_add_explicit(
	    r->passed ? &l->checks_passed : &l->checks_failed, 1, memory_order_relaxed);
	atomic_store_explicit(&l->check_duration_us, us < UINT32_MAX ? (uint32_t)us : UINT32_MAX,
	    memory_order_relaxed);
}

static void
on_result(void *owner, const struct probe_result *r)
{
	struct watch *w = owner;
	struct health_state state;

	CHECK(w->magic == WATCH_MAGIC && w->probe);
	result_count(w, r);
	w->checked_wall_ns = clock_wall_ns();
	memcpy(w->reason, r->reason, sizeof(w->reason));
	judge(w, r);
	watch_rest(w);
	state = state_read(w);
	watch_schedule(w,
	    health_due_ns(
		&state, &w->pool->health, w->key_hash, hash_next(&w->site->random), w->started_ns));
	turns_go(&w->site->turns);
}

/* -- the check -- */

/* Whose certificate it must be; where requests are plain, what the check's host says. */
static struct str
tls_name(const struct watch *w)
{
	struct str host = w->pool->health.host;

	if (w->pool->tls.min_version)
		return w->server->host;
	return host.n ? authority_host(host) : host;
}

static void
on_turn(void *owner)
{
	struct watch *w = owner;
	struct probe_question q = {
		.health = &w->pool->health,
		.address = &w->server->address,
		.tls = w->tls,
		.name = tls_name(w),
		.http2 = w->pool->http2 && !w->pool->health.port,
		.proxy_header = w->pool->health.port ? 0 : w->pool->proxy_header,
	};

	CHECK(w->magic == WATCH_MAGIC);
	w->started_ns = clock_ns();
	w->probe = probe_start(w->site->loop, &q, on_result, w);
	if (w->probe)
		return;
	turns_leave(&w->site->turns, &w->turn); /* out of memory says nothing about the server */
	watch_schedule(w, w->started_ns + health_fast_ns(&w->pool->health));
}

static void
on_due(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watch *w = timer->data;

	(void)revents;
	CHECK(w->magic == WATCH_MAGIC && w->site->loop == loop);
	if (w->pool->health.type == CHECK_NONE) {
		reachable(w, "cool-down is over");
		return;
	}
	turns_ask(&w->site->turns, &w->turn);
	turns_go(&w->site->turns);
}

struct watch *
watch_new(struct watch_site *site, uint32_t slot)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->magic = WATCH_MAGIC;
	w->site = site;
	w->slot = slot;
	w->key_hash = balance_hash(shared_of(w)->key, strlen(shared_of(w)->key));
	w->turn = (struct turn){ .run = on_turn, .owner = w };
	ev_timer_init(&w->due, on_due, 0., 0.);
	w->due.data = w;
	return w;
}

void
watch_free(struct watch **wp)
{
	struct watch *w = *wp;

	*wp = NULL;
	if (!w)
		return;
	watch_rest(w);
	tls_upstream_unref(&w->tls);
	w->magic = 0;
	free(w);
}

/* -- what it is told -- */

static bool
status_equal(const struct health_config *a, const struct health_config *b)
{
	return a->n_expect_status == b->n_expect_status &&
	    (a->n_expect_status == 0 ||
		memcmp(a->expect_status, b->expect_status,
		    a->n_expect_status * sizeof(*a->expect_status)) == 0);
}

static bool
health_equal(const struct health_config *a, const struct health_config *b)
{
	return a->type == b->type && str_eq(a->path, b->path) && str_eq(a->host, b->host) &&
	    status_equal(a, b) && str_eq(a->send, b->send) && str_eq(a->send_hex, b->send_hex) &&
	    str_eq(a->expect, b->expect) && str_eq(a->expect_hex, b->expect_hex) &&
	    a->interval == b->interval && a->timeout == b->timeout && a->fall == b->fall &&
	    a->rise == b->rise && a->port == b->port;
}

/*
 * Another address: nothing is known of what is there.  Another check: the verdict holds until it
 * speaks.  A watch that is new believes all that the table says: it is from before a crash.
 */
static void
state_forget(struct watch *w, const struct server_config *server)
{
	struct health_state state = state_read(w);

	if (!address_equal(&w->server->address, &server->address)) {
		state.health = HEALTH_UNKNOWN;
		server_set_unreachable(w->site->table, w->slot, false);
		server_circuit_reset(w->site->table, w->slot);
	}
	state.good = state.bad = 0;
	state_write(w, state);
}

bool
watch_adopt(struct watch *w, const struct pool_config *pool, const struct server_config *server,
    struct tls_upstream *tls)
{
	bool known = w->server != NULL;
	bool same = known && address_equal(&w->server->address, &server->address) &&
	    health_equal(&w->pool->health, &pool->health) && w->tls == tls &&
	    str_eq(w->server->host, server->host) && w->pool->http2 == pool->http2 &&
	    w->pool->proxy_header == pool->proxy_header;

	if (known && !same)
		state_forget(w, server);
	if (!same)
		watch_rest(w);
	else if (w->probe)
		probe_adopt(w->probe, &pool->health);
	w->pool = pool;
	w->server = server;
	if (w->tls != tls) {
		tls_upstream_unref(&w->tls);
		w->tls = tls ? tls_upstream_ref(tls) : NULL;
	}
	return !same;
}

/* Of a server that is not checked no verdict holds, and what workers found only for a while. */
static void
begin_unchecked(struct watch *w)
{
	state_write(w, (struct health_state){ HEALTH_UNKNOWN, 0, 0 });
	if (shared_of(w)->unreachable)
		watch_schedule(w, clock_ns() + HEALTH_COOL_DOWN_NS);
}

void
watch_begin(struct watch *w, int64_t delay_ns)
{
	if (w->pool->health.type == CHECK_NONE)
		begin_unchecked(w);
	else
		watch_schedule(w, clock_ns() + delay_ns);
}

void
watch_suspect(struct watch *w)
{
	int64_t now = clock_ns(), fast = health_fast_ns(&w->pool->health);

	if (!shared_of(w)->unreachable)
		return;
	log_warning("server_unreachable", "%s", watch_text(w, "connect failures in a row").text);
	if (w->pool->health.type == CHECK_NONE)
		watch_schedule(w, now + HEALTH_COOL_DOWN_NS);
	else if (w->turn.state == TURN_NONE)
		watch_schedule(w, w->started_ns ? w->started_ns + fast : now);
}
