/*
 * announce.h - tells neighbours where the virtual addresses are: gratuitous ARP, unsolicited NA.
 *
 * Frames are prepared beforehand and rebuilt when an interface or its MAC changes.  While active
 * they are sent 0, 10, 50, 200 ms, 1 s and 5 s after the start, then every 30 s.  The series starts
 * anew by itself when an interface comes up, gets another MAC or is replaced; and, at most once a
 * second, 50 ms after somebody else claimed one of the addresses, in case we are still active then.
 *
 * No more than ANNOUNCE_BATCH frames are sent in one turn of the loop, so that heartbeats and lease
 * refreshes of a node with many addresses are not held up.
 */
#ifndef HAFAILOVER_VIP_ANNOUNCE_H
#define HAFAILOVER_VIP_ANNOUNCE_H

#include "hafailover/link/neighbour.h"
#include "hafailover/vip/vip.h"

enum { ANNOUNCE_BATCH = 64 };

struct announce_conflict {
	size_t vip;
	int link;
	uint8_t mac[LINK_MAC]; /* who claims our address */
	uint32_t repeated; /* claims like it since the last report */
};

struct announcer;

/*
 * `conflict` is called while active, at most once a second for each address; it may call every
 * function here.  Each is logged too.  NULL: see err.
 */
struct announcer *
announce_new(struct ev_loop *, struct neighbour_table *, struct link_table *, struct vip_table *,
    void (*conflict)(void *owner, const struct announce_conflict *), void *owner, struct err *);
void announce_free(struct announcer **);

/* The addresses of the vip_table have changed: after each vip_configure.  0 or -ENOMEM. */
int announce_prepare(struct announcer *, struct err *);

/* Active: the first frames leave within the call.  When active already, the series starts anew. */
void announce_start(struct announcer *);

/* Only this address, for example after `restored`. */
void announce_one(struct announcer *, size_t vip);

/*
 * No longer: nothing is sent or watched.  In a planned failover it comes before the peer claims,
 * while the addresses are still held.
 */
void announce_stop(struct announcer *);
bool announce_active(const struct announcer *);

struct announce_counters {
	uint64_t frames, errors, conflicts;
};
struct announce_counters announce_counters(const struct announcer *);

/* When round `i` of a series is due after its start.  Pure. */
int64_t announce_due_ns(unsigned round);

#endif
