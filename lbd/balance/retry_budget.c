/* retry_budget.c - two halves of five seconds; the older one is forgotten as a new one starts. */
#include "lbd/balance/retry_budget.h"

static const int64_t HALF_NS = INT64_C(5000000000);

enum { COUNT_MAX = (1 << 20) - 1 };

/* The count as it is now; a worker whose clock is behind finds the next half begun. */
static uint64_t
count_now(uint64_t word, int64_t now_ns)
{
	uint32_t half = (uint32_t)(now_ns / HALF_NS);
	int32_t age = (int32_t)((half - (uint32_t)(word >> 40)) << 8) >> 8;

	if (age <= 0 && age > -2)
		return word;
	return (uint64_t)(half & 0xffffff) << 40 | (age == 1 ? (word & COUNT_MAX) << 20 : 0);
}

static uint64_t
lately(uint64_t word)
{
	return (word & COUNT_MAX) + (word >> 20 & COUNT_MAX);
}

void
retry_budget_request(retry_count *requests, int64_t now_ns)
{
	uint64_t word = count_now(atomic_load_explicit(requests, memory_order_relaxed), now_ns);

	if ((word & COUNT_MAX) < COUNT_MAX)
		word++;
	atomic_store_explicit(requests, word, memory_order_relaxed);
}

static uint64_t
requests_lately(const struct retry_budget *b, int64_t now_ns)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < b->n_workers; i++)
		n += lately(count_now(
		    atomic_load_explicit(&b->requests[(size_t)i * b->stride], memory_order_relaxed),
		    now_ns));
	return n;
}

bool
retry_budget_take(const struct retry_budget *b, int64_t now_ns)
{
	uint64_t requests = requests_lately(b, now_ns), word = atomic_load(b->retries), next;

	do {
		next = count_now(word, now_ns);
		if ((next & COUNT_MAX) == COUNT_MAX ||
		    (lately(next) >= b->least && (lately(next) + 1) * 100 > requests * b->percent))
			return false;
	} while (!atomic_compare_exchange_weak(b->retries, &word, next + 1));
	return true;
}

void
retry_budget_return(const struct retry_budget *b, int64_t now_ns)
{
	uint64_t word = atomic_load(b->retries), next;

	do {
		next = count_now(word, now_ns);
		if ((next & COUNT_MAX) == 0)
			return;
	} while (!atomic_compare_exchange_weak(b->retries, &word, next - 1));
}
