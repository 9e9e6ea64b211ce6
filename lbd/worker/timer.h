/*
 * timer.h - deadlines of one worker's connections: a timing wheel with lazy timers.  Pure.
 *
 * A deadline that moves into the future, as it does with every byte that arrives, is only written down;
 * the wheel looks at it again when the old place comes round.  So a busy connection pays a store, not a
 * heap operation.  Timers fire up to TIMER_SLOT_NS late, never early.  Embedded in their owners, who must
 * call timer_remove before they go away.  One thread.
 */
#ifndef LBD_WORKER_TIMER_H
#define LBD_WORKER_TIMER_H

#include <stdbool.h>
#include <stdint.h>

enum { TIMER_SLOTS = 512 };
#define TIMER_SLOT_NS INT64_C(16000000)
#define TIMER_NEVER INT64_MAX

struct timer {
	struct timer *next, **prev; /* in its slot; prev NULL: not linked */
	int64_t deadline; /* ns; TIMER_NEVER: does not fire */
	int64_t due; /* when its slot comes round */
	void (*fire)(struct timer *);
};

struct timer_wheel {
	struct timer *slot[TIMER_SLOTS];
	uint64_t occupied[TIMER_SLOTS / 64];
	int64_t passed; /* everything due before this has been looked at; a multiple of the slot */
};

void timer_wheel_init(struct timer_wheel *, int64_t now);

static inline void
timer_init(struct timer *t, void (*fire)(struct timer *))
{
	*t = (struct timer){ .deadline = TIMER_NEVER, .fire = fire };
}

void timer_link(struct timer_wheel *, struct timer *); /* for timer_set alone */

/* Moves the deadline, earlier or later, whether it was set or not. */
static inline void
timer_set(struct timer_wheel *w, struct timer *t, int64_t deadline)
{
	t->deadline = deadline;
	if (!t->prev || deadline < t->due)
		timer_link(w, t);
}

/* Stays linked until its slot comes round; costs nothing. */
static inline void
timer_clear(struct timer *t)
{
	t->deadline = TIMER_NEVER;
}

void timer_remove(struct timer_wheel *, struct timer *);

/* The next timer whose deadline has come, unlinked; NULL when there is none left. */
struct timer *timer_expired(struct timer_wheel *, int64_t now);

/* When timer_expired should be called next; TIMER_NEVER if no timer is linked. */
int64_t timer_wheel_next(const struct timer_wheel *);

#endif
