/*
 * vip_answer.h - what the answers of the network mean for a claim.  Pure.
 *
 * One IPv4 and one IPv6 address stand for all: they move together, so what tells more against a claim
 * counts for both.
 */
#ifndef HAFAILOVER_VIP_VIP_ANSWER_H
#define HAFAILOVER_VIP_VIP_ANSWER_H

#include "hafailover/election/election.h"
#include "hafailover/vip/probe.h"

struct vip_answer {
	enum election_vip result; /* of both; ELECTION_VIP_UNKNOWN to begin with */
	bool by_peer; /* who gave it is known to be the peer */
};

/*
 * `holder`: it is ours, and whoever answers is another.  `blind`: no service is known that could have been
 * asked; then an answer is taken for one: in doubt nobody claims.
 */
enum election_vip vip_answer_of(enum probe_verdict, bool holder, bool blind);

void vip_answer_add(struct vip_answer *, enum election_vip, bool by_peer);

#endif
