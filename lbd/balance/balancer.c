/*
 * balancer.c - who may be chosen (balancer_update), then one small function for each algorithm.
 *
 * A server counts by its effective weight: the run-time one if set, else the configured one.
 * Weight 0 is out of the count like drain and maintenance, unless every server in operation has
 * weight 0: then all weigh 1.  Of those that remain, either all backups or all others are in use, and
 * candidates if they are available, or all of them in panic.
 *
 * A retry must not fall on a server that this exchange has tried, nor, in panic, on one that is not
 * available as long as there are others: it may cost a scan of the candidates, which a first pick
 * never does except for least connections when everybody is busy.
 */
#include "lbd/balance/balancer.h"

#include <stdlib.h>

#include "common/check.h"
#include "lbd/balance/choice.h"
#include "lbd/balance/maglev.h"
#include "lbd/balance/round.h"

enum { SLOW_START_STEPS = 64 };

/* Requests in flight are counted over all candidates once in so many picks, of n servers. */
enum { RECOUNT_SERVERS = 32 };

/* Half of a pool may be gone without panic: this many misses in a row are one in 2^24. */
enum { REHASHES_MAX = 24 };

/*
 * A server without a sample of its response time that has exchanges in flight: let those answer
 * first.
 */
static const double COST_UNTESTED = 1e18;

struct candidate {
	uint32_t index, slot, weight;
};

struct balancer {
	enum balance_algorithm algorithm;
	const struct balance_server *servers;
	uint32_t n;
	const struct server_table *table;
	uint64_t random;
	bool panic;
	bool all_zero; /* the weights of those in operation */
	bool mixed; /* there are backups, and others */
	bool backups; /* those are in use */
	bool *available; /* [n] */
	uint32_t *weight; /* [n] of candidates, else 0 */
	uint32_t *home_weight; /* [n] that `home` or `maglev` was built with */
	struct candidate *candidates; /* in order of index, compact for scans */
	uint32_t n_candidates;
	uint32_t *position; /* [n] in `candidates` */
	struct round round; /* round_robin, least_connections */
	struct choice choice; /* by weight among candidates: the rest */
	struct choice home; /* ip_hash: by weight among all */
	struct maglev maglev; /* consistent_hash */
	uint32_t bound; /* percent of its share that a server may have; 0: no bound */
	uint64_t total_weight, total_active; /* of candidates; the latter as it was lately */
	uint32_t until_recount; /* picks */
	int64_t slow_start_ns;
	uint32_t *rising; /* [n] steps done of a slow start; 0: it is not in one */
	bool any_rising;
	uint32_t *suspects; /* [n_suspects] balancer_suspect */
	uint32_t n_suspects, next_suspect;
	int64_t due_ns;
	uint64_t work;
};

/* One pick's circumstances. */
struct request {
	uint64_t hash;
	const struct balance_tried *tried;
	bool again; /* the exchange has had a pick before: it takes no turn of the round */
	bool available_only, below_limit, bounded;
	int64_t now_ns;
};

static bool
uses_round(const struct balancer *b)
{
	return b->algorithm == BALANCE_ROUND_ROBIN || b->algorithm == BALANCE_LEAST_CONNECTIONS;
}

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

static uint32_t
active_of(const struct balancer *b, uint32_t slot)
{
	return atomic_load_explicit(&b->table->active[slot], memory_order_relaxed);
}

static bool
is_full(const struct balancer *b, const struct balance_server *s)
{
	return s->max_connections && active_of(b, s->slot) >= s->max_connections;
}

/* Would it be above the bound with one more?  Fractions are rounded up, so that there is room for that one. */
static bool
is_laden(const struct balancer *b, uint32_t i)
{
	uint64_t active = active_of(b, b->servers[i].slot);

	return active * 100 * b->total_weight >= b->bound * (b->total_active + 1) * b->weight[i];
}

static bool
acceptable(const struct balancer *b, uint32_t i, const struct request *q)
{
	uint32_t k;

	if (b->weight[i] == 0 || (q->available_only && !b->available[i]) ||
	    (q->below_limit && is_full(b, &b->servers[i])) || (q->bounded && is_laden(b, i)))
		return false;
	for (k = 0; k < q->tried->n; k++)
		if (q->tried->index[k] == i)
			return false;
	return true;
}

/* One of the acceptable candidates, by weight and `number`. */
static int
pick_by_scan(struct balancer *b, const struct request *q, uint64_t number)
{
	const struct candidate *c, *end = b->candidates + b->n_candidates;
	uint64_t total = 0;

	b->work += b->n_candidates;
	for (c = b->candidates; c < end; c++)
		total += acceptable(b, c->index, q) ? c->weight : 0;
	if (total == 0)
		return -1;
	number = hash_scale(number, total);
	for (c = b->candidates; c < end; c++) {
		if (!acceptable(b, c->index, q))
			continue;
		if (number < c->weight)
			return (int)c->index;
		number -= c->weight;
	}
	CHECK_NEVER();
}

/*
 * Whoever has the next turn.  Another pick takes none and goes anywhere, by weight: those next to a gap
 * in the order would inherit the turns of all that are in it.
 */
static int
pick_round_robin(struct balancer *b, const struct request *q)
{
	if (q->again)
		return pick_by_scan(b, q, hash_next(&b->random));
	return (int)round_next(&b->round);
}

/*
 * Least active / weight, compared without a division.  The scan starts with whoever has the next
 * turn, and one with nothing to do is as good as can be: an idle pool is a round robin and costs no
 * more.
 */
static int
pick_least_connections(struct balancer *b, const struct request *q)
{
	int best = -1, start = pick_round_robin(b, q);
	uint32_t at, left, active;
	uint64_t best_active = 1, best_weight = 0; /* infinitely many */
	const struct candidate *c;

	if (start < 0)
		return -1;
	at = b->position[start];
	for (left = b->n_candidates; left && best_active; left--) {
		c = &b->candidates[at];
		at = at + 1 < b->n_candidates ? at + 1 : 0;
		active = active_of(b, c->slot);
		if (active * best_weight < best_active * c->weight && acceptable(b, c->index, q)) {
			best = (int)c->index;
			best_active = active;
			best_weight = c->weight;
		}
	}
	b->work += b->n_candidates - left;
	return best;
}

static double
response_cost(const struct balancer *b, uint32_t i, int64_t now_ns)
{
	uint32_t slot = b->servers[i].slot, active = active_of(b, slot);
	double us = server_response_us(b->table, slot, now_ns);

	if (us == 0 && active > 0)
		us = COST_UNTESTED;
	return us * (active + 1) / b->weight[i];
}

static uint32_t
draw(struct balancer *b)
{
	b->work++;
	return choice_pick(&b->choice, hash_next(&b->random));
}

static uint32_t
draw_other(struct balancer *b, uint32_t than)
{
	uint32_t i, k;

	for (k = 0; k < 4; k++)
		if ((i = draw(b)) != than)
			return i;
	return b->candidates[(b->position[than] + 1) % b->n_candidates].index;
}

static uint32_t
draw_faster_of_two(struct balancer *b, const struct request *q)
{
	uint32_t i = draw(b), j = draw_other(b, i);

	if (!acceptable(b, i, q) || !acceptable(b, j, q))
		return acceptable(b, i, q) ? i : j;
	return response_cost(b, j, q->now_ns) < response_cost(b, i, q->now_ns) ? j : i;
}

/* A server that rises gets as many of its keys back as it has done steps, and always the same first. */
static bool
is_back(const struct balancer *b, uint32_t i, uint64_t hash)
{
	if (!b->any_rising || !b->rising[i])
		return true;
	return hash_scale(hash_mix(hash ^ i), SLOW_START_STEPS) < b->rising[i];
}

/* By hash, however often it must be hashed again; in the end, and among backups, among the candidates alone. */
static int
pick_by_hash(struct balancer *b, const struct request *q)
{
	uint64_t number = q->hash, sequence = q->hash;
	uint32_t i, k;

	for (k = 0; k < REHASHES_MAX && !b->backups; k++) {
		i = b->algorithm == BALANCE_IP_HASH ? choice_pick(&b->home, number)
						    : maglev_pick(&b->maglev, number);
		if (acceptable(b, i, q) && is_back(b, i, q->hash))
			return (int)i;
		number = hash_next(&sequence);
	}
	i = choice_pick(&b->choice, number);
	return acceptable(b, i, q) ? (int)i : pick_by_scan(b, q, number);
}

/* By chance, and if that fell on the wrong one, a few times more. */
static int
pick_by_draw(struct balancer *b, const struct request *q)
{
	uint32_t i, k;

	for (k = 0; k <= q->tried->n; k++) {
		i = b->algorithm == BALANCE_RANDOM ? draw(b) : draw_faster_of_two(b, q);
		if (acceptable(b, i, q))
			return (int)i;
	}
	return pick_by_scan(b, q, hash_next(&b->random));
}

static int
pick(struct balancer *b, const struct request *q)
{
	switch (b->algorithm) {
	case BALANCE_ROUND_ROBIN:
		return pick_round_robin(b, q);
	case BALANCE_LEAST_CONNECTIONS:
		return pick_least_connections(b, q);
	case BALANCE_IP_HASH:
	case BALANCE_CONSISTENT_HASH:
		return pick_by_hash(b, q);
	case BALANCE_LEAST_RESPONSE_TIME:
	case BALANCE_RANDOM:
		return pick_by_draw(b, q);
	}
	CHECK_NEVER();
}

/* In panic another pick goes to available servers first. */
static int
pick_available_first(struct balancer *b, struct request q)
{
	int i;

	if (b->n_candidates == 0)
		return -1;
	q.available_only = b->panic && q.again;
	i = pick(b, &q);
	if (i < 0 && q.available_only) {
		q.available_only = false;
		i = pick(b, &q);
	}
	return i;
}

/* A count that is a few picks old moves the bound of one of many servers by less than one. */
static void
active_recount(struct balancer *b)
{
	const struct candidate *c, *end = b->candidates + b->n_candidates;

	if (b->until_recount) {
		b->until_recount--;
		return;
	}
	b->until_recount = b->n_candidates / RECOUNT_SERVERS;
	b->total_active = 0;
	b->work += b->n_candidates;
	for (c = b->candidates; c < end; c++)
		b->total_active += active_of(b, c->slot);
}

/* Rather beyond the bound than nowhere. */
static int
pick_bounded_first(struct balancer *b, struct request q)
{
	int i;

	if (b->bound) {
		active_recount(b);
		q.bounded = true;
		i = pick_available_first(b, q);
		if (i >= 0)
			return i;
		q.bounded = false;
	}
	return pick_available_first(b, q);
}

void
balancer_bound(struct balancer *b, uint32_t percent)
{
	CHECK(percent == 0 || (percent > 100 && balance_hashes(b->algorithm)));
	b->bound = percent;
}

int
balancer_pick(struct balancer *b, uint64_t hash, const struct balance_tried *tried, int64_t now_ns)
{
	return pick_bounded_first(b,
	    (struct request){
		.hash = hash, .tried = tried, .again = tried->n > 0, .now_ns = now_ns });
}

int
balancer_pick_below_limit(
    struct balancer *b, uint64_t hash, const struct balance_tried *tried, int64_t now_ns)
{
	return pick_bounded_first(b,
	    (struct request){ .hash = hash,
		.tried = tried,
		.again = true,
		.below_limit = true,
		.now_ns = now_ns });
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
