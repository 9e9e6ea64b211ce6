/*
 * balancer.c - who may be chosen, and by what weight.
 *
 * A server counts by its effective weight: the run-time one if set, else the configured one.
 * Weight 0 is out of the count like drain and maintenance, unless every server in operation has
 * weight 0: then all weigh 1.  Of those that remain, either all backups or all others are in use, and
 * candidates if they are available, or all of them in panic.
 */
#include "lbd/balance/balancer_parts.h"

#include <stdlib.h>

#include "common/check.h"

static int
parts_init(struct balancer *b)
{
	uint32_t i;
	int rc = 0;

	if (uses_round(b))
		return round_init(&b->round, b->n);
	if (b->algorithm == BALANCE_IP_HASH)
		rc = choice_init(&b->home, b->n);
	if (b->algorithm == BALANCE_CONSISTENT_HASH) {
		rc = maglev_init(&b->maglev, b->n);
		for (i = 0; rc == 0 && i < b->n; i++)
			maglev_name(&b->maglev, i, b->servers[i].name);
	}
	return rc ? rc : choice_init(&b->choice, b->n);
}

/*
 * Workers start at different points of the round; a start is a turn taken, so the round stays
 * exact.
 */
static void
round_start_apart(struct balancer *b)
{
	uint64_t turns = hash_mix(b->random) % (b->round.total < 1024 ? b->round.total : 1024);

	while (turns--)
		round_next(&b->round);
}

static bool
is_mixed(const struct balance_server *servers, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (servers[i].backup != servers[0].backup)
			return true;
	return false;
}

struct balancer *
balancer_new(enum balance_algorithm algorithm, const struct balance_server *servers,
    uint32_t n_servers, const struct server_table *table, uint64_t seed)
{
	struct balancer *b = calloc(1, sizeof(*b));

	CHECK(n_servers <= SERVER_SLOTS_MAX);
	if (!b)
		return NULL;
	b->algorithm = algorithm;
	b->servers = servers;
	b->n = n_servers;
	b->table = table;
	b->random = seed;
	b->mixed = is_mixed(servers, n_servers);
	b->available = calloc(b->n + 1, sizeof(*b->available));
	b->weight = calloc(b->n + 1, sizeof(*b->weight));
	b->home_weight = calloc(b->n + 1, sizeof(*b->home_weight));
	b->candidates = calloc(b->n + 1, sizeof(*b->candidates));
	b->position = calloc(b->n + 1, sizeof(*b->position));
	b->rising = calloc(b->n + 1, sizeof(*b->rising));
	b->suspects = calloc(b->n + 1, sizeof(*b->suspects));
	if (!b->available || !b->weight || !b->home_weight || !b->candidates || !b->position ||
	    !b->rising || !b->suspects || parts_init(b) < 0) {
		balancer_free(&b);
		return NULL;
	}
	balancer_update(b, 0);
	if (uses_round(b) && b->n_candidates)
		round_start_apart(b);
	return b;
}

void
balancer_free(struct balancer **bp)
{
	struct balancer *b = *bp;

	*bp = NULL;
	if (!b)
		return;
	round_fini(&b->round);
	choice_fini(&b->choice);
	choice_fini(&b->home);
	maglev_fini(&b->maglev);
	free(b->available);
	free(b->weight);
	free(b->home_weight);
	free(b->candidates);
	free(b->position);
	free(b->rising);
	free(b->suspects);
	free(b);
}

static uint32_t
effective_weight(const struct balancer *b, uint32_t i)
{
	return server_weight(b->table, b->servers[i].slot, b->servers[i].weight);
}

static bool
is_backup(const struct balancer *b, uint32_t i)
{
	return b->mixed && b->servers[i].backup;
}

/* No other server is available, and one of them is, or there is no other. */
static bool
needs_backups(const struct balancer *b)
{
	bool any = false, others = false;

	for (uint32_t i = 0; i < b->n; i++) {
		if (is_backup(b, i)) {
			any = any || b->available[i];
			continue;
		}
		if (b->available[i])
			return false;
		others = others || b->weight[i];
	}
	return b->mixed && (any || !others);
}

/* Those of the other kind do not count, and those that nobody has checked yet only where nothing is available. */
static void
panic_decide(struct balancer *b)
{
	uint32_t i, n_counting = 0, n_available = 0, n_new = 0;

	b->backups = needs_backups(b);
	for (i = 0; i < b->n; i++) {
		if (is_backup(b, i) != b->backups) {
			b->weight[i] = 0;
			b->available[i] = false;
		}
		n_counting += b->weight[i] != 0;
		n_available += b->available[i];
		n_new += b->weight[i] && server_is_new(b->table, b->servers[i].slot);
	}
	if (n_available)
		n_counting -= n_new;
	b->panic = n_available < n_counting - n_available;
}

/* Fills `weight` and `available`, decides about panic. */
static void
weights_read(struct balancer *b)
{
	uint32_t i;

	b->all_zero = true;
	for (i = 0; i < b->n; i++) {
		b->weight[i] = effective_weight(b, i);
		b->available[i] = server_operating(b->table, b->servers[i].slot);
		b->all_zero = b->all_zero && !(b->available[i] && b->weight[i]);
	}
	for (i = 0; i < b->n; i++) {
		if (!b->available[i])
			b->weight[i] = 0;
		else if (b->all_zero)
			b->weight[i] = 1;
		b->available[i] = b->weight[i] && server_available(b->table, b->servers[i].slot);
	}
	panic_decide(b);
}

static void
due_by(struct balancer *b, int64_t at_ns)
{
	if (at_ns < b->due_ns)
		b->due_ns = at_ns;
}

/* Who may be probed, and when the next one may. */
static void
suspects_read(struct balancer *b, int64_t now_ns)
{
	b->n_suspects = 0;
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t slot = b->servers[i].slot;
		struct breaker_look look;

		if (breaker_is_closed(&b->table->load[slot].breaker) ||
		    !server_fit(b->table, slot) || (is_backup(b, i) && !b->backups) ||
		    (!b->all_zero && !effective_weight(b, i)))
			continue;
		look = breaker_look(&b->table->load[slot].breaker);
		if (look.state == BREAKER_OPEN && look.until_ns > now_ns)
			due_by(b, look.until_ns);
		else
			b->suspects[b->n_suspects++] = i;
	}
}

/* The steps that server has done by now, from 1 on; 0: it is not rising. */
static uint32_t
steps_of(struct balancer *b, uint32_t i, int64_t now_ns)
{
	int64_t since = atomic_load_explicit(
	    &b->table->load[b->servers[i].slot].up_since_ns, memory_order_relaxed);
	int64_t age = now_ns - since, step = b->slow_start_ns / SLOW_START_STEPS;

	if (since == 0 || age >= SLOW_START_STEPS * step || !b->available[i])
		return 0;
	due_by(b, now_ns + step);
	return age < step ? 1 : (uint32_t)(age / step);
}

/* While somebody rises, all weights are so much greater that his can be a part of one. */
static void
slow_starts_read(struct balancer *b, int64_t now_ns)
{
	uint32_t i;

	b->any_rising = false;
	if (!b->slow_start_ns)
		return;
	for (i = 0; i < b->n; i++) {
		b->rising[i] = steps_of(b, i, now_ns);
		b->any_rising = b->any_rising || b->rising[i];
	}
	for (i = 0; i < b->n && b->any_rising; i++)
		b->weight[i] *= b->rising[i] ? b->rising[i] : SLOW_START_STEPS;
}

static void
candidates_list(struct balancer *b)
{
	uint32_t i;

	b->n_candidates = 0;
	b->total_weight = 0;
	b->until_recount = 0;
	for (i = 0; i < b->n; i++) {
		if (!b->panic && !b->available[i])
			b->weight[i] = 0;
		if (b->weight[i] == 0)
			continue;
		b->total_weight += b->weight[i];
		b->position[i] = b->n_candidates;
		b->candidates[b->n_candidates++] =
		    (struct candidate){ i, b->servers[i].slot, b->weight[i] };
	}
}

/* A hash table's weights, whoever is available: the run-time ones but 0, which is unavailable. */
static bool
home_weights_changed(struct balancer *b)
{
	uint32_t i, weight;
	bool all_zero = true, changed = false;

	for (i = 0; i < b->n; i++)
		all_zero = all_zero &&
		    (is_backup(b, i) || (!b->servers[i].weight && !effective_weight(b, i)));
	for (i = 0; i < b->n; i++) {
		weight = effective_weight(b, i);
		if (weight == 0)
			weight = all_zero ? 1 : b->servers[i].weight;
		if (is_backup(b, i))
			weight = 0;
		changed = changed || weight != b->home_weight[i];
		b->home_weight[i] = weight;
	}
	return changed;
}

/* Where keys are at home, if that has changed. */
static void
home_build(struct balancer *b)
{
	if (!home_weights_changed(b))
		return;
	if (b->algorithm == BALANCE_IP_HASH)
		choice_build(&b->home, b->home_weight);
	else
		maglev_build(&b->maglev, b->home_weight);
}

struct balance_outlook
balancer_update(struct balancer *b, int64_t now_ns)
{
	b->due_ns = INT64_MAX;
	weights_read(b);
	suspects_read(b, now_ns);
	slow_starts_read(b, now_ns);
	candidates_list(b);
	if (uses_round(b))
		round_update(&b->round, b->weight);
	else if (b->n_candidates)
		choice_build(&b->choice, b->weight);
	if (balance_hashes(b->algorithm))
		home_build(b);
	return (struct balance_outlook){ b->due_ns, b->n_suspects > 0 };
}

void
balancer_slow_start(struct balancer *b, int64_t duration_ns)
{
	b->slow_start_ns = duration_ns;
}

int
balancer_suspect(struct balancer *b)
{
	if (b->n_suspects == 0)
		return -1;
	return (int)b->suspects[b->next_suspect++ % b->n_suspects];
}

void
balancer_bound(struct balancer *b, uint32_t percent)
{
	CHECK(percent == 0 || (percent > 100 && balance_hashes(b->algorithm)));
	b->bound = percent;
}

bool
balancer_panics(const struct balancer *b)
{
	return b->panic;
}

uint64_t
balancer_work(const struct balancer *b)
{
	return b->work + b->round.work;
}
