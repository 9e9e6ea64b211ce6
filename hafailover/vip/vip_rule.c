/* vip_rule.c - the decisions of vip.c, where tests can reach them. */
#include "hafailover/vip/vip_rule.h"

static bool
same_host(const struct address *a, const struct address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
}

uint8_t
vip_rule_prefix(const struct vip_config *v)
{
	if (v->prefix)
		return v->prefix;
	return v->address.sa.sa_family == AF_INET ? 32 : 128;
}

int64_t
vip_rule_renewal_ns(uint32_t lease_s)
{
	return lease_s == VIP_LEASE_OFF ? NS_PER_S : lease_s * NS_PER_S / 3;
}

bool
vip_rule_lapsed(uint32_t lease_s, int64_t renewed_ns, int64_t now_ns)
{
	return lease_s != VIP_LEASE_OFF &&
	    now_ns - renewed_ns >= lease_s * NS_PER_S - VIP_RULE_EARLY_NS;
}

bool
vip_rule_is(const struct link_address *a, const struct vip_config *v, int link)
{
	return (!link || a->link == link) && a->prefix == vip_rule_prefix(v) &&
	    same_host(&a->address, &v->address);
}

bool
vip_rule_ours(const struct link_address *a, bool marks, const struct vip_config *known, size_t n)
{
	size_t i;

	if (marks)
		return a->mark == VIP_MARK;
	if (a->ends_ns == INT64_MAX)
		return false;
	for (i = 0; i < n; i++)
		if (vip_rule_is(a, &known[i], 0))
			return true;
	return false;
}

bool
vip_rule_restore(struct vip_restores *r, int64_t now_ns)
{
	if (now_ns - r->since_ns >= NS_PER_S)
		*r = (struct vip_restores){ now_ns, 0 };
	return ++r->n <= VIP_RULE_RESTORES;
}
