/*
 * retry_budget.h - retries may be at most a share of the requests, so that they cannot make a bad hour
 * worse.  Pure; one per pool and worker.
 *
 * Over the last ten seconds (in two halves) at most `percent` of the requests may be retried, and always
 * RETRY_BUDGET_MIN.  Counted when the retry is decided.
 */
#ifndef LBD_BALANCE_RETRY_BUDGET_H
#define LBD_BALANCE_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { RETRY_BUDGET_MIN = 3 };

struct retry_budget {
	int64_t half; /* which five seconds the present half is */
	uint32_t requests[2], retries[2]; /* present half, the one before */
};

void retry_budget_request(struct retry_budget *, int64_t now_ns);

/* True, and counted, if one more retry is within the budget. */
bool retry_budget_take(struct retry_budget *, uint32_t percent, int64_t now_ns);

/* At the time of the take: that retry is not made after all. */
void retry_budget_return(struct retry_budget *);

#endif
