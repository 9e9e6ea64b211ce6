/* vip_request.c - RTM_NEWADDR and RTM_DELADDR; libnl-route knows no IFA_PROTO yet. */
#include "hafailover/vip/vip_request.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "hafailover/link/netlink.h"
#include "hafailover/vip/vip.h"

static int
put_address(struct nl_msg *m, int attribute, const struct address *a)
{
	if (a->sa.sa_family == AF_INET)
		return nla_put(m, attribute, 4, &a->in.sin_addr);
	return nla_put(m, attribute, 16, &a->in6.sin6_addr);
}

/* NULL: out of memory. */
static struct nl_msg *
message_new(int type, int flags, const struct vip_request *r)
{
	struct ifaddrmsg head = {
		.ifa_family = (uint8_t)r->address->sa.sa_family,
		.ifa_prefixlen = r->prefix,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (unsigned)r->link,
	};
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);

	if (m && nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) == 0 &&
	    put_address(m, IFA_LOCAL, r->address) == 0 &&
	    put_address(m, IFA_ADDRESS, r->address) == 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

static bool
is_host(const struct vip_request *r)
{
	return r->prefix == (r->address->sa.sa_family == AF_INET ? 32 : 128);
}

/*
 * Preferred for 0 s: the source of nothing.  No duplicate address detection.  No route of its own,
 * unless it brings a subnet.
 */
static struct nl_msg *
message_put(const struct vip_request *r, uint32_t lease_s)
{
	struct ifa_cacheinfo times = { .ifa_valid = lease_s ? lease_s : UINT32_MAX };
	uint32_t flags = (r->address->sa.sa_family == AF_INET6 ? IFA_F_NODAD : 0) |
	    (is_host(r) ? IFA_F_NOPREFIXROUTE : 0);
	struct nl_msg *m = message_new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, r);

	if (m && nla_put(m, IFA_CACHEINFO, sizeof(times), &times) == 0 &&
	    nla_put_u32(m, IFA_FLAGS, flags) == 0 && nla_put_u8(m, IFA_PROTO, VIP_MARK) == 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

static int
ask(struct nl_sock *s, struct nl_msg *m, struct err *err)
{
	if (!m)
		return err_set(err, -ENOMEM, "out of memory");
	return netlink_request(s, &m, err);
}

int
vip_request_put(struct nl_sock *s, const struct vip_request *r, uint32_t lease_s, struct err *err)
{
	return ask(s, message_put(r, lease_s), err);
}

int
vip_request_delete(struct nl_sock *s, const struct vip_request *r, struct err *err)
{
	int status = ask(s, message_new(RTM_DELADDR, 0, r), err);

	/* Gone already, or with its interface. */
	return status == -EADDRNOTAVAIL || status == -ENODEV ? 0 : status;
}

/* On no interface at all: who may ask is told that there is none. */
int
vip_request_check(struct nl_sock *s, struct err *err)
{
	const struct address nothing = { .in = { .sin_family = AF_INET } };
	const struct vip_request r = { .address = &nothing, .prefix = 32 };
	int status = vip_request_delete(s, &r, err);

	if (status == -EPERM)
		err_set(err, status,
		    "CAP_NET_ADMIN is missing: without it no address can be taken or released");
	return status;
}
