/* snapshot.c - builds and frees what one worker needs of a configuration. */
#include "lbd/worker/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "lbd/balance/sticky.h"
#include "lbd/tls/context.h"
#include "lbd/tls/upstream.h"
#include "lbd/worker/acceptor.h"
#include "lbd/worker/worker.h"

static int
out_of_memory(const struct snapshot *s, struct err *err)
{
	return err_set(
	    err, -ENOMEM, "out of memory for the configuration of worker %u", s->worker->id);
}

static int
pool_secure(struct snapshot *s, uint32_t i, struct snapshot_tls tls, struct err *err)
{
	struct pool *p = &s->pools[i];
	struct tls_engine *e;

	if (!p->conf->tls.min_version)
		return 0;
	if (!tls.shelf) {
		p->tls = tls_upstream_ref(tls.like->pools[i].tls);
		return 0;
	}
	e = worker_tls(s->worker, err);
	if (e)
		p->tls = tls_upstream_get(e, &p->conf->tls, p->conf->http2, tls.shelf->files, err);
	return p->tls ? 0 : err->code;
}

static struct tls_context *
listener_tls(const struct snapshot *s, uint32_t i, struct snapshot_tls tls)
{
	if (!s->listeners[i].conf->tls.n_certificates)
		return NULL;
	return tls_context_ref(tls.shelf
		? tls.shelf->ready[s->worker->id * s->config->n_listeners + i]
		: tls.like->listeners[i].tls);
}

static int
listener_init(
    struct snapshot *s, uint32_t i, const int *fds, struct snapshot_tls tls, struct err *err)
{
	struct listener *l = &s->listeners[i];

	l->snapshot = s;
	l->conf = &s->config->listeners[i];
	l->stats = stats_listener(s->worker->stats, l->conf->id);
	l->acceptors = calloc(l->conf->n_bind, sizeof(*l->acceptors));
	if (!l->stats || !l->acceptors)
		return out_of_memory(s, err);
	for (uint32_t b = 0; b < l->conf->n_bind; b++) {
		struct acceptor *a = &l->acceptors[b];

		acceptor_init(a, l, fds[b]);
	}
	l->tls = listener_tls(s, i, tls);
	return 0;
}

static int
pool_stick(struct snapshot *s, uint32_t i, struct snapshot_tls tls, struct err *err)
{
	struct pool *p = &s->pools[i];
	struct str secret;
	int code = 0;

	if (!p->conf->stickiness.type)
		return 0;
	if (tls.shelf)
		code = tls_files_secret(
		    tls.shelf->files, p->conf->stickiness.secret_file, &secret, err);
	if (code)
		return code;
	p->sticky = tls.shelf
	    ? sticky_new(secret, p->servers, p->conf->n_servers)
	    : sticky_like(tls.like->pools[i].sticky, p->servers, p->conf->n_servers);
	return p->sticky ? 0 : out_of_memory(s, err);
}

static int
pool_init(struct snapshot *s, uint32_t i, struct snapshot_tls tls, uint64_t seed, struct err *err)
{
	struct pool *p = &s->pools[i];
	int code;

	p->snapshot = s;
	p->conf = &s->config->pools[i];
	p->stats = stats_pool(s->worker->stats, p->conf->id);
	p->servers = calloc(p->conf->n_servers + 1, sizeof(*p->servers));
	if (!p->stats || !p->servers)
		return out_of_memory(s, err);
	for (uint32_t j = 0; j < p->conf->n_servers; j++) {
		const struct server_config *c = &p->conf->servers[j];

		p->servers[j] = (struct balance_server){ c->name, c->slot, c->weight,
			c->max_connections, c->backup };
	}
	p->version = atomic_load(&s->worker->servers->version);
	p->balancer = balancer_new(
	    p->conf->algorithm, p->servers, p->conf->n_servers, s->worker->servers, seed + i);
	if (!p->balancer)
		return out_of_memory(s, err);
	balancer_bound(p->balancer, p->conf->hash_balance_factor);
	balancer_slow_start(p->balancer, p->conf->slow_start); /* from the first pick on */
	code = pool_stick(s, i, tls, err);
	return code ? code : pool_secure(s, i, tls, err);
}

static int
snapshot_fill(
    struct snapshot *s, int *const *fds, struct snapshot_tls tls, uint64_t seed, struct err *err)
{
	int code = 0;

	s->listeners = calloc(s->config->n_listeners, sizeof(*s->listeners));
	s->pools = calloc(s->config->n_pools, sizeof(*s->pools));
	if (!s->listeners || !s->pools)
		return out_of_memory(s, err);
	for (uint32_t i = 0; i < s->config->n_listeners && !code; i++)
		code = listener_init(s, i, fds[i], tls, err);
	for (uint32_t i = 0; i < s->config->n_pools && !code; i++)
		code = pool_init(s, i, tls, seed, err);
	return code;
}

struct snapshot *
snapshot_new(struct worker *w, struct lbd_config *config, int *const *fds, struct snapshot_tls tls,
    uint64_t seed, struct err *err)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s) {
		err_set(err, -ENOMEM, "out of memory for the configuration of worker %u", w->id);
		return NULL;
	}
	s->worker = w;
	s->config = config_ref(config);
	if (snapshot_fill(s, fds, tls, seed, err) < 0)
		snapshot_free(&s);
	return s;
}

void
snapshot_free(struct snapshot **sp)
{
	struct snapshot *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	for (uint32_t i = 0; s->listeners && i < s->config->n_listeners; i++) {
		free(s->listeners[i].acceptors);
		tls_context_unref(&s->listeners[i].tls);
	}
	for (uint32_t i = 0; s->pools && i < s->config->n_pools; i++) {
		balancer_free(&s->pools[i].balancer);
		sticky_free(&s->pools[i].sticky);
		free(s->pools[i].servers);
		tls_upstream_unref(&s->pools[i].tls);
	}
	if (s->worker->tls)
		tls_upstreams_prune(s->worker->tls);
	free(s->listeners);
	free(s->pools);
	config_unref(&s->config);
	free(s);
}
