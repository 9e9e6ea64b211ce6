/* restart_policy.c - counts, and doubles. */
#include "lbd/supervisor/restart_policy.h"

#include "common/clock.h"

enum { DEATHS_FREE = 4 }; /* in a row, before there is any waiting */

static const int64_t young_ns = 2 * NS_PER_S;
static const int64_t delay_first_ns = 100 * NS_PER_MS;
static const int64_t delay_last_ns = 5 * NS_PER_S;

int64_t
restart_policy_delay_ns(struct restart_policy *p, int64_t lived_ns)
{
	int64_t delay = delay_first_ns;
	unsigned i;

	if (lived_ns >= young_ns) {
		p->young_deaths = 0;
		return 0;
	}
	p->young_deaths++;
	if (p->young_deaths <= DEATHS_FREE)
		return 0;
	for (i = DEATHS_FREE + 1; i < p->young_deaths && delay < delay_last_ns; i++)
		delay *= 2;
	return delay < delay_last_ns ? delay : delay_last_ns;
}
