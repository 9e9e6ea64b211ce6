/* hook_rule.c - four states and a pause that doubles. */
#include "hafailover/hook/hook_rule.h"

#include "common/check.h"
#include "common/clock.h"

static const int64_t PAUSE_NS = NS_PER_S, PAUSE_MAX_NS = 30 * NS_PER_S;

static enum hook_do
begin(struct hook_rule *r)
{
	r->state = r->wanted ? HOOK_RUNNING : HOOK_NONE;
	r->tries += r->wanted;
	return r->wanted ? HOOK_DO_RUN : HOOK_DO_NOTHING;
}

enum hook_do
hook_rule_enter(struct hook_rule *r, bool wanted)
{
	r->wanted = wanted;
	r->tries = 0;
	switch (r->state) {
	case HOOK_RUNNING:
		r->state = HOOK_ENDING;
		return HOOK_DO_KILL;
	case HOOK_ENDING:
		return HOOK_DO_NOTHING;
	case HOOK_NONE:
	case HOOK_WAITING:
	case HOOK_DONE:
	case HOOK_STATES:
		break;
	}
	return begin(r);
}

static int64_t
pause_ns(unsigned tries)
{
	int64_t ns = PAUSE_NS;

	while (--tries && ns < PAUSE_MAX_NS)
		ns *= 2;
	return ns < PAUSE_MAX_NS ? ns : PAUSE_MAX_NS;
}

enum hook_do
hook_rule_ended(struct hook_rule *r, bool passed, int64_t now)
{
	if (r->state == HOOK_ENDING)
		return begin(r);
	CHECK(r->state == HOOK_RUNNING);
	r->state = passed ? HOOK_DONE : HOOK_WAITING;
	r->due_ns = now + pause_ns(r->tries);
	return HOOK_DO_NOTHING;
}

enum hook_do
hook_rule_timer(struct hook_rule *r, int64_t now)
{
	return r->state == HOOK_WAITING && now >= r->due_ns ? begin(r) : HOOK_DO_NOTHING;
}

bool
hook_rule_failing(const struct hook_rule *r)
{
	return r->state == HOOK_WAITING || (r->state == HOOK_RUNNING && r->tries > 1);
}

const char *
hook_state_name(enum hook_state s)
{
	static const char *const names[HOOK_STATES] = { "none", "ending", "running", "waiting",
		"done" };

	return names[s];
}
