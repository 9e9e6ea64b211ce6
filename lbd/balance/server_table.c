/*
 * server_table.c - slots are handed out from the lowest free one up, so that scans stay dense.
 *
 * A key's first byte is written last and cleared first: a process that dies half-way leaves a free
 * slot, not a half-made one.  Loads and verdicts are relaxed, for each stands alone; `version` is
 * released after what it announces, and whoever acquires a new version sees that.
 */
#include "lbd/balance/server_table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/balance/hash.h"

enum { INDEX_SIZE = 2 * SERVER_SLOTS_MAX };

static const double DECAY_NS = 10.0 * NS_PER_S;

size_t
server_table_shared_size(void)
{
	return SERVER_SLOTS_MAX * sizeof(struct server_shared);
}

/* The place of that key in the index, or the empty place where it belongs. */
static uint16_t *
index_place(const struct server_table *t, const char *key)
{
	uint64_t at = balance_hash(key, strlen(key));
	uint16_t *place;

	for (;; at++) {
		place = &t->index[at % INDEX_SIZE];
		if (*place == 0 || strcmp(t->shared[*place - 1].key, key) == 0)
			return place;
	}
}

static void
index_build(struct server_table *t)
{
	uint32_t slot;

	memset(t->index, 0, INDEX_SIZE * sizeof(*t->index));
	for (slot = 0; slot < SERVER_SLOTS_MAX; slot++)
		if (t->shared[slot].key[0])
			*index_place(t, t->shared[slot].key) = (uint16_t)(slot + 1);
	t->free_from = 0;
}

/* The process that wrote this may have died of anything. */
static void
shared_correct(struct server_shared *s)
{
	s->key[SERVER_KEY_MAX - 1] = '\0';
	if (s->health > HEALTH_NEW)
		s->health = HEALTH_UNKNOWN;
	if (s->admin > ADMIN_MAINTENANCE)
		s->admin = ADMIN_READY;
	if (s->weight > SERVER_WEIGHT_MAX || s->weight < -1)
		s->weight = -1;
}

/* Zeroed pages that cost nothing until they are used. */
static void *
pages_new(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int
server_table_init(struct server_table *t, void *shared)
{
	uint32_t slot;

	*t = (struct server_table){ .shared = shared, .version = 1 };
	t->load = pages_new(SERVER_SLOTS_MAX * sizeof(*t->load));
	t->active = pages_new(SERVER_SLOTS_MAX * sizeof(*t->active));
	t->pools = pages_new(SERVER_POOLS_MAX * sizeof(*t->pools));
	t->index = calloc(INDEX_SIZE, sizeof(*t->index));
	if (!t->load || !t->active || !t->pools || !t->index) {
		server_table_fini(t);
		return -ENOMEM;
	}
	for (slot = 0; slot < SERVER_SLOTS_MAX; slot++) {
		if (!t->shared[slot].key[0])
			continue;
		shared_correct(&t->shared[slot]);
		t->load[slot].drains = !server_operating(t, slot);
	}
	index_build(t);
	return 0;
}

void
server_table_fini(struct server_table *t)
{
	if (t->load)
		munmap(t->load, SERVER_SLOTS_MAX * sizeof(*t->load));
	if (t->active)
		munmap(t->active, SERVER_SLOTS_MAX * sizeof(*t->active));
	if (t->pools)
		munmap(t->pools, SERVER_POOLS_MAX * sizeof(*t->pools));
	free(t->index);
	t->load = NULL;
	t->active = NULL;
	t->pools = NULL;
	t->index = NULL;
}

static void
version_bump(struct server_table *t)
{
	atomic_fetch_add_explicit(&t->version, 1, memory_order_release);
	if (t->changed)
		t->changed(t->changed_arg);
}

static int
slot_make(struct server_table *t, const char *key)
{
	struct server_shared *s;

	while (t->free_from < SERVER_SLOTS_MAX && t->shared[t->free_from].key[0])
		t->free_from++;
	if (t->free_from == SERVER_SLOTS_MAX)
		return -ENOSPC;
	s = &t->shared[t->free_from];
	*s = (struct server_shared){ .weight = -1 };
	t->load[t->free_from] = (struct server_load){ 0 };
	t->active[t->free_from] = 0;
	memcpy(s->key + 1, key + 1, strlen(key));
	atomic_signal_fence(memory_order_seq_cst);
	s->key[0] = key[0];
	return (int)t->free_from++;
}

static int
key_write(char key[SERVER_KEY_MAX], struct str pool, struct str server)
{
	if (pool.n + server.n + 2 > SERVER_KEY_MAX)
		return -ENAMETOOLONG;
	memcpy(key, pool.p, pool.n);
	key[pool.n] = '/';
	memcpy(key + pool.n + 1, server.p, server.n);
	key[pool.n + 1 + server.n] = '\0';
	return 0;
}

int
server_table_find(const struct server_table *t, struct str pool, struct str server)
{
	char key[SERVER_KEY_MAX];
	int code = key_write(key, pool, server);
	uint16_t place;

	if (code)
		return code;
	place = *index_place(t, key);
	return place ? place - 1 : -ENOENT;
}

int
server_table_slot(struct server_table *t, struct str pool, struct str server)
{
	char key[SERVER_KEY_MAX];
	uint16_t *place;
	int slot = key_write(key, pool, server);

	if (slot < 0)
		return slot;
	place = index_place(t, key);
	if (*place)
		return *place - 1;
	slot = slot_make(t, key);
	if (slot >= 0)
		*place = (uint16_t)(slot + 1);
	return slot;
}

int
server_table_member(struct server_table *t, struct str pool, struct str server, struct str of)
{
	int slot = server_table_find(t, pool, server), name;

	if (slot >= 0)
		return slot;
	slot = server_table_slot(t, pool, server);
	name = slot >= 0 && of.n ? server_table_find(t, pool, of) : -1;
	if (name >= 0) {
		t->shared[slot].admin = t->shared[name].admin;
		t->shared[slot].weight = t->shared[name].weight;
		t->shared[slot].changed_wall_ns = t->shared[name].changed_wall_ns;
	}
	return slot;
}

void
server_table_keep(struct server_table *t, const uint32_t *slots, size_t n)
{
	uint32_t slot;
	size_t i;

	for (slot = 0; slot < SERVER_SLOTS_MAX; slot++)
		t->shared[slot].used = 0;
	for (i = 0; i < n; i++) {
		CHECK(slots[i] < SERVER_SLOTS_MAX);
		t->shared[slots[i]].used = 1;
	}
	for (slot = 0; slot < SERVER_SLOTS_MAX; slot++) {
		if (t->shared[slot].used || !t->shared[slot].key[0])
			continue;
		t->shared[slot].key[0] = '\0';
		breaker_reset(&t->load[slot].breaker);
	}
	index_build(t);
}

void
server_await_check(struct server_table *t, uint32_t slot)
{
	_Atomic uint8_t *health = &t->shared[slot].health;

	if (atomic_load_explicit(health, memory_order_relaxed) == HEALTH_UNKNOWN)
		atomic_store_explicit(health, HEALTH_NEW, memory_order_relaxed);
}

bool
server_is_new(const struct server_table *t, uint32_t slot)
{
	return atomic_load_explicit(&t->shared[slot].health, memory_order_relaxed) == HEALTH_NEW;
}

bool
server_operating(const struct server_table *t, uint32_t slot)
{
	return atomic_load_explicit(&t->shared[slot].admin, memory_order_relaxed) == ADMIN_READY;
}

bool
server_drained(const struct server_table *t, uint32_t slot)
{
	return !server_operating(t, slot) && atomic_load(&t->active[slot]) == 0 &&
	    atomic_load(&t->load[slot].connections) == 0;
}

bool
server_drained_now(struct server_table *t, uint32_t slot)
{
	return server_drained(t, slot) && atomic_exchange(&t->load[slot].drains, false);
}

bool
server_is_well(const struct server_table *t, uint32_t slot)
{
	const struct server_shared *s = &t->shared[slot];
	uint8_t health = atomic_load_explicit(&s->health, memory_order_relaxed);

	return health != HEALTH_DOWN && health != HEALTH_NEW &&
	    !atomic_load_explicit(&s->unreachable, memory_order_relaxed);
}

bool
server_fit(const struct server_table *t, uint32_t slot)
{
	return server_operating(t, slot) && server_is_well(t, slot);
}

bool
server_available(const struct server_table *t, uint32_t slot)
{
	return server_fit(t, slot) && breaker_is_closed(&t->load[slot].breaker);
}

bool
server_keeps(const struct server_table *t, uint32_t slot)
{
	return server_is_well(t, slot) && breaker_is_closed(&t->load[slot].breaker) &&
	    atomic_load_explicit(&t->shared[slot].admin, memory_order_relaxed) != ADMIN_MAINTENANCE;
}

uint32_t
server_weight(const struct server_table *t, uint32_t slot, uint32_t configured)
{
	int32_t set = atomic_load_explicit(&t->shared[slot].weight, memory_order_relaxed);
	uint32_t weight = set < 0 ? configured : (uint32_t)set;

	return weight < SERVER_WEIGHT_MAX ? weight : SERVER_WEIGHT_MAX;
}

/* Sets a verdict; true and the time of it if that is news. */
static bool
verdict_set(struct server_table *t, uint32_t slot, _Atomic uint8_t *field, uint8_t v, int64_t at)
{
	if (atomic_exchange_explicit(field, v, memory_order_relaxed) == v)
		return false;
	atomic_store_explicit(&t->shared[slot].changed_wall_ns, at, memory_order_relaxed);
	version_bump(t);
	return true;
}

bool
server_set_health(struct server_table *t, uint32_t slot, enum server_health health, int64_t wall_ns)
{
	return verdict_set(t, slot, &t->shared[slot].health, (uint8_t)health, wall_ns);
}

bool
server_set_admin(struct server_table *t, uint32_t slot, enum server_admin admin, int64_t wall_ns)
{
	bool changed = verdict_set(t, slot, &t->shared[slot].admin, (uint8_t)admin, wall_ns);

	if (changed)
		atomic_store(&t->load[slot].drains, admin != ADMIN_READY);
	return changed;
}

bool
server_set_weight(struct server_table *t, uint32_t slot, int32_t weight)
{
	_Atomic int32_t *field = &t->shared[slot].weight;

	CHECK(weight >= -1 && weight <= SERVER_WEIGHT_MAX);
	if (atomic_exchange_explicit(field, weight, memory_order_relaxed) == weight)
		return false;
	version_bump(t);
	return true;
}

bool
server_set_unreachable(struct server_table *t, uint32_t slot, bool out)
{
	if (!out)
		server_connect_worked(t, slot);
	if (atomic_exchange_explicit(&t->shared[slot].unreachable, out, memory_order_relaxed) ==
	    out)
		return false;
	version_bump(t);
	return true;
}

void
server_comes_up(struct server_table *t, uint32_t slot, int64_t now_ns)
{
	atomic_store_explicit(&t->load[slot].up_since_ns, now_ns, memory_order_relaxed);
}

void
server_circuit_turned(struct server_table *t, uint32_t slot, int64_t now_ns, int64_t wall_ns)
{
	if (breaker_is_closed(&t->load[slot].breaker))
		server_comes_up(t, slot, now_ns);
	atomic_store_explicit(&t->shared[slot].changed_wall_ns, wall_ns, memory_order_relaxed);
	version_bump(t);
}

void
server_circuit_reset(struct server_table *t, uint32_t slot)
{
	if (breaker_reset(&t->load[slot].breaker))
		version_bump(t);
}

bool
server_connect_failed(struct server_table *t, uint32_t slot)
{
	_Atomic uint32_t *failures = &t->load[slot].connect_failures;

	if (atomic_fetch_add_explicit(failures, 1, memory_order_relaxed) + 1 <
	    SERVER_CONNECT_FAILURES)
		return false;
	return server_set_unreachable(t, slot, true);
}

void
server_connect_worked(struct server_table *t, uint32_t slot)
{
	_Atomic uint32_t *failures = &t->load[slot].connect_failures;

	/* usually 0 already: then the cache line stays shared */
	if (atomic_load_explicit(failures, memory_order_relaxed))
		atomic_store_explicit(failures, 0, memory_order_relaxed);
}

/* How much of a value that old still counts; the clocks of two workers may differ a little. */
static double
decay(int64_t age_ns)
{
	return age_ns > 0 ? exp(-(double)age_ns / DECAY_NS) : 1;
}

/*
 * Two workers at once may lose one sample; the average does not mind.  Not in whole microseconds:
 * samples in quick succession change it by less than one each.
 */
void
server_response_time(struct server_table *t, uint32_t slot, uint32_t us, int64_t now_ns)
{
	struct server_load *l = &t->load[slot];
	double old = atomic_load_explicit(&l->response_ewma_us, memory_order_relaxed);
	int64_t at = atomic_load_explicit(&l->response_ewma_at_ns, memory_order_relaxed);
	double new = us ? us : 1; /* 0 means that there was no sample yet */

	if (new < old)
		new += (old - new) * decay(now_ns - at);
	atomic_store_explicit(&l->response_ewma_us, new, memory_order_relaxed);
	if (now_ns > at)
		atomic_store_explicit(&l->response_ewma_at_ns, now_ns, memory_order_relaxed);
}

double
server_response_us(const struct server_table *t, uint32_t slot, int64_t now_ns)
{
	const struct server_load *l = &t->load[slot];
	double us = atomic_load_explicit(&l->response_ewma_us, memory_order_relaxed);
	int64_t at = atomic_load_explicit(&l->response_ewma_at_ns, memory_order_relaxed);

	return us * decay(now_ns - at);
}

const char *
server_health_name(enum server_health health)
{
	switch (health) {
	case HEALTH_UNKNOWN:
		return "unknown";
	case HEALTH_UP:
		return "up";
	case HEALTH_DOWN:
		return "down";
	case HEALTH_NEW:
		return "new";
	}
	CHECK_NEVER();
}

const char *
server_admin_name(enum server_admin admin)
{
	switch (admin) {
	case ADMIN_READY:
		return "ready";
	case ADMIN_DRAIN:
		return "drain";
	case ADMIN_MAINTENANCE:
		return "maintenance";
	}
	CHECK_NEVER();
}
