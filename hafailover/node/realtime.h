/*
 * realtime.h - to run when it must: SCHED_RR and locked memory, as far as the system lets us.
 *
 * The kernel kills real-time processes that run longer than RLIMIT_RTTIME without sleeping (some
 * systems allow 10 ms).  The limit is raised where that is allowed; where a sensible one cannot be
 * had, priority stays normal; and SIGXCPU, which comes before the end, gives the priority back.
 * Children run at normal priority.
 */
#ifndef HAFAILOVER_NODE_REALTIME_H
#define HAFAILOVER_NODE_REALTIME_H

#include <stdbool.h>

struct realtime {
	bool priority, memory;
	const char *why_not; /* static; NULL: nothing is missing */
};

/* Of the calling thread, and the memory of the process. */
struct realtime realtime_enter(void);

#endif
