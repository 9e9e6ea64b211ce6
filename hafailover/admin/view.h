/*
 * view.h - what node.c knows, for those who show it: status and metrics.  Borrowed until the loop
 * goes on.
 */
#ifndef HAFAILOVER_ADMIN_VIEW_H
#define HAFAILOVER_ADMIN_VIEW_H

#include "hafailover/admin/delay.h"
#include "hafailover/config/config.h"
#include "hafailover/election/election.h"
#include "hafailover/hook/hook.h"
#include "hafailover/peer/peer_link.h"
#include "hafailover/peer/witness_link.h"
#include "hafailover/state/history.h"
#include "hafailover/steering/steering.h"
#include "hafailover/track/track.h"
#include "hafailover/vip/announce.h"
#include "hafailover/vrrp/vrrp.h"

struct ha_view {
	int64_t now_ns, now_wall_ns, started_wall_ns;
	const struct ha_config *config;
	const struct election *election;
	const struct vip_table *vips;
	const struct announcer *announcer;
	const struct peer_link *link; /* NULL with VRRP; ... */
	const struct vrrp_election *vrrp; /* ... these two NULL without */
	const struct vrrp *router;
	const struct witness_link *witness; /* NULL: there is none */
	const struct history *history;
	struct track_report track;
	struct hook_report hook;
	const char *no_steering; /* why this node cannot steer; NULL: it can */
	struct steering_counters steering;
	uint64_t steered; /* packets, in this move or the last */
	const uint64_t *transitions; /* [CAUSE_N] */
	const struct delay *delay;
	const char *vip_refused, *vip_conflict,
	    *vip_served; /* the last time, in words; "": never */
};

#endif
