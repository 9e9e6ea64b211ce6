/*
 * rate_limits.h - the rate tables of a process, by the rule that they are for: a rule that a reload leaves as it was
 * keeps its table, and so what clients owe.
 *
 * Main thread; workers see the tables alone.  A table goes when no configuration in use has its rule:
 * rate_limits_begin, rate_limits_use for each rule of each, rate_limits_end.
 */
#ifndef LBD_LIMIT_RATE_LIMITS_H
#define LBD_LIMIT_RATE_LIMITS_H

#include "lbd/limit/rate_table.h"

struct rate_limits;

struct rate_limits *rate_limits_new(void); /* NULL: out of memory */
void rate_limits_free(struct rate_limits **);

/* The table of that rule, a new one if there is none.  NULL: out of memory. */
struct rate_table *
rate_limits_get(struct rate_limits *, uint64_t rule, struct rate, size_t size, int64_t now_ns);

void rate_limits_begin(struct rate_limits *);
void rate_limits_use(struct rate_limits *, uint64_t rule);
void rate_limits_end(struct rate_limits *);

#endif
