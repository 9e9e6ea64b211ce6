/* rollout.c - generations of the configuration, from the first worker's snapshot to the last one's end. */
#include "lbd/rollout.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/limit/rate_limits.h"

struct generation {
	struct generation *next;
	struct rollout *rollout;
	struct lbd_config *config;
	unsigned to_adopt; /* snapshots that their workers have not adopted */
	unsigned in_use; /* snapshots that have not come back */
};

/* Tables of rate limits that no configuration in use has are freed. */
static void
limits_keep(struct rollout *r)
{
	rate_limits_begin(r->limits);
	for (struct generation *g = r->generations; g; g = g->next)
		for (uint32_t i = 0; i < g->config->n_listeners; i++) {
			const struct listener_config *l = &g->config->listeners[i];

			rate_limits_use(r->limits, l->rate_limit.requests.rule);
			rate_limits_use(r->limits, l->rate_limit.connections.rule);
			for (uint32_t j = 0; j < l->n_routes; j++)
				rate_limits_use(r->limits, l->routes[j].rate_limit.requests.rule);
		}
	rate_limits_end(r->limits);
}

static int
name_servers(struct rollout *r, struct pool_config *p, struct err *err)
{
	for (uint32_t i = 0; i < p->n_servers; i++) {
		struct server_config *s = &p->servers[i];
		int slot = server_table_member(r->servers, p->name, s->name, s->of);
		int id = stats_server_id(r->names, p->name, s->of.n ? s->of : s->name);

		if (slot < 0)
			return err_set(err, slot, "server %.*s/%.*s: %s", STR_ARG(p->name),
			    STR_ARG(s->name), strerror(-slot));
		s->slot = (uint32_t)slot;
		if (s->late && p->health.type != CHECK_NONE)
			server_await_check(r->servers, s->slot);
		s->id = id < 0 ? STATS_NO_SERVER : (uint32_t)id;
	}
	return 0;
}

static int
name_id(int id, const char *what, struct str name, uint32_t *out, struct err *err)
{
	if (id < 0)
		return err_set(err, id, "%s %.*s: %s", what, STR_ARG(name),
		    id == -ENOSPC ? "too many names since the start" : strerror(-id));
	*out = (uint32_t)id;
	return 0;
}

/* Copies of a configuration share their routes: what workers may be reading is not written again. */
static int
count_prepare(struct rollout *r, struct rate_count_config *c, size_t size, struct str listener,
    struct err *err)
{
	struct rate_table *table;

	if (!rate_count_any(c))
		return 0;
	table = rate_limits_get(r->limits, c->rule, c->rate, size, clock_ns());
	if (!table)
		return err_set(err, -ENOMEM, "out of memory for a rate limit of listener %.*s",
		    STR_ARG(listener));
	if (c->table != table)
		c->table = table;
	return 0;
}

static int
limit_prepare(struct rollout *r, struct rate_limit_config *l, struct str listener, struct err *err)
{
	size_t size = l->key == RATE_TOGETHER ? RATE_SET_SIZE : l->table_size;
	int code = count_prepare(r, &l->requests, size, listener, err);

	return code ? code : count_prepare(r, &l->connections, l->table_size, listener, err);
}

static int
limits_prepare(struct rollout *r, struct listener_config *l, struct err *err)
{
	int code = limit_prepare(r, &l->rate_limit, l->name, err);

	for (uint32_t i = 0; i < l->n_routes && !code; i++)
		code = limit_prepare(r, &l->routes[i].rate_limit, l->name, err);
	return code;
}

int
rollout_prepare(struct rollout *r, struct lbd_config *config, struct err *err)
{
	int code = 0;

	limits_keep(r); /* nothing of one that failed */
	for (uint32_t i = 0; i < config->n_listeners && !code; i++) {
		struct listener_config *l = &config->listeners[i];

		code =
		    name_id(stats_listener_id(r->names, l->name), "listener", l->name, &l->id, err);
		if (!code)
			code = limits_prepare(r, l, err);
	}
	for (uint32_t i = 0; i < config->n_pools && !code; i++) {
		struct pool_config *p = &config->pools[i];

		code = name_id(stats_pool_id(r->names, p->name), "pool", p->name, &p->id, err);
		if (!code)
			code = name_servers(r, p, err);
	}
	return code;
}

/* That of a name, should an operator have set something there; 0 or 1 of them. */
static size_t
name_slot(const struct rollout *r, const struct pool_config *p, struct str name, uint32_t *slot)
{
	int found = name.n ? server_table_find(r->servers, p->name, name) : -ENOENT;

	if (found < 0)
		return 0;
	*slot = (uint32_t)found;
	return 1;
}

/* At most two for each server, and one for each name that has none; how many. */
static size_t
pool_slots(const struct rollout *r, const struct pool_config *p, uint32_t *slots)
{
	size_t n = 0;

	for (uint32_t i = 0; i < p->n_servers; i++) {
		slots[n++] = p->servers[i].slot;
		n += name_slot(r, p, p->servers[i].of, &slots[n]);
	}
	for (uint32_t i = 0; i < p->n_unresolved; i++)
		n += name_slot(r, p, p->unresolved[i]->name, &slots[n]);
	return n;
}

/* Slots that no configuration in use names are free from now on. */
static void
slots_keep(struct rollout *r)
{
	size_t n = 0, most = 0;
	uint32_t *slots;

	for (struct generation *g = r->generations; g; g = g->next)
		for (uint32_t i = 0; i < g->config->n_pools; i++)
			most +=
			    2 * g->config->pools[i].n_servers + g->config->pools[i].n_unresolved;
	slots = malloc(most * sizeof(*slots));
	if (!slots)
		return; /* they are kept a while longer */
	for (struct generation *g = r->generations; g; g = g->next)
		for (uint32_t i = 0; i < g->config->n_pools; i++)
			n += pool_slots(r, &g->config->pools[i], &slots[n]);
	server_table_keep(r->servers, slots, n);
	free(slots);
}

static void
generation_free(struct generation **gp)
{
	struct generation *g = *gp;

	*gp = g->next;
	config_unref(&g->config);
	free(g);
}

static void
generation_ended(struct generation *g)
{
	struct rollout *r = g->rollout;
	struct generation **gp = &r->generations;

	while (*gp != g)
		gp = &(*gp)->next;
	generation_free(gp);
	slots_keep(r);
	limits_keep(r);
}

static void
open_adopted(struct letter *l, void *owner)
{
	struct snapshot *s =
	    (struct snapshot *)(void *)((char *)l - offsetof(struct snapshot, adoption));
	struct generation *g = s->owner;

	(void)owner;
	if (--g->to_adopt == 0 && g == g->rollout->generations)
		g->rollout->adopted(g->rollout->arg);
}

static void
open_retired(struct letter *l, void *owner)
{
	struct snapshot *s =
	    (struct snapshot *)(void *)((char *)l - offsetof(struct snapshot, letter));
	struct generation *g = s->owner;

	(void)owner;
	snapshot_free(&s);
	if (--g->in_use == 0)
		generation_ended(g);
}

/* Worker's thread. */
static void
on_adopted(struct snapshot *s)
{
	struct generation *g = s->owner;

	s->adoption.open = open_adopted;
	mailbox_post(g->rollout->inbox, &s->adoption);
}

/* Worker's thread. */
static void
on_retired(struct snapshot *s)
{
	struct generation *g = s->owner;

	s->letter.open = open_retired;
	mailbox_post(g->rollout->inbox, &s->letter);
}

/* This worker's sockets, listener by listener: rows into one array. */
static int **
worker_sockets(const struct lbd_config *config, const struct listen_table *listens, unsigned worker)
{
	size_t n = 0;
	int **rows, *next;

	for (uint32_t i = 0; i < config->n_listeners; i++)
		n += config->listeners[i].n_bind;
	rows = malloc(config->n_listeners * sizeof(*rows) + n * sizeof(**rows));
	if (!rows)
		return NULL;
	next = (int *)(void *)(rows + config->n_listeners);
	for (uint32_t i = 0; i < config->n_listeners; i++) {
		rows[i] = next;
		for (uint32_t b = 0; b < config->listeners[i].n_bind; b++, next++) {
			*next = listen_table_fd(listens, &config->listeners[i].bind[b], worker);
			CHECK(*next >= 0);
		}
	}
	return rows;
}

static struct snapshot *
snapshot_for(struct rollout *r, struct generation *g, unsigned worker,
    const struct listen_table *listens, const struct tls_shelf *shelf, struct err *err)
{
	int **sockets = worker_sockets(g->config, listens, worker);
	struct snapshot *s;
	uint64_t seed = 0;

	if (!sockets) {
		err_set(err, -ENOMEM, "out of memory for the listeners of worker %u", worker);
		return NULL;
	}
	if (getrandom(&seed, sizeof(seed), 0) < 0)
		seed = worker;
	s = snapshot_new(r->workers[worker], g->config, sockets,
	    (struct snapshot_tls){ shelf, r->newest[worker] }, seed, err);
	free(sockets);
	if (!s)
		return NULL;
	s->owner = g;
	s->adopted = on_adopted;
	s->retired = on_retired;
	return s;
}

static int
snapshots_give(struct rollout *r, struct generation *g, const struct listen_table *listens,
    const struct tls_shelf *shelf, struct err *err)
{
	struct snapshot *made[CONFIG_WORKERS_MAX] = { NULL };
	unsigned i;

	for (i = 0; i < r->n_workers; i++) {
		made[i] = snapshot_for(r, g, i, listens, shelf, err);
		if (!made[i]) {
			while (i-- > 0)
				snapshot_free(&made[i]);
			return err->code;
		}
	}
	for (i = 0; i < r->n_workers; i++) {
		r->newest[i] = made[i];
		worker_give(r->workers[i], made[i]);
	}
	return 0;
}

int
rollout_start(struct rollout *r, struct lbd_config *config, const struct listen_table *listens,
    const struct tls_shelf *shelf, struct err *err)
{
	struct generation *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(err, -ENOMEM, "out of memory");
	g->rollout = r;
	g->config = config_ref(config);
	g->to_adopt = g->in_use = r->n_workers;
	g->next = r->generations;
	r->generations = g; /* before the workers can answer */
	if (snapshots_give(r, g, listens, shelf, err) == 0)
		return 0;
	generation_free(&r->generations);
	return err->code;
}

unsigned
rollout_generations(const struct rollout *r)
{
	unsigned n = 0;

	for (const struct generation *g = r->generations; g; g = g->next)
		n++;
	return n;
}

void
rollout_fini(struct rollout *r)
{
	while (r->generations)
		generation_free(&r->generations);
}
