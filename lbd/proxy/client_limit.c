/* client_limit.c - hash chains in shards, each under its own lock; a shard that gets full has twice as many chains. */
#include "lbd/proxy/client_limit.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/check.h"
#include "lbd/limit/keyed_hash.h"

enum { SHARDS = 64, CHAINS = 64 };

struct client_count {
	struct client_count *next;
	uint64_t hash;
	uint32_t n;
	uint8_t ip[16];
};

struct shard {
	pthread_mutex_t lock;
	struct client_count **chains;
	uint32_t n_chains; /* a power of two */
	uint32_t n; /* clients */
};

struct client_limit {
	struct hash_secret secret; /* so that nobody can aim at one chain */
	struct shard shards[SHARDS];
};

struct client_limit *
client_limit_new(void)
{
	struct client_limit *l = calloc(1, sizeof(*l));
	bool failed;

	if (!l)
		return NULL;
	failed = getrandom(&l->secret, sizeof(l->secret), 0) != sizeof(l->secret);
	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &l->shards[i];

		pthread_mutex_init(&s->lock, NULL);
		s->n_chains = CHAINS;
		s->chains = calloc(CHAINS, sizeof(struct client_count *));
		failed |= !s->chains;
	}
	if (failed)
		client_limit_free(&l);
	return l;
}

static void
shard_fini(struct shard *s)
{
	struct client_count *e, *next;

	for (uint32_t i = 0; s->chains && i < s->n_chains; i++) {
		for (e = s->chains[i]; e; e = next) {
			next = e->next;
			free(e);
		}
	}
	free(s->chains);
	pthread_mutex_destroy(&s->lock);
}

void
client_limit_free(struct client_limit **lp)
{
	struct client_limit *l = *lp;

	*lp = NULL;
	if (!l)
		return;
	for (int i = 0; i < SHARDS; i++)
		shard_fini(&l->shards[i]);
	free(l);
}

static struct shard *
shard_of(struct client_limit *l, uint64_t hash)
{
	return &l->shards[hash % SHARDS];
}

static struct client_count **
chain_of(const struct shard *s, uint64_t hash)
{
	return &s->chains[hash / SHARDS & (s->n_chains - 1)];
}

/* The shard is locked, here and below.  Without memory the chains get longer. */
static void
shard_grow(struct shard *s)
{
	struct shard wider = { .n_chains = 2 * s->n_chains };
	struct client_count *e, *next, **chain;

	wider.chains = calloc(wider.n_chains, sizeof(struct client_count *));
	if (!wider.chains)
		return;
	for (uint32_t i = 0; i < s->n_chains; i++) {
		for (e = s->chains[i]; e; e = next) {
			next = e->next;
			chain = chain_of(&wider, e->hash);
			e->next = *chain;
			*chain = e;
		}
	}
	free(s->chains);
	s->chains = wider.chains;
	s->n_chains = wider.n_chains;
}

static struct client_count *
count_new(struct shard *s, uint64_t hash, const uint8_t ip[16])
{
	struct client_count *e = calloc(1, sizeof(*e)), **chain;

	if (!e)
		return NULL;
	if (s->n >= s->n_chains)
		shard_grow(s);
	chain = chain_of(s, hash);
	e->hash = hash;
	memcpy(e->ip, ip, sizeof(e->ip));
	e->next = *chain;
	*chain = e;
	s->n++;
	return e;
}

static struct client_count *
count_find(const struct shard *s, uint64_t hash, const uint8_t ip[16])
{
	struct client_count *e = *chain_of(s, hash);

	while (e && memcmp(e->ip, ip, sizeof(e->ip)) != 0)
		e = e->next;
	return e;
}

struct client_count *
client_limit_enter(struct client_limit *l, const uint8_t ip[16], uint32_t most)
{
	uint64_t hash = keyed_hash(&l->secret, ip, 16);
	struct shard *s = shard_of(l, hash);
	struct client_count *e;

	pthread_mutex_lock(&s->lock);
	e = count_find(s, hash, ip);
	if (!e && most)
		e = count_new(s, hash, ip);
	if (e && e->n >= most)
		e = NULL;
	if (e)
		e->n++;
	pthread_mutex_unlock(&s->lock);
	return e;
}

void
client_limit_leave(struct client_limit *l, struct client_count **count)
{
	struct client_count *e = *count, **ep;
	struct shard *s = shard_of(l, e->hash);

	*count = NULL;
	pthread_mutex_lock(&s->lock);
	CHECK(e->n > 0);
	if (--e->n == 0) {
		for (ep = chain_of(s, e->hash); *ep != e; ep = &(*ep)->next)
			;
		*ep = e->next;
		s->n--;
		free(e);
	}
	pthread_mutex_unlock(&s->lock);
}
