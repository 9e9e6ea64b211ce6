/*
 * vip_rule.h - what to do with a virtual address, decided from facts.  Pure: no socket, no clock.
 */
#ifndef HAFAILOVER_VIP_VIP_RULE_H
#define HAFAILOVER_VIP_VIP_RULE_H

#include "hafailover/vip/vip.h"

/* 32 or 128 for host addresses. */
uint8_t vip_rule_prefix(const struct vip_config *);

/* How often a lease is renewed; without one, how often what is missing is tried again. */
int64_t vip_rule_renewal_ns(uint32_t lease_s);

/*
 * A claimed address was deleted, its lease being last renewed at `renewed_ns`: by somebody else, or
 * because the lease ran out?  The kernel counts in ticks and may be VIP_RULE_EARLY_NS early.
 */
#define VIP_RULE_EARLY_NS (50 * NS_PER_MS)
bool vip_rule_lapsed(uint32_t lease_s, int64_t renewed_ns, int64_t now_ns);

/* Is this the address `v` on the interface where it belongs (0: any)? */
bool vip_rule_is(const struct link_address *, const struct vip_config *v, int link);

/*
 * Did a daemon of ours put it there?  `marks`: the kernel tells marks.  If it does not, an address
 * of `known` that has a lease counts.
 */
bool
vip_rule_ours(const struct link_address *, bool marks, const struct vip_config *known, size_t n);

/*
 * Put back at once, or wait for the next renewal?  Somebody who deletes an address whenever he sees
 * it gets no more than VIP_RULE_RESTORES answers a second.
 */
enum { VIP_RULE_RESTORES = 50 };
struct vip_restores {
	int64_t since_ns;
	unsigned n;
};
bool vip_rule_restore(struct vip_restores *, int64_t now_ns);

#endif
