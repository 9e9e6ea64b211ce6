/* delay.c - counts in buckets; minutes by number. */
#include "hafailover/admin/delay.h"

const struct delay_bound delay_bounds[DELAY_BOUNDS] = {
	{ 500 * NS_PER_US, "0.0005" },
	{ 1 * NS_PER_MS, "0.001" },
	{ 2 * NS_PER_MS, "0.002" },
	{ 5 * NS_PER_MS, "0.005" },
	{ 10 * NS_PER_MS, "0.01" },
	{ 20 * NS_PER_MS, "0.02" },
	{ 50 * NS_PER_MS, "0.05" },
	{ 100 * NS_PER_MS, "0.1" },
	{ 300 * NS_PER_MS, "0.3" },
	{ 1 * NS_PER_S, "1" },
};

static int64_t
minute_of(int64_t now)
{
	return now / (60 * NS_PER_S);
}

void
delay_add(struct delay *d, int64_t late, int64_t now)
{
	int64_t minute = minute_of(now);
	unsigned i = 0;

	if (minute != d->minute) {
		d->worst_before_ns = minute == d->minute + 1 ? d->worst_ns : 0;
		d->worst_ns = 0;
		d->minute = minute;
	}
	late = late < 0 ? 0 : late;
	while (i < DELAY_BOUNDS && late > delay_bounds[i].ns)
		i++;
	d->buckets[i]++;
	d->n++;
	d->sum_ns += late;
	if (late > d->worst_ns)
		d->worst_ns = late;
}

int64_t
delay_worst_ns(const struct delay *d, int64_t now)
{
	int64_t age = minute_of(now) - d->minute;

	if (age > 1)
		return 0;
	return age == 1 || d->worst_ns > d->worst_before_ns ? d->worst_ns : d->worst_before_ns;
}
