/* witness_rule.c - one comparison of who asks with who has it. */
#include "hafailover/election/witness_rule.h"

#include "common/check.h"

static struct witness_answer
how_it_stands(
    const struct witness_lease *l, const struct witness_terms *t, unsigned who, int64_t now)
{
	if (l->holder != WITNESS_NOBODY)
		return (struct witness_answer){ .verdict = WITNESS_HELD,
			.yours = l->holder == who,
			.wanted = l->holder == who && now < l->wanted_until_ns,
			.left_ns = l->until_ns - now };
	if (now < t->quiet_until_ns)
		return (struct witness_answer){ .verdict = WITNESS_QUIET,
			.left_ns = t->quiet_until_ns - now };
	return (struct witness_answer){ .verdict = WITNESS_FREE };
}

static struct witness_answer
take(struct witness_lease *l, const struct witness_terms *t, unsigned who,
    const struct witness_request *r, int64_t now)
{
	struct witness_answer a = how_it_stands(l, t, who, now);

	if (r->lease_ns <= 0 || r->lease_ns > t->longest_ns)
		return (struct witness_answer){ .verdict = WITNESS_TOO_LONG };
	if (a.verdict == WITNESS_HELD && !a.yours)
		l->wanted_until_ns = now + r->lease_ns;
	if ((a.verdict == WITNESS_HELD && !a.yours) || (a.verdict == WITNESS_QUIET && !r->has))
		return a;
	l->holder = who;
	if (l->until_ns < now + r->lease_ns)
		l->until_ns = now + r->lease_ns;
	return (struct witness_answer){ .verdict = WITNESS_GRANTED,
		.yours = true,
		.wanted = a.wanted,
		.left_ns = l->until_ns - now };
}

struct witness_answer
witness_decide(struct witness_lease *l, const struct witness_terms *t, unsigned who,
    const struct witness_request *r, int64_t now)
{
	struct witness_answer a;

	CHECK(who != WITNESS_NOBODY);
	if (now >= l->until_ns || (r->wish == WITNESS_GIVE_BACK && l->holder == who))
		*l = (struct witness_lease){ .holder = WITNESS_NOBODY };
	a = r->wish == WITNESS_TAKE ? take(l, t, who, r, now) : how_it_stands(l, t, who, now);
	a.id = r->id;
	return a;
}

/* Longer, so that the addresses can be renewed for a while after the lease was. */
int64_t
witness_lease_ns(int64_t address_lease_ns)
{
	return address_lease_ns / 3 * 4;
}

const char *
witness_verdict_name(enum witness_verdict v)
{
	static const char *const names[WITNESS_VERDICTS] = { "granted", "held", "free", "quiet",
		"too_long" };

	return (unsigned)v < WITNESS_VERDICTS ? names[v] : "unknown";
}
