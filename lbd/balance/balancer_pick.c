/*
 * balancer_pick.c - one small function for each algorithm.
 *
 * A retry must not fall on a server that this exchange has tried, nor, in panic, on one that is not
 * available as long as there are others: it may cost a scan of the candidates, which a first pick
 * never does except for least connections when everybody is busy.
 */
#include "common/check.h"
#include "lbd/balance/balancer_parts.h"

/* Requests in flight are counted over all candidates once in so many picks, of n servers. */
enum { RECOUNT_SERVERS = 32 };

/* Half of a pool may be gone without panic: this many misses in a row are one in 2^24. */
enum { REHASHES_MAX = 24 };

/*
 * A server without a sample of its response time that has exchanges in flight: let those answer
 * first.
 */
static const double COST_UNTESTED = 1e18;

/* One pick's circumstances. */
struct request {
	uint64_t hash;
	const struct balance_tried *tried;
	bool again; /* the exchange has had a pick before: it takes no turn of the round */
	bool available_only, below_limit, bounded;
	int64_t now_ns;
};

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

/* A popular key may have filled many servers, and to look at all of them costs as much as at as many of its own. */
static uint32_t
rehashes_max(const struct balancer *b, const struct request *q)
{
	if (b->backups)
		return 0;
	return q->bounded && b->n_candidates > REHASHES_MAX ? b->n_candidates : REHASHES_MAX;
}

/* By hash, however often it must be hashed again; in the end, and among backups, among the candidates alone. */
static int
pick_by_hash(struct balancer *b, const struct request *q)
{
	uint64_t number = q->hash, sequence = q->hash;
	uint32_t i, most = rehashes_max(b, q);

	for (; most > 0; most--) {
		b->work++;
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
