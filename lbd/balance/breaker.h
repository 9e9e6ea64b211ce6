/*
 * breaker.h - is this server to be spared, and may it be tried again?  One circuit breaker, for any number of threads.
 * Pure: `now` is an argument.
 *
 * Closed: it serves.  It opens after so many failures in a row, or when failures are such a share of the requests in a
 * sliding window.  Open: it gets nothing, the first time for `open`, then twice as long each time, up to `max_open`.
 * Half-open, when that is over: as many requests as there are probes go there.  When all of them went well it closes,
 * with the first that did not it opens again.  Each `open` that it has been closed for takes one doubling back.
 *
 * Whoever opens it takes a place in the pool's count of ejected servers, which has a limit: no more than a share of a
 * pool is spared at any moment.  The state is one word, so that of many threads exactly one changes it.
 */
#ifndef LBD_BALANCE_BREAKER_H
#define LBD_BALANCE_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* Why it opened. */
enum breaker_reason { BREAKER_FAILURES, BREAKER_RATE, BREAKER_PROBE, BREAKER_REASONS };

struct breaker_config {
	uint32_t consecutive_failures; /* 0: they do not matter */
	uint32_t error_percent; /* 0: likewise */
	uint32_t min_requests; /* in the window, before their share matters */
	int64_t window;
	int64_t open, max_open; /* open 0: there is no breaker */
	uint32_t max_ejected_percent; /* of a pool's servers */
	uint32_t probes; /* at most 255 */
};

enum { BREAKER_PARTS = 10 };

struct breaker {
	_Alignas(64) _Atomic uint64_t word; /* state, doublings, probes, when: breaker.c */
	_Atomic uint32_t failures; /* in a row */
	_Atomic(_Atomic uint32_t *)
	    ejected; /* the count that it has a place in, unless it is closed */
	_Atomic uint64_t window[BREAKER_PARTS]; /* requests and failures of each part */
	_Atomic uint64_t opened[BREAKER_REASONS]; /* times, since it was made */
};

/* Where the pool counts whom it spares, and how many may be. */
struct breaker_room {
	_Atomic uint32_t *ejected;
	uint32_t most;
};

struct breaker_opening {
	enum breaker_reason reason;
	int64_t for_ns;
};

/*
 * One request went well, or did not; `probe` is what breaker_probe gave for it, or 0.  True: it closed, or opened, just
 * now.  What comes in while it is open, and is no probe, is late and means nothing.
 */
bool
breaker_succeeded(struct breaker *, const struct breaker_config *, uint64_t probe, int64_t now_ns);
bool breaker_failed(struct breaker *, const struct breaker_config *, struct breaker_room,
    uint64_t probe, int64_t now_ns, struct breaker_opening *);

/* A request that was said to have gone well did not after all. */
bool breaker_revoked(struct breaker *, const struct breaker_config *, struct breaker_room,
    int64_t now_ns, struct breaker_opening *);

/*
 * May this request be a probe?  Not 0: it is one, and its result must be told, or breaker_return called.  One that must
 * not be `repeated` elsewhere if it fails is taken only when nothing else has come for as long as `open`.
 */
uint64_t
breaker_probe(struct breaker *, const struct breaker_config *, bool repeatable, int64_t now_ns);
void breaker_return(struct breaker *, uint64_t probe);

/* Closed, and nothing is known.  True: it was not closed. */
bool breaker_reset(struct breaker *);

struct breaker_look {
	enum breaker_state state;
	int64_t until_ns; /* BREAKER_OPEN: when it may be probed */
};
struct breaker_look breaker_look(const struct breaker *);

static inline bool
breaker_is_closed(const struct breaker *b)
{
	return (atomic_load_explicit(&b->word, memory_order_relaxed) & 3) == BREAKER_CLOSED;
}

const char *breaker_state_name(enum breaker_state);
const char *breaker_reason_name(enum breaker_reason);

#endif
