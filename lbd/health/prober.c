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

struct prober {
	struct watch_site site;
	struct watch **watches; /* [SERVER_SLOTS_MAX], by slot */
	uint64_t applies; /* completed, and 1 */
};

static SSL_CTX *
tls_new(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (!tls)
		return NULL;
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	return tls;
}

struct prober *
prober_new(struct ev_loop *loop, struct server_table *table)
{
	struct prober *p = calloc(1, sizeof(*p));
	uint64_t random;

	if (!p)
		return NULL;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint64_t)clock_ns();
	p->site = (struct watch_site){ .loop = loop, .table = table, .random = random };
	turns_init(&p->site.turns, PROBER_CHECKS_MAX);
	p->applies = 1;
	p->watches = calloc(SERVER_SLOTS_MAX, sizeof(*p->watches));
	p->site.tls = tls_new();
	if (!p->watches || !p->site.tls)
		prober_free(&p);
	return p;
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
	SSL_CTX_free(p->site.tls);
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
			if (watch_adopt(w, pool, &pool->servers[j]))
				watch_begin(w, initial_delay(n++, total));
		}
	}
}

/* Those that the last completed apply did not name. */
static void
watches_drop(struct prober *p)
{
	uint32_t slot;

	for (slot = 0; slot < SERVER_SLOTS_MAX; slot++)
		if (p->watches[slot] && p->watches[slot]->wanted_by != p->applies)
			watch_free(&p->watches[slot]);
}

int
prober_apply(struct prober *p, const struct lbd_config *c)
{
	int rc = watches_make(p, c);

	if (rc == 0) {
		p->applies++;
		servers_adopt(p, c);
	}
	watches_drop(p);
	turns_go(&p->site.turns);
	return rc;
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
