/*
 * fitness.h - may this node serve, and what is it while it is not Active?  Pure; the same for both
 * machines, election.h and vrrp_election.h.
 */
#ifndef HAFAILOVER_ELECTION_FITNESS_H
#define HAFAILOVER_ELECTION_FITNESS_H

#include "hafailover/election/election.h"

struct fitness {
	const struct election_track *track; /* NULL: nothing was reported yet */
	int64_t broken_until_ns; /* the kernel refused an address */
	bool stopping, standby;
};

static inline bool
fitness_good(const struct fitness *f, int64_t now_ns)
{
	return f->track && f->track->eligible && now_ns >= f->broken_until_ns;
}

/* Of one that is not good. */
static inline enum cause
fitness_why(const struct fitness *f, int64_t now_ns)
{
	if (now_ns < f->broken_until_ns)
		return CAUSE_VIP_FAILED;
	return !f->track || f->track->why == CAUSE_NONE ? CAUSE_INELIGIBLE : f->track->why;
}

static inline enum role
fitness_rest(const struct fitness *f, int64_t now_ns)
{
	if (f->stopping)
		return ROLE_INITIALIZE;
	if (f->standby)
		return ROLE_STANDBY;
	return fitness_good(f, now_ns) ? ROLE_BACKUP : ROLE_FAULT;
}

#endif
