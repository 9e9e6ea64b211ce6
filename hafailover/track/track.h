/*
 * track.h - may this node serve?  lbd, carrier, gateways and scripts, as one report.
 *
 * Interfaces of virtual addresses are tracked without being named.  One gateway that answers is
 * enough.  On the loop's thread.
 */
#ifndef HAFAILOVER_TRACK_TRACK_H
#define HAFAILOVER_TRACK_TRACK_H

#include "hafailover/config/config.h"
#include "hafailover/election/heartbeat.h"
#include "hafailover/link/neighbour.h"
#include "hafailover/track/track_lbd.h"
#include "hafailover/vip/vip.h"

struct track_report {
	bool eligible;
	enum cause why; /* if not; the first of: link, lbd, gateways, scripts */
	bool isolated; /* no carrier for the clients, or no gateway answers */
	bool settled; /* each part has had its first verdict */
	int64_t network_ns; /* a gateway has answered what was asked then; 0: none is configured */
	const struct track_lbd_state *lbd; /* borrowed */
	char text[256]; /* if not eligible: why, in words */
};

struct track;

struct track_parts {
	struct ev_loop *loop;
	struct link_table *links;
	struct neighbour_table *neighbours;
	struct vip_table *vips;
	void (*changed)(void *owner); /* the report may have changed; from the loop */
	void *owner;
};

/* NULL: see err.  `parts` is copied. */
struct track *track_start(const struct track_parts *, const struct ha_track_config *, struct err *);
void track_stop(struct track **);

/* From now on this; what is the same goes on undisturbed.  On failure nothing changes. */
int track_configure(struct track *, const struct ha_track_config *, struct err *);

/* See track_lbd.h. */
void track_yield(struct track *, int64_t idle_ns, int64_t for_ns);

struct track_report track_report(const struct track *);

/* Asks the gateways now. */
void track_ask(struct track *);

#endif
