/* health_rule.c - counts in a row, and a grid of times. */
#include "lbd/health/health_rule.h"

#include "common/check.h"

static const int64_t FAST_MIN_NS = 100 * NS_PER_MS;

static enum server_health
verdict(const struct health_state *s, const struct health_config *c)
{
	switch (s->health) {
	case HEALTH_UNKNOWN:
	case HEALTH_NEW:
		return s->good ? HEALTH_UP : HEALTH_DOWN;
	case HEALTH_UP:
		return s->bad >= c->fall ? HEALTH_DOWN : HEALTH_UP;
	case HEALTH_DOWN:
		return s->good >= c->rise ? HEALTH_UP : HEALTH_DOWN;
	}
	CHECK_NEVER();
}

bool
health_step(struct health_state *s, const struct health_config *c, bool passed)
{
	enum server_health before = s->health;

	s->good = !passed ? 0 : s->good < UINT32_MAX ? s->good + 1 : s->good;
	s->bad = passed ? 0 : s->bad < UINT32_MAX ? s->bad + 1 : s->bad;
	s->health = verdict(s, c);
	return s->health != before;
}

int64_t
health_fast_ns(const struct health_config *c)
{
	int64_t fast = c->interval / 5 > FAST_MIN_NS ? c->interval / 5 : FAST_MIN_NS;

	return fast < c->interval ? fast : c->interval;
}

/* The point of the grid that is nearest to one interval after the last check. */
static int64_t
grid_next(int64_t interval, uint64_t key_hash, int64_t started_ns)
{
	int64_t phase = (int64_t)hash_scale(key_hash, (uint64_t)interval);
	int64_t earliest = started_ns + interval / 2;

	return earliest + interval - 1 - (earliest - phase + interval - 1) % interval;
}

int64_t
health_due_ns(const struct health_state *s, const struct health_config *c, uint64_t key_hash,
    uint64_t random, int64_t started_ns)
{
	int64_t tenth = c->interval / 10;
	bool doubt = s->health == HEALTH_UP ? s->bad > 0 : s->good > 0;

	if (doubt)
		return started_ns + health_fast_ns(c);
	return grid_next(c->interval, key_hash, started_ns) - tenth +
	    (int64_t)hash_scale(random, (uint64_t)(2 * tenth + 1));
}
