/*
 * queue.h - what will happen when: a heap by time; what is due at the same time in order of entry.
 */
#ifndef SIMULATION_QUEUE_H
#define SIMULATION_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

enum { QUEUE_MAX = 2048 };

struct due {
	int64_t at_ns;
	uint64_t id; /* order of entry */
	uint8_t type, node;
	uint32_t what, more;
};

struct queue {
	struct due heap[QUEUE_MAX];
	unsigned n;
	uint64_t last_id;
};

/* Returns its id. */
uint64_t queue_add(struct queue *, struct due);

/* False: empty. */
bool queue_take(struct queue *, struct due *);

#endif
