/*
 * rate_table.c - GCRA on words of 48 bits of time and 16 of hash.
 *
 * Time is counted in units of 256 ns, and intervals are rounded up to them.  It wraps after two years: then, for the
 * length of SLACK_NS, who has not come in all that time may be told to wait.
 *
 * Why two threads never make two buckets for one key: a word only ever moves forward in time.  Each thread takes over
 * the word that is first in time of those that it has read, by compare-and-swap.  Had both found no bucket and
 * taken over different words, each would have read the other's choice as the later one, at a moment when it was no
 * later than what the other swapped out.
 */
#include "lbd/limit/rate_table.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lbd/balance/hash.h"

enum { TAG_BITS = 16, UNIT_BITS = 8 };

static const uint64_t TIME_MASK = (UINT64_C(1) << (64 - TAG_BITS)) - 1;
static const int64_t SLACK_NS = INT64_C(10) * 1000000000; /* how far `now` may differ */

struct set {
	_Alignas(RATE_SET_SIZE) _Atomic uint64_t words[RATE_WAYS];
};

struct rate_table {
	int64_t epoch_ns;
	uint64_t interval; /* units */
	uint64_t depth; /* of an empty bucket: burst intervals */
	uint64_t slack;
	uint64_t n_sets;
	struct set sets[];
};

/* A key's place in the table. */
struct place {
	_Atomic uint64_t *words;
	uint64_t tag;
	uint64_t now; /* units */
};

/* The word to change: the key's own, or the one to be taken over. */
struct found {
	unsigned way;
	uint64_t word;
};

struct rate_table *
rate_table_new(struct rate rate, size_t size, int64_t now_ns)
{
	size_t n = size / sizeof(struct set);
	struct rate_table *t = aligned_alloc(RATE_SET_SIZE, sizeof(*t) + n * sizeof(struct set));
	uint64_t units = (uint64_t)rate.requests << UNIT_BITS;

	if (!t)
		return NULL;
	*t = (struct rate_table){ .epoch_ns = now_ns - SLACK_NS, .n_sets = n };
	t->interval = ((uint64_t)rate.period_ns + units - 1) / units;
	t->depth = rate.burst * t->interval;
	t->slack = (uint64_t)SLACK_NS >> UNIT_BITS;
	for (size_t i = 0; i < n; i++)
		for (unsigned way = 0; way < RATE_WAYS; way++)
			atomic_init(&t->sets[i].words[way], 0);
	return t;
}

void
rate_table_free(struct rate_table **tp)
{
	free(*tp);
	*tp = NULL;
}

static struct place
place_of(struct rate_table *t, uint64_t hash, int64_t now_ns)
{
	return (struct place){
		t->sets[hash_scale(hash, t->n_sets)].words,
		hash & ((1 << TAG_BITS) - 1),
		(uint64_t)(now_ns - t->epoch_ns) >> UNIT_BITS & TIME_MASK,
	};
}

/* How long until that bucket is full; 0: it is. */
static uint64_t
owed(const struct rate_table *t, uint64_t word, uint64_t now)
{
	uint64_t ahead = ((word >> TAG_BITS) - now) & TIME_MASK;

	return ahead <= t->depth + t->slack ? ahead : 0;
}

/* Buckets in the order in which they are full again, the same whoever asks. */
static uint64_t
rank(const struct rate_table *t, uint64_t word, uint64_t now)
{
	return ((word >> TAG_BITS) - now - t->depth - t->slack - 1) & TIME_MASK;
}

static struct found
find(const struct rate_table *t, const struct place *p)
{
	struct found first = { 0, atomic_load_explicit(&p->words[0], memory_order_relaxed) };
	uint64_t first_rank = rank(t, first.word, p->now), word, r;
	const uint64_t tag_mask = (1 << TAG_BITS) - 1;

	if ((first.word & tag_mask) == p->tag)
		return first;
	for (unsigned way = 1; way < RATE_WAYS; way++) {
		word = atomic_load_explicit(&p->words[way], memory_order_relaxed);
		if ((word & tag_mask) == p->tag)
			return (struct found){ way, word };
		r = rank(t, word, p->now);
		if (r < first_rank) {
			first = (struct found){ way, word };
			first_rank = r;
		}
	}
	return first;
}

static int64_t
wait_ns(const struct rate_table *t, uint64_t after)
{
	return after > t->depth ? (int64_t)((after - t->depth) << UNIT_BITS) : 0;
}

int64_t
rate_table_ask(struct rate_table *t, uint64_t hash, int64_t now_ns)
{
	struct place p = place_of(t, hash, now_ns);
	struct found f = find(t, &p);

	return wait_ns(t, owed(t, f.word, p.now) + t->interval);
}

int64_t
rate_table_take(struct rate_table *t, uint64_t hash, int64_t now_ns)
{
	struct place p = place_of(t, hash, now_ns);
	struct found f;
	uint64_t after, word;

	do {
		f = find(t, &p);
		after = owed(t, f.word, p.now) + t->interval;
		if (after > t->depth)
			return wait_ns(t, after);
		word = ((p.now + after) & TIME_MASK) << TAG_BITS | p.tag;
	} while (!atomic_compare_exchange_strong_explicit(
	    &p.words[f.way], &f.word, word, memory_order_relaxed, memory_order_relaxed));
	return 0;
}
