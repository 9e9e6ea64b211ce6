/*
 * vip_private.h - what the vip*.c files share.  For nobody else.
 *
 * vip.c            claims, renews, puts back, releases
 * vip_configure.c  another configuration; what is left over from earlier ones
 */
#ifndef HAFAILOVER_VIP_VIP_PRIVATE_H
#define HAFAILOVER_VIP_VIP_PRIVATE_H

#include "hafailover/link/netlink.h"
#include "hafailover/vip/vip.h"
#include "hafailover/vip/vip_rule.h"

struct vip {
	struct vip_config config;
	int link; /* index of the interface where it belongs; 0: there is none */
	bool present, failing;
	int64_t renewed_ns; /* by us; 0: never */
	int64_t ends_ns; /* as the kernel reported it */
};

struct vip_table {
	struct ev_loop *loop;
	struct link_table *links;
	struct nl_sock *ask;
	struct link_watch watch;
	struct vip_events events;
	struct vip *vips;
	size_t n;
	uint32_t lease_s;
	int64_t limit_ns; /* no lease may end later */
	int64_t patience_ns;
	ev_timer renewal;
	int64_t due_ns;
	bool claimed;
	bool suspended; /* stalled: the owner has to decide */
	bool unmarked; /* said that this kernel has no marks */
	struct vip_restores restores;
	struct vip_counters counters;
};

/* vip.c */

/* Says of which address, and what could not be done with it. */
struct err *vip_err(const struct vip *, const char *what, struct err *);
/* Where it belongs, and whether the kernel has it there. */
void vip_look(struct vip_table *, struct vip *);
/* Adds or renews. */
int vip_put(struct vip_table *, struct vip *, struct err *);
int vip_take_away(struct vip_table *, struct vip *, struct err *);
void vip_renewal_start(struct vip_table *);

#endif
