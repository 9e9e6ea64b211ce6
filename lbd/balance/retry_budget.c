/* retry_budget.c - two halves of five seconds; the older one is forgotten as a new one starts. */
#include "lbd/balance/retry_budget.h"

static const int64_t HALF_NS = INT64_C(5000000000);

static void
budget_advance(struct retry_budget *b, int64_t now_ns)
{
	int64_t half = now_ns / HALF_NS;

	if (half == b->half)
		return;
	b->requests[1] = half == b->half + 1 ? b->requests[0] : 0;
	b->retries[1] = half == b->half + 1 ? b->retries[0] : 0;
	b->requests[0] = b->retries[0] = 0;
	b->half = half;
}

void
retry_budget_request(struct retry_budget *b, int64_t now_ns)
{
	budget_advance(b, now_ns);
	b->requests[0]++;
}

bool
retry_budget_take(struct retry_budget *b, uint32_t percent, int64_t now_ns)
{
	uint64_t requests, retries;

	budget_advance(b, now_ns);
	requests = (uint64_t)b->requests[0] + b->requests[1];
	retries = (uint64_t)b->retries[0] + b->retries[1];
	if (retries >= RETRY_BUDGET_MIN && (retries + 1) * 100 > requests * percent)
		return false;
	b->retries[0]++;
	return true;
}

void
retry_budget_return(struct retry_budget *b)
{
	b->retries[0]--;
}
