/* client_limit.c - hash chains in shards, each under its own lock. */
#include "lbd/proxy/client_limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/check.h"
#include "lbd/balance/balancer.h"

enum { SHARDS = 64, CHAINS = 256 };

struct entry {
	struct entry *next;
	uint32_t n;
	uint8_t ip[16];
};

struct client_limit {
	uint8_t secret[16]; /* so that nobody can aim at one chain */
	struct shard {
		pthread_mutex_t lock;
		struct entry *chains[CHAINS];
	} shards[SHARDS];
};

struct client_limit *
client_limit_new(void)
{
	struct client_limit *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	if (getrandom(l->secret, sizeof(l->secret), 0) != sizeof(l->secret)) {
		free(l);
		return NULL;
	}
	for (int i = 0; i < SHARDS; i++)
		pthread_mutex_init(&l->shards[i].lock, NULL);
	return l;
}

void
client_limit_free(struct client_limit **lp)
{
	struct client_limit *l = *lp;
	struct entry *e, *next;

	*lp = NULL;
	if (!l)
		return;
	for (int i = 0; i < SHARDS; i++) {
		for (int j = 0; j < CHAINS; j++) {
			for (e = l->shards[i].chains[j]; e; e = next) {
				next = e->next;
				free(e);
			}
		}
		pthread_mutex_destroy(&l->shards[i].lock);
	}
	free(l);
}

/* The place in its chain where that address is, or would be; its shard is locked. */
static struct entry **
find_locked(struct client_limit *l, const uint8_t ip[16], struct shard **shard)
{
	uint8_t keyed[32];
	struct entry **ep;
	uint64_t hash;

	memcpy(keyed, l->secret, 16);
	memcpy(keyed + 16, ip, 16);
	hash = balance_hash(keyed, sizeof(keyed));
	*shard = &l->shards[hash % SHARDS];
	pthread_mutex_lock(&(*shard)->lock);
	ep = &(*shard)->chains[hash / SHARDS % CHAINS];
	while (*ep && memcmp((*ep)->ip, ip, 16) != 0)
		ep = &(*ep)->next;
	return ep;
}

uint32_t
client_limit_enter(struct client_limit *l, const uint8_t ip[16])
{
	struct shard *shard;
	struct entry **ep = find_locked(l, ip, &shard);
	uint32_t n = UINT32_MAX;

	if (!*ep) {
		*ep = calloc(1, sizeof(**ep));
		if (*ep)
			memcpy((*ep)->ip, ip, 16);
	}
	if (*ep)
		n = ++(*ep)->n;
	pthread_mutex_unlock(&shard->lock);
	return n;
}

void
client_limit_leave(struct client_limit *l, const uint8_t ip[16])
{
	struct shard *shard;
	struct entry **ep = find_locked(l, ip, &shard), *e = *ep;

	CHECK(e && e->n > 0);
	if (--e->n == 0) {
		*ep = e->next;
		free(e);
	}
	pthread_mutex_unlock(&shard->lock);
}
