/*
 * breaker.c - the word of the state, from the low bits: state 2, doublings 5, probes given out 8, of these gone well 8,
 * when 41 (ms).  "When" is the end of open, the beginning of half-open (which names its probes) or of closed.
 *
 * Each part of the window has a word, too: which part it is 24, requests 20, failures 20.  Parts that are too old are
 * not counted, and overwritten when their turn comes.
 */
#include "lbd/balance/breaker.h"

#include "common/check.h"
#include "common/clock.h"
#include "lbd/balance/limit.h"

enum { DOUBLINGS_MAX = 31, COUNT_MAX = (1 << 20) - 1, PART_MASK = (1 << 24) - 1 };

struct state {
	enum breaker_state state;
	uint32_t doublings, given, good;
	uint64_t at_ms;
};

static struct state
state_unpack(uint64_t word)
{
	return (struct state){ (enum breaker_state)(word & 3), word >> 2 & 31, word >> 7 & 255,
		word >> 15 & 255, word >> 23 };
}

static uint64_t
state_pack(struct state s)
{
	return (uint64_t)s.state | (uint64_t)s.doublings << 2 | (uint64_t)s.given << 7 |
	    (uint64_t)s.good << 15 | s.at_ms << 23;
}

static uint64_t
ms_of(int64_t ns)
{
	return (uint64_t)(ns / NS_PER_MS);
}

/* --- the window --- */

static uint32_t
part_now(const struct breaker_config *c, int64_t now_ns)
{
	return (uint32_t)(now_ns / (c->window / BREAKER_PARTS));
}

/* By how many parts it is older than `now`; negative: a thread whose clock is ahead wrote it. */
static int32_t
part_age(uint64_t word, uint32_t now)
{
	return (int32_t)((now - (uint32_t)(word >> 40)) << 8) >> 8;
}

static uint32_t
requests_of(uint64_t word)
{
	return word >> 20 & COUNT_MAX;
}

static uint32_t
failures_of(uint64_t word)
{
	return word & COUNT_MAX;
}

/* Within one window of `now`, on either side. */
static bool
part_counts(uint64_t word, uint32_t now)
{
	int32_t age = part_age(word, now);

	return age > -BREAKER_PARTS && age < BREAKER_PARTS;
}

/* A part that is full goes on with half of it: the share stays. */
static uint64_t
part_add(uint64_t word, uint32_t now, uint32_t requests, uint32_t failures)
{
	uint64_t r = requests_of(word), f = failures_of(word), part = word >> 40;

	if (!part_counts(word, now)) {
		r = f = 0;
		part = now & PART_MASK;
	}
	if (r == COUNT_MAX || f == COUNT_MAX) {
		r /= 2;
		f /= 2;
	}
	return part << 40 | (r + requests) << 20 | (f + failures);
}

static void
window_add(struct breaker *b, const struct breaker_config *c, int64_t now_ns, uint32_t requests,
    uint32_t failures)
{
	_Atomic uint64_t *part;
	uint64_t word;
	uint32_t now;

	if (!c->error_percent)
		return;
	now = part_now(c, now_ns);
	part = &b->window[now % BREAKER_PARTS];
	word = atomic_load_explicit(part, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(part, &word,
	    part_add(word, now, requests, failures), memory_order_relaxed, memory_order_relaxed))
		;
}

static bool
rate_is_reached(const struct breaker *b, const struct breaker_config *c, int64_t now_ns)
{
	uint64_t requests = 0, failures = 0, word;
	uint32_t now;

	if (!c->error_percent)
		return false;
	now = part_now(c, now_ns);
	for (int i = 0; i < BREAKER_PARTS; i++) {
		word = atomic_load_explicit(&b->window[i], memory_order_relaxed);
		if (!part_counts(word, now))
			continue;
		requests += requests_of(word);
		failures += failures_of(word);
	}
	return requests >= c->min_requests && failures * 100 >= requests * c->error_percent;
}

static void
results_forget(struct breaker *b)
{
	atomic_store(&b->failures, 0);
	for (int i = 0; i < BREAKER_PARTS; i++)
		atomic_store(&b->window[i], 0);
}

/* --- opening --- */

/* Of a circuit that opens once more. */
static struct state
state_open(struct state s, const struct breaker_config *c, int64_t now_ns, int64_t *for_ns)
{
	int64_t ns = c->open;

	for (uint32_t i = 0; i < s.doublings && ns < c->max_open; i++)
		ns *= 2;
	*for_ns = ns < c->max_open ? ns : c->max_open;
	return (struct state){ .state = BREAKER_OPEN,
		.doublings = s.doublings < DOUBLINGS_MAX ? s.doublings + 1 : DOUBLINGS_MAX,
		.at_ms = ms_of(now_ns + *for_ns + NS_PER_MS - 1) };
}

/* For each `open` that it was closed for, one doubling less. */
static struct state
state_forgive(struct state s, const struct breaker_config *c, int64_t now_ns)
{
	uint64_t now = ms_of(now_ns), good = now > s.at_ms ? (now - s.at_ms) / ms_of(c->open) : 0;

	s.doublings -= good < s.doublings ? (uint32_t)good : s.doublings;
	return s;
}

/* From closed. */
static bool
circuit_open(struct breaker *b, const struct breaker_config *c, struct breaker_room room,
    int64_t now_ns, struct breaker_opening *o)
{
	uint64_t word = atomic_load(&b->word);
	struct state next;

	if (!limit_take(room.ejected, room.most))
		return false;
	atomic_store(&b->ejected, room.ejected);
	do {
		if ((word & 3) != BREAKER_CLOSED) {
			atomic_fetch_sub(room.ejected, 1);
			return false;
		}
		next = state_forgive(state_unpack(word), c, now_ns);
		next = state_open(next, c, now_ns, &o->for_ns);
	} while (!atomic_compare_exchange_weak(&b->word, &word, state_pack(next)));
	atomic_fetch_add_explicit(&b->opened[o->reason], 1, memory_order_relaxed);
	return true;
}

/* From half-open: it keeps its place. */
static bool
circuit_reopen(struct breaker *b, const struct breaker_config *c, uint64_t probe, int64_t now_ns,
    struct breaker_opening *o)
{
	uint64_t word = atomic_load(&b->word);
	struct state s;

	o->reason = BREAKER_PROBE;
	do {
		s = state_unpack(word);
		if (s.state != BREAKER_HALF_OPEN || s.at_ms != probe)
			return false;
		s = state_open(s, c, now_ns, &o->for_ns);
	} while (!atomic_compare_exchange_weak(&b->word, &word, state_pack(s)));
	atomic_fetch_add_explicit(&b->opened[BREAKER_PROBE], 1, memory_order_relaxed);
	return true;
}

/* --- results --- */

static bool
failure_take(struct breaker *b, const struct breaker_config *c, struct breaker_room room,
    uint32_t requests, int64_t now_ns, struct breaker_opening *o)
{
	uint32_t failures = atomic_fetch_add_explicit(&b->failures, 1, memory_order_relaxed) + 1;

	window_add(b, c, now_ns, requests, 1);
	o->reason = BREAKER_FAILURES;
	if (c->consecutive_failures && failures >= c->consecutive_failures)
		return circuit_open(b, c, room, now_ns, o);
	o->reason = BREAKER_RATE;
	return rate_is_reached(b, c, now_ns) && circuit_open(b, c, room, now_ns, o);
}

bool
breaker_failed(struct breaker *b, const struct breaker_config *c, struct breaker_room room,
    uint64_t probe, int64_t now_ns, struct breaker_opening *o)
{
	switch (breaker_look(b).state) {
	case BREAKER_CLOSED:
		return failure_take(b, c, room, 1, now_ns, o);
	case BREAKER_OPEN:
		return false;
	case BREAKER_HALF_OPEN:
		return probe && circuit_reopen(b, c, probe, now_ns, o);
	}
	CHECK_NEVER();
}

bool
breaker_revoked(struct breaker *b, const struct breaker_config *c, struct breaker_room room,
    int64_t now_ns, struct breaker_opening *o)
{
	return breaker_is_closed(b) && failure_take(b, c, room, 0, now_ns, o);
}

/* One more probe went well: true if that was the last that was wanted. */
static bool
probe_succeeded(struct breaker *b, const struct breaker_config *c, uint64_t probe, int64_t now_ns)
{
	uint64_t word = atomic_load(&b->word);
	struct state s;

	do {
		s = state_unpack(word);
		if (s.state != BREAKER_HALF_OPEN || s.at_ms != probe)
			return false;
		if (++s.good < c->probes)
			continue;
		results_forget(b); /* nobody adds to them yet */
		s = (struct state){
			.state = BREAKER_CLOSED, .doublings = s.doublings, .at_ms = ms_of(now_ns)
		};
	} while (!atomic_compare_exchange_weak(&b->word, &word, state_pack(s)));
	if (s.state != BREAKER_CLOSED)
		return false;
	atomic_fetch_sub(atomic_load(&b->ejected), 1);
	return true;
}

bool
breaker_succeeded(struct breaker *b, const struct breaker_config *c, uint64_t probe, int64_t now_ns)
{
	if (!breaker_is_closed(b))
		return probe && probe_succeeded(b, c, probe, now_ns);
	window_add(b, c, now_ns, 1, 0);
	/* usually 0 already: then nothing is written */
	if (atomic_load_explicit(&b->failures, memory_order_relaxed))
		atomic_store_explicit(&b->failures, 0, memory_order_relaxed);
	return false;
}

/* --- probes --- */

uint64_t
breaker_probe(struct breaker *b, const struct breaker_config *c, bool repeatable, int64_t now_ns)
{
	uint64_t word = atomic_load(&b->word), now = ms_of(now_ns);
	struct state s;

	do {
		s = state_unpack(word);
		if (s.state == BREAKER_CLOSED || now < s.at_ms + (repeatable ? 0 : ms_of(c->open)))
			return 0;
		if (s.state == BREAKER_OPEN)
			s = (struct state){
				.state = BREAKER_HALF_OPEN, .doublings = s.doublings, .at_ms = now
			};
		if (s.given >= c->probes)
			return 0;
		s.given++;
	} while (!atomic_compare_exchange_weak(&b->word, &word, state_pack(s)));
	return s.at_ms;
}

void
breaker_return(struct breaker *b, uint64_t probe)
{
	uint64_t word = atomic_load(&b->word);
	struct state s;

	do {
		s = state_unpack(word);
		if (s.state != BREAKER_HALF_OPEN || s.at_ms != probe)
			return;
		s.given--;
	} while (!atomic_compare_exchange_weak(&b->word, &word, state_pack(s)));
}

bool
breaker_reset(struct breaker *b)
{
	results_forget(b);
	if ((atomic_exchange(&b->word, 0) & 3) == BREAKER_CLOSED)
		return false;
	atomic_fetch_sub(atomic_load(&b->ejected), 1);
	return true;
}

struct breaker_look
breaker_look(const struct breaker *b)
{
	struct state s = state_unpack(atomic_load(&b->word));

	return (struct breaker_look){ s.state, (int64_t)s.at_ms * NS_PER_MS };
}

const char *
breaker_state_name(enum breaker_state state)
{
	switch (state) {
	case BREAKER_CLOSED:
		return "closed";
	case BREAKER_OPEN:
		return "open";
	case BREAKER_HALF_OPEN:
		return "half_open";
	}
	CHECK_NEVER();
}

const char *
breaker_reason_name(enum breaker_reason reason)
{
	switch (reason) {
	case BREAKER_FAILURES:
		return "consecutive_failures";
	case BREAKER_RATE:
		return "error_percent";
	case BREAKER_PROBE:
		return "probe";
	case BREAKER_REASONS:
		break;
	}
	CHECK_NEVER();
}
