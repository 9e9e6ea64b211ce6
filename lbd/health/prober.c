/* prober.c - one watch per server of the configuration; reloads go through them slot by slot. */
#include "lbd/health/prober.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/health/watch.h"

/*
 * Many servers that begin at once: the first few now, the others this far apart but all within so
 * long.
 */
enum { INITIAL_BURST = 16 };
static const int64_t INITIAL_GAP_NS = 2 * NS_PER_MS, INITIAL_SPREAD_NS = 2 * NS_PER_S;

/* How each pool's checks shake hands. */
struct pools_tls {
	struct tls_upstream **list; /* NULL: plain */
	uint32_t n;
};

struct prober {
	struct watch_site site;
	struct watch **watches; /* [SERVER_SLOTS_MAX], by slot */
	uint64_t applies; /* so far, and 1 */
	struct tls_engine *tls; /* NULL: not needed so far */
	struct pools_tls prepared,
	    applied; /* of the configuration to come, and of the present one */
};

struct prober *
prober_new(struct ev_loop *loop, struct server_table *table, void (*down)(void *, uint32_t slot),
    void *down_arg)
{
	struct prober *p = calloc(1, sizeof(*p));
	uint64_t random;

	if (!p)
		return NULL;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint64_t)clock_ns();
	p->site = (struct watch_site){
		.loop = loop,
		.table = table,
		.random = random,
		.down = down,
		.down_arg = down_arg,
	};
	turns_init(&p->site.turns, PROBER_CHECKS_MAX);
	p->applies = 1;
	p->watches = calloc(SERVER_SLOTS_MAX, sizeof(*p->watches));
	if (!p->watches)
		prober_free(&p);
	return p;
}

static void
pools_tls_fini(struct prober *p, struct pools_tls *t)
{
	for (uint32_t i = 0; t->list && i < t->n; i++)
		tls_upstream_unref(&t->list[i]);
	free(t->list);
	*t = (struct pools_tls){ NULL, 0 };
	if (p->tls)
		tls_upstreams_prune(p->tls);
}

void
prober_free(struct prober **pp)
{
	struct prober *p = *pp;
	uint32_t slot;

	*pp = NULL;
	if (!p)
		return;
	for (slot = 0; p->watches && slot < SERVER_SLOTS_MAX; slot++)
		watch_free(&p->watches[slot]);
	pools_tls_fini(p, &p->prepared);
	pools_tls_fini(p, &p->applied);
	tls_engine_free(&p->tls);
	free(p->watches);
	free(p);
}

static int
watches_make(struct prober *p, const struct lbd_config *c)
{
	uint32_t i, j, slot;

	for (i = 0; i < c->n_pools; i++) {
		for (j = 0; j < c->pools[i].n_servers; j++) {
			slot = c->pools[i].servers[j].slot;
			CHECK(slot < SERVER_SLOTS_MAX);
			if (!p->watches[slot])
				p->watches[slot] = watch_new(&p->site, slot);
			if (!p->watches[slot])
				return -ENOMEM;
		}
	}
	return 0;
}

/* How checks shake hands; NULL: they do not. */
static const struct tls_server_config *
check_tls(const struct pool_config *p)
{
	static const struct tls_server_config unverified = { .min_version = TLS_1_2 };

	if (p->health.type == CHECK_NONE)
		return NULL;
	if (p->tls.min_version && (!p->health.port || p->health.type == CHECK_HTTPS))
		return &p->tls;
	return p->health.type == CHECK_HTTPS ? &unverified : NULL;
}

static int
tls_make(struct prober *p, uint32_t i, const struct pool_config *pool,
    const struct tls_files *files, struct err *err)
{
	const struct tls_server_config *c = check_tls(pool);

	if (!c)
		return 0;
	if (!p->tls)
		p->tls = tls_engine_new(err);
	if (p->tls)
		p->prepared.list[i] =
		    tls_upstream_get(p->tls, c, pool->http2 && !pool->health.port, files, err);
	return p->prepared.list[i] ? 0 : err->code;
}

/* The same pools as now. */
static int
tls_keep(struct prober *p, uint32_t i)
{
	CHECK(p->applied.n == p->prepared.n);
	if (p->applied.list[i])
		p->prepared.list[i] = tls_upstream_ref(p->applied.list[i]);
	return 0;
}

int
prober_prepare(
    struct prober *p, const struct lbd_config *c, const struct tls_files *files, struct err *err)
{
	int code = 0;

	pools_tls_fini(p, &p->prepared);
	p->prepared.n = c->n_pools;
	p->prepared.list = calloc(c->n_pools, sizeof(struct tls_upstream *));
	if (!p->prepared.list || watches_make(p, c) < 0)
		return err_set(err, -ENOMEM, "out of memory for the health checks");
	for (uint32_t i = 0; i < c->n_pools && !code; i++)
		code = files ? tls_make(p, i, &c->pools[i], files, err) : tls_keep(p, i);
	return code;
}

static uint32_t
servers_count(const struct lbd_config *c)
{
	uint32_t i, n = 0;

	for (i = 0; i < c->n_pools; i++)
		n += c->pools[i].n_servers;
	return n;
}

/* For the n-th check to begin with this apply, of at most `total`. */
static int64_t
initial_delay(uint32_t n, uint32_t total)
{
	int64_t gap = INITIAL_SPREAD_NS / total;

	if (n < INITIAL_BURST)
		return 0;
	return (n - INITIAL_BURST + 1) * (gap < INITIAL_GAP_NS ? gap : INITIAL_GAP_NS);
}

static void
servers_adopt(struct prober *p, const struct lbd_config *c)
{
	uint32_t i, j, n = 0, total = servers_count(c);
	const struct pool_config *pool;
	struct watch *w;

	for (i = 0; i < c->n_pools; i++) {
		pool = &c->pools[i];
		for (j = 0; j < pool->n_servers; j++) {
			w = p->watches[pool->servers[j].slot];
			w->wanted_by = p->applies;
			if (watch_adopt(w, pool, &pool->servers[j], p->prepared.list[i]))
				watch_begin(w, initial_delay(n++, total));
		}
	}
}

/* Those that the last apply did not name. */
static void
watches_drop(struct prober *p)
{
	uint32_t slot;

	for (slot = 0; slot < SERVER_SLOTS_MAX; slot++)
		if (p->watches[slot] && p->watches[slot]->wanted_by != p->applies)
			watch_free(&p->watches[slot]);
}

void
prober_apply(struct prober *p, const struct lbd_config *c)
{
	CHECK(p->prepared.list && p->prepared.n == c->n_pools);
	p->applies++;
	servers_adopt(p, c);
	watches_drop(p);
	pools_tls_fini(p, &p->applied);
	p->applied = p->prepared;
	p->prepared = (struct pools_tls){ NULL, 0 };
	turns_go(&p->site.turns);
}

void
prober_suspect(struct prober *p, uint32_t slot)
{
	if (p->watches[slot])
		watch_suspect(p->watches[slot]);
}

const char *
prober_reason(const struct prober *p, uint32_t slot)
{
	return p->watches[slot] ? p->watches[slot]->reason : "";
}

int64_t
prober_checked_wall_ns(const struct prober *p, uint32_t slot)
{
	return p->watches[slot] ? p->watches[slot]->checked_wall_ns : 0;
}

uint32_t
prober_running(const struct prober *p)
{
	return p->site.turns.n_running;
}

uint32_t
prober_waiting(const struct prober *p)
{
	return p->site.turns.n_waiting;
}
