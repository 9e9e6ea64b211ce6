/*
 * retry_budget.h - retries may be at most a share of the requests, so that they cannot make a bad hour
 * worse.  Pure; one per pool, over all workers.
 *
 * Over the last ten seconds (in two halves) at most `percent` of the requests may be retried, and always
 * `least` of them.  Counted when the retry is decided.  Each worker counts requests by itself, so that the
 * request path shares nothing; who retries adds them up.
 */
#ifndef LBD_BALANCE_RETRY_BUDGET_H
#define LBD_BALANCE_RETRY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many there were lately: which five seconds the present half is 24 bits, in the half before 20, in this one 20. */
typedef _Atomic uint64_t retry_count;

struct retry_budget {
	retry_count *retries; /* all workers write it */
	const retry_count *requests; /* the first worker's; the others' are `stride` apart */
	uint32_t n_workers, stride;
	uint32_t percent, least;
};

/* Nobody else writes this one. */
void retry_budget_request(retry_count *requests, int64_t now_ns);

/* True, and counted, if one more retry is within the budget. */
bool retry_budget_take(const struct retry_budget *, int64_t now_ns);

/* At the time of the take: that retry is not made after all. */
void retry_budget_return(const struct retry_budget *, int64_t now_ns);

#endif
