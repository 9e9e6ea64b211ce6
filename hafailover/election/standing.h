/* standing.h - what either state machine shows of itself: to the log, the operator and systemd. */
#ifndef HAFAILOVER_ELECTION_STANDING_H
#define HAFAILOVER_ELECTION_STANDING_H

#include "hafailover/election/heartbeat.h"

struct election;
struct vrrp_election;

struct standing {
	enum role role;
	enum cause cause; /* of the role */
	int64_t since_ns;
	uint64_t term; /* 0: the protocol has none */
	uint16_t priority; /* the effective one */
	bool standby;
	bool peer_reachable; /* heard lately */
	unsigned alarms; /* enum election_alarm */
	int64_t dual_ns; /* so long both were Active, all in all */
};

/* `vrrp` NULL: the native one decides. */
struct standing
standing_of(const struct election *, const struct vrrp_election *vrrp, int64_t now_ns);

#endif
