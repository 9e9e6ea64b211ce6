/*
 * turns.h - at most so many at once, the others in the order in which they asked.  Pure.
 *
 * A turn is embedded in what wants one.  `run` is called by turns_go alone; it may give the turn
 * back at once.
 */
#ifndef LBD_HEALTH_TURNS_H
#define LBD_HEALTH_TURNS_H

#include <stdint.h>

struct turn {
	struct turn *next;
	enum { TURN_NONE, TURN_WAITING, TURN_RUNNING } state;
	void (*run)(void *owner);
	void *owner;
};

struct turns {
	uint32_t limit, n_running, n_waiting;
	struct turn *first, **end;
};

void turns_init(struct turns *, uint32_t limit);

/* Queues a turn that is neither waiting nor running. */
void turns_ask(struct turns *, struct turn *);

/* It runs no longer, or does not wait any more. */
void turns_leave(struct turns *, struct turn *);

/* Runs those that are first in the queue, as far as there is room. */
void turns_go(struct turns *);

#endif
