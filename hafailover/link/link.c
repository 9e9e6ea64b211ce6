/*
 * link.c - two flat tables, of interfaces and of addresses.  A host has dozens of either, so that
 * looking through them is cheaper than anything cleverer.
 *
 * After lost reports a dump marks what it sees, and what it did not see is gone.
 */
#include "hafailover/link/link.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "hafailover/link/netlink.h"

struct link_entry {
	struct link link;
	bool seen; /* by the dump under way */
};

struct address_entry {
	struct link_address address;
	bool seen;
};

struct link_table {
	struct ev_loop *loop;
	struct nl_sock *hear, *ask;
	ev_io readable;
	struct link_entry *links;
	struct address_entry *addresses;
	size_t n_links, n_addresses;
	struct link_watch *watches, *cursor; /* the one after the one that is being told */
	bool marks; /* this kernel has reported a mark */
};

/*
 * Room for one more than `n` of `size` bytes.  The capacity is never less than the next power of
 * two, so that only a full one has to grow.  NULL: out of memory, and nothing has changed.
 */
static void *
table_grow(void *p, size_t n, size_t size)
{
	bool full = n != 1 && (n & (n - 1)) == 0;

	return full ? realloc(p, (n ? n * 2 : 2) * size) : p;
}

static void
tell_link(struct link_table *t, const struct link *l, unsigned changes)
{
	struct link copy = *l; /* the table may move under the hands of who is told */
	struct link_watch *w;

	for (w = t->watches; w; w = t->cursor) {
		t->cursor = w->next;
		if (w->changed)
			w->changed(w->owner, &copy, changes);
	}
}

static void
tell_address(struct link_table *t, const struct link_address *a, bool present)
{
	struct link_address copy = *a;
	struct link_watch *w;

	for (w = t->watches; w; w = t->cursor) {
		t->cursor = w->next;
		if (w->address)
			w->address(w->owner, &copy, present);
	}
}

static struct link_entry *
link_entry(const struct link_table *t, int index)
{
	size_t i;

	for (i = 0; i < t->n_links; i++)
		if (t->links[i].link.index == index)
			return &t->links[i];
	return NULL;
}

static struct address_entry *
address_entry(const struct link_table *t, const struct link_address *a)
{
	size_t i;

	for (i = 0; i < t->n_addresses; i++) {
		const struct link_address *b = &t->addresses[i].address;

		if (a->link == b->link && a->prefix == b->prefix &&
		    address_equal(&a->address, &b->address))
			return &t->addresses[i];
	}
	return NULL;
}

/* Of ARP and NDP there is none on loopback, tunnels, and whatever says so. */
static bool
link_is_ethernet(const struct ifinfomsg *m, struct nlattr *mac)
{
	return m->ifi_type == ARPHRD_ETHER && !(m->ifi_flags & IFF_NOARP) && mac &&
	    nla_len(mac) == LINK_MAC;
}

static bool
link_parse(struct nlmsghdr *h, struct link *l)
{
	const unsigned carrier = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;
	const struct ifinfomsg *m = nlmsg_data(h);
	struct nlattr *name, *mac;

	/* Bridges report their ports as links of family AF_BRIDGE: those are not interfaces. */
	if (!nlmsg_valid_hdr(h, sizeof(*m)) || m->ifi_family != AF_UNSPEC)
		return false;
	name = nlmsg_find_attr(h, sizeof(*m), IFLA_IFNAME);
	mac = nlmsg_find_attr(h, sizeof(*m), IFLA_ADDRESS);
	*l = (struct link){
		.index = m->ifi_index,
		.ethernet = link_is_ethernet(m, mac),
		.loopback = (m->ifi_flags & IFF_LOOPBACK) != 0,
		.up = (m->ifi_flags & IFF_UP) != 0,
		.carrier = (m->ifi_flags & carrier) == carrier,
	};
	if (l->ethernet)
		memcpy(l->mac, nla_data(mac), LINK_MAC);
	if (name)
		nla_strlcpy(l->name, name, sizeof(l->name));
	return true;
}

static unsigned
link_compare(const struct link *a, const struct link *b)
{
	return (a->carrier != b->carrier ? LINK_CARRIER : 0) |
	    (a->ethernet != b->ethernet || memcmp(a->mac, b->mac, LINK_MAC) != 0 ? LINK_NEW_MAC
										 : 0) |
	    (strcmp(a->name, b->name) != 0 ? LINK_RENAMED : 0);
}

static void
link_update(struct link_table *t, const struct link *l)
{
	struct link_entry *e = link_entry(t, l->index), *larger;
	unsigned changes;

	if (e) {
		changes = link_compare(&e->link, l);
		*e = (struct link_entry){ *l, true };
		if (changes)
			tell_link(t, l, changes);
		return;
	}
	larger = table_grow(t->links, t->n_links, sizeof(*t->links));
	if (!larger)
		return; /* it does not exist for us */
	t->links = larger;
	t->links[t->n_links++] = (struct link_entry){ *l, true };
	tell_link(t, l, LINK_ADDED);
}

static void
link_remove(struct link_table *t, int index)
{
	struct link_entry *e = link_entry(t, index);
	struct link gone;

	if (!e)
		return;
	gone = e->link;
	*e = t->links[--t->n_links];
	tell_link(t, &gone, LINK_REMOVED);
}

static bool
address_set(struct address *a, int family, struct nlattr *bytes)
{
	*a = (struct address){ 0 };
	a->sa.sa_family = (sa_family_t)family;
	if (family == AF_INET && bytes && nla_len(bytes) == 4) {
		a->len = sizeof(a->in);
		memcpy(&a->in.sin_addr, nla_data(bytes), 4);
		return true;
	}
	if (family == AF_INET6 && bytes && nla_len(bytes) == 16) {
		a->len = sizeof(a->in6);
		memcpy(&a->in6.sin6_addr, nla_data(bytes), 16);
		return true;
	}
	return false;
}

int64_t
link_lease_end_ns(uint32_t valid_s, uint32_t renewed_cs, int64_t now_ns)
{
	int64_t from_start = renewed_cs * (NS_PER_S / 100) + valid_s * NS_PER_S;
	int64_t from_now = now_ns + (valid_s - INT64_C(1)) * NS_PER_S;

	if (valid_s == UINT32_MAX)
		return INT64_MAX;
	return from_start > from_now ? from_start : from_now;
}

static bool
address_parse_report(struct nlmsghdr *h, struct link_address *a)
{
	const struct ifaddrmsg *m = nlmsg_data(h);
	struct nlattr *at[IFA_MAX + 1];
	struct ifa_cacheinfo times;

	if (!nlmsg_valid_hdr(h, sizeof(*m)) || nlmsg_parse(h, sizeof(*m), at, IFA_MAX, NULL) < 0)
		return false;
	*a = (struct link_address){
		.link = (int)m->ifa_index,
		.prefix = m->ifa_prefixlen,
		.mark = at[IFA_PROTO] ? nla_get_u8(at[IFA_PROTO]) : 0,
		.flags = at[IFA_FLAGS] ? nla_get_u32(at[IFA_FLAGS]) : m->ifa_flags,
		.ends_ns = INT64_MAX,
	};
	if (at[IFA_CACHEINFO] && nla_len(at[IFA_CACHEINFO]) >= (int)sizeof(times)) {
		memcpy(&times, nla_data(at[IFA_CACHEINFO]), sizeof(times));
		a->ends_ns = link_lease_end_ns(times.ifa_valid, times.tstamp, clock_ns());
	}
	/* On a point-to-point link IFA_ADDRESS is the other end. */
	return address_set(
	    &a->address, m->ifa_family, at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS]);
}

static void
address_update(struct link_table *t, const struct link_address *a)
{
	struct address_entry *e = address_entry(t, a), *larger;

	t->marks |= a->mark != 0;
	if (!e) {
		larger = table_grow(t->addresses, t->n_addresses, sizeof(*t->addresses));
		if (!larger)
			return;
		t->addresses = larger;
		e = &t->addresses[t->n_addresses++];
	}
	*e = (struct address_entry){ *a, true };
	tell_address(t, a, true);
}

static void
address_remove(struct link_table *t, const struct link_address *a)
{
	struct address_entry *e = address_entry(t, a);

	if (e)
		*e = t->addresses[--t->n_addresses];
	tell_address(
	    t, a, false); /* even if it was never in the table: it may have lived shortly */
}

static void
on_report(void *owner, struct nlmsghdr *h)
{
	struct link_table *t = owner;
	struct link_address a;
	struct link l;

	if ((h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK) && link_parse(h, &l)) {
		if (h->nlmsg_type == RTM_NEWLINK)
			link_update(t, &l);
		else
			link_remove(t, l.index);
	}
	if ((h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR) &&
	    address_parse_report(h, &a)) {
		if (h->nlmsg_type == RTM_NEWADDR)
			address_update(t, &a);
		else
			address_remove(t, &a);
	}
}

/* Who is told of one removal may cause the next: look from the start each time. */
static void
forget_unseen(struct link_table *t)
{
	struct link_address gone;
	size_t i;

	for (i = 0; i < t->n_addresses;) {
		gone = t->addresses[i].address;
		if (t->addresses[i++].seen)
			continue;
		address_remove(t, &gone);
		i = 0;
	}
	for (i = 0; i < t->n_links;) {
		if (t->links[i++].seen)
			continue;
		link_remove(t, t->links[i - 1].link.index);
		i = 0;
	}
}

static int
read_all(struct link_table *t, struct err *err)
{
	size_t i;
	int status;

	for (i = 0; i < t->n_links; i++)
		t->links[i].seen = false;
	for (i = 0; i < t->n_addresses; i++)
		t->addresses[i].seen = false;
	status = netlink_dump(t->ask, RTM_GETLINK, on_report, t, err);
	if (status == 0)
		status = netlink_dump(t->ask, RTM_GETADDR, on_report, t, err);
	if (status == 0)
		forget_unseen(t);
	return status;
}

void
link_drain(struct link_table *t)
{
	struct err err;
	int status;

	status = netlink_drain(t->hear, on_report, t, &err);
	if (status == 0)
		return;
	if (status == -ENOBUFS)
		status = read_all(t, &err);
	if (status)
		log_err("links_unreadable", "reason=%s", log_quoted(str_of(err.text)).text);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct link_table *t = w->data;

	(void)revents;
	CHECK(t->loop == loop);
	link_drain(t);
}

static int
hear_start(struct link_table *t, struct err *err)
{
	int failed;

	nl_socket_disable_seq_check(t->hear);
	failed = nl_socket_add_memberships(
	    t->hear, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, 0);
	if (failed)
		return err_set(err, -EIO, "cannot watch interfaces: %s", nl_geterror(failed));
	ev_io_init(&t->readable, on_readable, nl_socket_get_fd(t->hear), EV_READ);
	t->readable.data = t;
	ev_set_priority(&t->readable, EV_MAXPRI); /* what is lost is put back before all else */
	ev_io_start(t->loop, &t->readable);
	return 0;
}

struct link_table *
link_open(struct ev_loop *loop, struct err *err)
{
	struct link_table *t = calloc(1, sizeof(*t));

	if (!t) {
		err_set(err, -ENOMEM, "cannot read the interfaces: out of memory");
		return NULL;
	}
	t->loop = loop;
	t->hear = netlink_open(err);
	t->ask = t->hear ? netlink_open(err) : NULL;
	/* Hear first, then read: nothing falls between. */
	if (!t->ask || hear_start(t, err) < 0 || read_all(t, err) < 0)
		link_close(&t);
	return t;
}

void
link_close(struct link_table **tp)
{
	struct link_table *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	CHECK(!t->watches);
	ev_io_stop(t->loop, &t->readable);
	netlink_close(&t->hear);
	netlink_close(&t->ask);
	free(t->links);
	free(t->addresses);
	free(t);
}

void
link_watch_add(struct link_table *t, struct link_watch *w)
{
	w->next = t->watches;
	t->watches = w;
}

void
link_watch_remove(struct link_table *t, struct link_watch *w)
{
	struct link_watch **p = &t->watches;

	while (*p && *p != w)
		p = &(*p)->next;
	CHECK(*p);
	*p = w->next;
	if (t->cursor == w)
		t->cursor = w->next;
}

const struct link *
link_at(const struct link_table *t, int index)
{
	const struct link_entry *e = link_entry(t, index);

	return e ? &e->link : NULL;
}

const struct link *
link_next(const struct link_table *t, size_t i)
{
	return i < t->n_links ? &t->links[i].link : NULL;
}

const struct link_address *
link_address_next(const struct link_table *t, size_t i)
{
	return i < t->n_addresses ? &t->addresses[i].address : NULL;
}

bool
link_marks_known(const struct link_table *t)
{
	return t->marks;
}
