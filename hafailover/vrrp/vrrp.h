/*
 * vrrp.h - sends and hears the advertisements of one virtual router, on a raw socket.
 *
 * Unicast: from this node's address to the peer's, whatever the way.  Multicast: on the interface that
 * has this node's address; IPv6 from its link-local one.  An interface that is not there yet, or is
 * replaced, is waited for.  What may be believed is decided by vrrp_wire.h; who is Active by
 * vrrp_election.h.  On the loop's thread.
 */
#ifndef HAFAILOVER_VRRP_VRRP_H
#define HAFAILOVER_VRRP_VRRP_H

#include <ev.h>

#include "hafailover/election/vrrp_election.h"
#include "hafailover/link/link.h"
#include "hafailover/vrrp/vrrp_wire.h"

struct vrrp_options {
	struct vrrp_router router; /* `peer` is filled in */
	struct address own, peer; /* ports do not matter */
};

struct vrrp_events {
	void (*heard)(void *owner, const struct vrrp_heard *);
	void *owner;
};

struct vrrp;

/* NULL: see err. */
struct vrrp *vrrp_open(struct ev_loop *, struct link_table *, const struct vrrp_options *,
    const struct vrrp_events *, struct err *);
void vrrp_close(struct vrrp **);

/* From now on this.  The socket stays if it can.  On failure nothing changes. */
int vrrp_configure(struct vrrp *, const struct vrrp_options *, struct err *);

void vrrp_send(struct vrrp *, uint8_t priority);

struct vrrp_counters {
	uint64_t sent[VRRP_RESULTS], received[VRRP_RESULTS];
};
const struct vrrp_counters *vrrp_count(const struct vrrp *);

/* The router that was heard last; false: none was. */
bool vrrp_last_sender(const struct vrrp *, struct address *);

/* The last thing that the peer sent, or what should come from it, and that was refused. */
struct vrrp_trouble {
	enum vrrp_result result; /* VRRP_OK: nothing, or something good came since */
	struct address from;
	int64_t at_ns;
};
struct vrrp_trouble vrrp_trouble(const struct vrrp *);

#endif
