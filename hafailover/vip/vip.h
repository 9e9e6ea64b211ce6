/*
 * vip.h - virtual addresses as leases that the kernel enforces.
 *
 * A claimed address is added with a valid lifetime, by default of one second, and refreshed every
 * third of it by a timer of the highest priority.  If this process dies or stops, the kernel takes
 * the address away.  Addresses carry our mark (IFA_PROTO, Linux 5.18), by which a later process
 * knows them; on older kernels they are known by the configuration and by having a lease.
 *
 * Claiming an address that is there already only renews its lease: a restarted daemon adopts what
 * its predecessor held, and nobody on the network notices.  What others delete (networkd, a DHCP
 * client, `ip addr flush`) is put back at once.  What the kernel deleted because its lease ran out
 * is not: we were asleep, and somebody else may hold it by now.  `stalled` asks the owner then.
 *
 * Every request to the kernel is answered within the call; nothing waits.  On the loop's thread.
 */
#ifndef HAFAILOVER_VIP_VIP_H
#define HAFAILOVER_VIP_VIP_H

#include "common/clock.h"
#include "hafailover/link/link.h"

enum {
	VIP_MAX = 256, /* each renewal of an IPv6 lease makes the kernel look at all of them */
	VIP_MARK = 108, /* our IFA_PROTO */
	VIP_LEASE_OFF = 0,
};

struct vip_config {
	struct address address; /* the port is ignored */
	uint8_t prefix; /* 0: host address, /32 or /128 */
	char interface[IF_NAMESIZE]; /* "": the one on whose subnet it is */
};

struct vip_events {
	/*
	 * It had been missing and is back: announce it again.  Also from within a repeated
	 * vip_claim.
	 */
	void (*restored)(void *owner, size_t vip);
	/* It could not be renewed or put back; tried again each time.  Said once until it works. */
	void (*failed)(void *owner, size_t vip, const struct err *);
	/*
	 * A renewal came so late that this process must have stood still, or leases ran out.
	 * Nothing is renewed or put back until the owner calls vip_claim or vip_release.
	 */
	void (*stalled)(void *owner, int64_t late_ns);
	void *owner;
};

struct vip_table;

/* `events` is copied; each function must be there.  NULL: see err. */
struct vip_table *
vip_open(struct ev_loop *, struct link_table *, const struct vip_events *, struct err *);

/* Claimed addresses stay where they are until their leases end: call vip_release first, or not. */
void vip_close(struct vip_table **);

/*
 * From now on these are the addresses, numbered as here.  What is the same as before is not
 * touched, held ones that are no longer named are released, new ones claimed if the others are.
 * Addresses with our mark that are not named are removed: they are left over from another
 * configuration.
 *
 * `lease_s`: whole seconds, VIP_LEASE_OFF for addresses that stay until they are released.
 * `patience_ns`: how late a refresh may come before `stalled` is called; the dead interval fits. 0,
 * or -errno with the first reason, as a capability that is missing.  An address whose interface is not
 * there yet is no error.
 */
int vip_configure(struct vip_table *, const struct vip_config *, size_t n, uint32_t lease_s,
    int64_t patience_ns, struct err *);

/* Takes or renews all of them.  0 if all are held, else the first error with a reason. */
int vip_claim(struct vip_table *, struct err *);

/*
 * From now on no lease is renewed, and nothing put back, that would end after this moment; what
 * vip_claim is told to do it does.  INT64_MAX, as at the start: no such limit.
 */
void vip_limit(struct vip_table *, int64_t until_ns);

/* Gives all of them up.  0 if none is left, else the first error with a reason. */
int vip_release(struct vip_table *, struct err *);

size_t vip_count(const struct vip_table *);
bool vip_claimed(const struct vip_table *); /* vip_claim was called, vip_release was not */
bool vip_present(const struct vip_table *, size_t i); /* the kernel has it on its interface now */
/* It is present and ours to announce: claimed, no stall is undecided, and its lease runs by our own clock. */
bool vip_held(const struct vip_table *, size_t i);
/* A predecessor's or our own addresses that the kernel has now: what a new process may adopt. */
size_t vip_present_count(const struct vip_table *);
/* When, at the earliest, the first of those that are present is gone; INT64_MAX: none will be. */
int64_t vip_lease_end_ns(const struct vip_table *);
const struct vip_config *vip_at(const struct vip_table *, size_t i);
/* Where it is or would be.  NULL: no interface is there for it (yet). */
const struct link *vip_interface(const struct vip_table *, size_t i);

struct vip_counters {
	uint64_t added, refreshed, restored, released, failed, stalled;
	int64_t latest_ns; /* the greatest delay of a refresh */
};
struct vip_counters vip_counters(const struct vip_table *);

/*
 * For `hafailover --release`, without a loop: deletes every address with our mark, and, where the
 * kernel knows no marks, those of `known` that have a lease.  The number deleted, or -errno.
 */
int vip_release_all(const struct vip_config *known, size_t n, struct err *);

#endif
