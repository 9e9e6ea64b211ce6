/* standing.c - of the machine that decides: there is one of them. */
#include "hafailover/election/standing.h"

#include "hafailover/election/vrrp_election.h"

struct standing
standing_of(const struct election *e, const struct vrrp_election *vrrp, int64_t now)
{
	int64_t dual = e->dual_since_ns && e->dual_certain ? now - e->dual_since_ns : 0;

	if (vrrp)
		return vrrp_election_standing(vrrp, now);
	return (struct standing){
		.role = e->role,
		.cause = e->cause,
		.since_ns = e->since_ns,
		.term = e->term,
		.priority = e->track.priority,
		.standby = e->standby,
		.peer_reachable = election_peer_reachable(e, now),
		.alarms = e->alarms,
		.dual_ns = e->dual_total_ns + dual,
	};
}
