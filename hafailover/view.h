/*
 * view.h - what node.c knows, for those who show it: status and metrics.  Borrowed until the loop
 * goes on.
 */
#ifndef HAFAILOVER_VIEW_H
#define HAFAILOVER_VIEW_H

#include "hafailover/announce.h"
#include "hafailover/config.h"
#include "hafailover/delay.h"
#include "hafailover/election.h"
#include "hafailover/history.h"
#include "hafailover/hook.h"
#include "hafailover/peer_link.h"
#include "hafailover/steering/steering.h"
#include "hafailover/track.h"
#include "hafailover/vrrp.h"
#include "hafailover/witness_link.h"

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
