/*
 * vip.c - one entry for each configured address; what the kernel has of them comes from link_table.
 *
 * Requests are idempotent: RTM_NEWADDR with NLM_F_REPLACE adds, renews, and adopts.  When an
 * address is deleted, the report tells; whether by others or by time, vip_rule_lapsed decides.
 */
#include "hafailover/vip.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "hafailover/netlink.h"
#include "hafailover/vip_rule.h"

#ifndef IFA_F_NOPREFIXROUTE
#error "headers of Linux 3.14 or newer are needed"
#endif

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
	int64_t patience_ns;
	ev_timer renewal;
	int64_t due_ns;
	bool claimed;
	bool suspended; /* stalled: the owner has to decide */
	struct vip_restores restores;
	struct vip_counters counters;
};

static struct err *
vip_err(const struct vip *v, const char *what, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	struct err why = *err;

	address_format_host(&v->config.address, text);
	err_set(err, why.code, "cannot %s %s: %.300s", what, text, why.text);
	return err;
}

static void
resolve(struct vip_table *t, struct vip *v)
{
	const struct link *l = v->config.interface[0] ? link_named(t->links, v->config.interface)
						      : link_holding(t->links, &v->config.address);

	v->link = l ? l->index : 0;
}

/* Where it is in the kernel's table, if it is where it belongs. */
static const struct link_address *
find_present(const struct vip_table *t, const struct vip *v)
{
	const struct link_address *a;
	size_t i;

	for (i = 0; v->link && (a = link_address_next(t->links, i)); i++)
		if (vip_rule_is(a, &v->config, v->link))
			return a;
	return NULL;
}

static void
look(struct vip_table *t, struct vip *v)
{
	const struct link_address *a;

	resolve(t, v);
	a = find_present(t, v);
	v->present = a != NULL;
	v->ends_ns = a ? a->ends_ns : 0;
}

static int
put_address(struct nl_msg *m, int attribute, const struct address *a)
{
	if (a->sa.sa_family == AF_INET)
		return nla_put(m, attribute, 4, &a->in.sin_addr);
	return nla_put(m, attribute, 16, &a->in6.sin6_addr);
}

/* Deleting needs no more than this. */
static struct nl_msg *
message_new(int type, int flags, const struct address *a, uint8_t prefix, int link)
{
	struct ifaddrmsg head = {
		.ifa_family = (uint8_t)a->sa.sa_family,
		.ifa_prefixlen = prefix,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (unsigned)link,
	};
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);

	if (m && nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) == 0 &&
	    put_address(m, IFA_LOCAL, a) == 0 && put_address(m, IFA_ADDRESS, a) == 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

/* No source of anything (preferred for 0 s), no duplicate address detection, no route. */
static struct nl_msg *
message_claim(const struct vip_table *t, const struct vip *v)
{
	const struct address *a = &v->config.address;
	struct ifa_cacheinfo times = { .ifa_valid = t->lease_s ? t->lease_s : UINT32_MAX };
	uint32_t flags = (a->sa.sa_family == AF_INET6 ? IFA_F_NODAD : 0) |
	    (v->config.prefix ? 0 : IFA_F_NOPREFIXROUTE);
	struct nl_msg *m = message_new(
	    RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, a, vip_rule_prefix(&v->config), v->link);

	if (m && nla_put(m, IFA_CACHEINFO, sizeof(times), &times) == 0 &&
	    nla_put_u32(m, IFA_FLAGS, flags) == 0 && nla_put_u8(m, IFA_PROTO, VIP_MARK) == 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

static int
ask(struct nl_sock *s, struct nl_msg **mp, struct err *err)
{
	if (!*mp)
		return err_set(err, -ENOMEM, "out of memory");
	return netlink_request(s, mp, err);
}

/* Adds or renews.  The lease is counted from before the request: never longer than the kernel's. */
static int
put(struct vip_table *t, struct vip *v, struct err *err)
{
	int64_t now = clock_ns();
	struct nl_msg *m;
	int status;

	if (!v->link || !link_at(t->links, v->link))
		resolve(t, v);
	if (!v->link)
		return err_set(err, -ENODEV,
		    v->config.interface[0] ? "there is no interface %s"
					   : "no interface is on its subnet%s",
		    v->config.interface);
	m = message_claim(t, v);
	status = ask(t->ask, &m, err);
	if (status)
		return status;
	if (v->present)
		t->counters.refreshed++;
	else
		t->counters.added++;
	v->present = true;
	v->renewed_ns = now;
	v->ends_ns = t->lease_s ? now + t->lease_s * NS_PER_S : INT64_MAX;
	return 0;
}

static int
delete_address(
    struct nl_sock *s, const struct address *a, uint8_t prefix, int link, struct err *err)
{
	struct nl_msg *m = message_new(RTM_DELADDR, 0, a, prefix, link);
	int status = ask(s, &m, err);

	/* Gone already, or with its interface. */
	return status == -EADDRNOTAVAIL || status == -ENODEV ? 0 : status;
}

static int
take_away(struct vip_table *t, struct vip *v, struct err *err)
{
	int status;

	if (!v->present)
		return 0;
	status =
	    delete_address(t->ask, &v->config.address, vip_rule_prefix(&v->config), v->link, err);
	if (status)
		return status;
	v->present = false;
	t->counters.released++;
	return 0;
}

/* Reports a failure when it begins, and its end by the next event of that kind. */
static bool
put_told(struct vip_table *t, struct vip *v)
{
	struct err err;

	if (put(t, v, &err) == 0) {
		v->failing = false;
		return true;
	}
	t->counters.failed++;
	if (!v->failing) {
		v->failing = true;
		t->events.failed(t->events.owner, (size_t)(v - t->vips), vip_err(v, "hold", &err));
	}
	return false;
}

static void
renewal_start(struct vip_table *t)
{
	double interval = (double)vip_rule_renewal_ns(t->lease_s) / (double)NS_PER_S;

	t->due_ns = clock_ns() + vip_rule_renewal_ns(t->lease_s);
	ev_now_update(t->loop);
	ev_timer_stop(t->loop, &t->renewal);
	ev_timer_set(&t->renewal, interval, 0);
	ev_timer_start(t->loop, &t->renewal);
}

static void
stall(struct vip_table *t, int64_t late_ns)
{
	t->suspended = true;
	t->counters.stalled++;
	ev_timer_stop(t->loop, &t->renewal);
	t->events.stalled(t->events.owner, late_ns);
}

static void
restore(struct vip_table *t, struct vip *v)
{
	if (!put_told(t, v))
		return;
	t->counters.restored++;
	t->events.restored(t->events.owner, (size_t)(v - t->vips));
}

/* The owner may give everything up, or change it, whenever it is told something. */
static void
renew_all(struct vip_table *t)
{
	size_t i;

	for (i = 0; i < t->n && t->claimed && !t->suspended; i++) {
		if (t->vips[i].present && t->lease_s == VIP_LEASE_OFF)
			continue;
		if (t->vips[i].present)
			put_told(t, &t->vips[i]);
		else
			restore(t, &t->vips[i]);
	}
}

static void
on_renewal(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vip_table *t = w->data;
	int64_t late = clock_ns() - t->due_ns;

	(void)revents;
	CHECK(t->loop == loop && t->claimed && !t->suspended);
	if (late > t->counters.latest_ns)
		t->counters.latest_ns = late;
	if (t->lease_s != VIP_LEASE_OFF && late > t->patience_ns) {
		stall(t, late);
		return;
	}
	renewal_start(t); /* first: what follows may stop it */
	renew_all(t);
}

static void
deleted(struct vip_table *t, struct vip *v)
{
	int64_t now = clock_ns();

	v->present = false;
	if (!t->claimed || t->suspended)
		return;
	if (vip_rule_lapsed(t->lease_s, v->renewed_ns, now))
		stall(t, now - v->renewed_ns - vip_rule_renewal_ns(t->lease_s));
	else if (vip_rule_restore(&t->restores, now))
		restore(t, v);
}

static void
on_address(void *owner, const struct link_address *a, bool present)
{
	struct vip_table *t = owner;
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct vip *v = &t->vips[i];

		if (!v->link)
			resolve(t, v); /* its subnet may just have come */
		if (!v->link || !vip_rule_is(a, &v->config, v->link))
			continue;
		if (!present) {
			deleted(t, v);
			return;
		}
		v->present = true;
		v->ends_ns = a->ends_ns;
		return;
	}
}

/* Interfaces come and go under the addresses; deletions are reported by themselves. */
static void
on_link(void *owner, const struct link *l, unsigned changes)
{
	struct vip_table *t = owner;
	size_t i;

	for (i = 0; i < t->n && changes & (LINK_ADDED | LINK_REMOVED | LINK_RENAMED); i++)
		if (!t->vips[i].link || t->vips[i].link == l->index)
			look(t, &t->vips[i]);
}

struct vip_table *
vip_open(struct ev_loop *loop, struct link_table *links, const struct vip_events *events,
    struct err *err)
{
	struct vip_table *t = calloc(1, sizeof(*t));

	if (!t) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	t->ask = netlink_open(err);
	if (!t->ask) {
		free(t);
		return NULL;
	}
	t->loop = loop;
	t->links = links;
	t->events = *events;
	t->watch.changed = on_link;
	t->watch.address = on_address;
	t->watch.owner = t;
	ev_timer_init(&t->renewal, on_renewal, 0, 0);
	ev_set_priority(&t->renewal, EV_MAXPRI);
	t->renewal.data = t;
	link_watch_add(links, &t->watch);
	return t;
}

void
vip_close(struct vip_table **tp)
{
	struct vip_table *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	ev_timer_stop(t->loop, &t->renewal);
	link_watch_remove(t->links, &t->watch);
	netlink_close(&t->ask);
	free(t->vips);
	free(t);
}

static bool
config_same(const struct vip_config *a, const struct vip_config *b)
{
	return address_equal(&a->address, &b->address) &&
	    vip_rule_prefix(a) == vip_rule_prefix(b) && strcmp(a->interface, b->interface) == 0;
}

/* What was known of addresses that stay. */
static void
carry_over(struct vip *new, size_t n, const struct vip *old, size_t n_old)
{
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < n_old; k++)
			if (config_same(&new[i].config, &old[k].config))
				new[i] = old[k];
}

/* Not left to remove_stale, which needs marks. */
static int
release_unnamed(struct vip_table *t, const struct vip *new, size_t n, struct err *err)
{
	size_t i, k;
	int status = 0;

	for (i = 0; i < t->n && status == 0; i++) {
		for (k = 0; k < n && !config_same(&t->vips[i].config, &new[k].config); k++)
			;
		if (k == n && t->claimed)
			status = take_away(t, &t->vips[i], err);
	}
	return status;
}

/* Is it one of the configured ones, at its place? */
static bool
is_named(const struct vip_table *t, const struct link_address *a)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->vips[i].link && vip_rule_is(a, &t->vips[i].config, t->vips[i].link))
			return true;
	return false;
}

static void
log_address(const char *event, const struct vip_table *t, const struct link_address *a)
{
	const struct link *l = link_at(t->links, a->link);
	char text[ADDRESS_TEXT_MAX];

	address_format_host(&a->address, text);
	log_event(LOG_WARNING, event, "address=%s/%u interface=%s", text, (unsigned)a->prefix,
	    l ? l->name : "-");
}

/* Left over from another configuration, ours or a predecessor's. */
static int
remove_stale(struct vip_table *t, struct err *err)
{
	const struct link_address *a;
	struct link_address gone;
	size_t i;
	int status;

	for (i = 0; (a = link_address_next(t->links, i)); i++) {
		if (a->mark != VIP_MARK || is_named(t, a))
			continue;
		gone = *a;
		status = delete_address(t->ask, &gone.address, gone.prefix, gone.link, err);
		if (status)
			return status;
		log_address("vip_stale_removed", t, &gone);
	}
	link_drain(t->links); /* our own deletions are no news */
	return 0;
}

/* Somebody configured a virtual address for good: this node has it whether it is Active or not. */
static void
warn_foreign(const struct vip_table *t)
{
	const struct link_address *a;
	size_t i;

	for (i = 0; (a = link_address_next(t->links, i)); i++)
		if (a->mark != VIP_MARK && a->ends_ns == INT64_MAX && is_named(t, a))
			log_address("vip_foreign", t, a);
}

static struct vip *
vips_new(const struct vip_config *configs, size_t n)
{
	struct vip *vips = calloc(n ? n : 1, sizeof(*vips));
	size_t i;

	for (i = 0; vips && i < n; i++) {
		vips[i].config = configs[i];
		/* Ports and scopes are no part of it. */
		if (configs[i].address.sa.sa_family == AF_INET) {
			vips[i].config.address.in.sin_port = 0;
		} else {
			vips[i].config.address.in6.sin6_port = 0;
			vips[i].config.address.in6.sin6_scope_id = 0;
		}
	}
	return vips;
}

static int
claim_missing(struct vip_table *t, struct err *err)
{
	struct err why;
	size_t i;
	int status = 0;

	for (i = 0; i < t->n; i++) {
		struct vip *v = &t->vips[i];

		if (v->present && v->renewed_ns)
			continue;
		if (put(t, v, &why) < 0 && status == 0) {
			*err = *vip_err(v, "claim", &why);
			status = err->code;
		}
	}
	return status;
}

int
vip_configure(struct vip_table *t, const struct vip_config *configs, size_t n, uint32_t lease_s,
    int64_t patience_ns, struct err *err)
{
	bool other_lease = lease_s != t->lease_s;
	struct vip *vips;
	size_t i;
	int status;

	if (n > VIP_MAX)
		return err_set(err, -EINVAL, "more than %d virtual addresses", (int)VIP_MAX);
	vips = vips_new(configs, n);
	if (!vips)
		return err_set(err, -ENOMEM, "out of memory");
	carry_over(vips, n, t->vips, t->n);
	status = release_unnamed(t, vips, n, err);
	if (status) {
		free(vips);
		return status;
	}
	free(t->vips);
	t->vips = vips;
	t->n = n;
	t->lease_s = lease_s;
	t->patience_ns = patience_ns;
	for (i = 0; i < n; i++) {
		look(t, &vips[i]);
		if (other_lease)
			vips[i].renewed_ns = 0;
	}
	status = remove_stale(t, err);
	warn_foreign(t);
	if (status || !t->claimed || t->suspended)
		return status;
	renewal_start(t);
	return claim_missing(t, err);
}

int
vip_claim(struct vip_table *t, struct err *err)
{
	struct err why;
	size_t i;
	int status = 0;

	t->claimed = true;
	t->suspended = false;
	for (i = 0; i < t->n; i++) {
		struct vip *v = &t->vips[i];

		v->failing = put(t, v, &why) < 0;
		if (v->failing && status == 0) {
			*err = *vip_err(v, "claim", &why);
			status = err->code;
		}
	}
	renewal_start(t);
	return status;
}

int
vip_release(struct vip_table *t, struct err *err)
{
	struct err why;
	size_t i;
	int status = 0;

	t->claimed = t->suspended = false;
	ev_timer_stop(t->loop, &t->renewal);
	for (i = 0; i < t->n; i++)
		if (take_away(t, &t->vips[i], &why) < 0 && status == 0) {
			*err = *vip_err(&t->vips[i], "release", &why);
			status = err->code;
		}
	link_drain(t->links);
	return status;
}

size_t
vip_count(const struct vip_table *t)
{
	return t->n;
}

bool
vip_claimed(const struct vip_table *t)
{
	return t->claimed;
}

bool
vip_present(const struct vip_table *t, size_t i)
{
	CHECK(i < t->n);
	return t->vips[i].present;
}

size_t
vip_present_count(const struct vip_table *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++)
		n += t->vips[i].present;
	return n;
}

int64_t
vip_lease_end_ns(const struct vip_table *t)
{
	int64_t first = INT64_MAX;
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->vips[i].present && t->vips[i].ends_ns < first)
			first = t->vips[i].ends_ns;
	return first;
}

const struct vip_config *
vip_at(const struct vip_table *t, size_t i)
{
	CHECK(i < t->n);
	return &t->vips[i].config;
}

const struct link *
vip_interface(const struct vip_table *t, size_t i)
{
	CHECK(i < t->n);
	return t->vips[i].link ? link_at(t->links, t->vips[i].link) : NULL;
}

struct vip_counters
vip_counters(const struct vip_table *t)
{
	return t->counters;
}

static int
release_ours(
    const struct link_table *links, const struct vip_config *known, size_t n, struct err *err)
{
	const struct link_address *a;
	struct nl_sock *s = netlink_open(err);
	int done = 0, status = s ? 0 : err->code;
	size_t i;

	for (i = 0; status == 0 && (a = link_address_next(links, i)); i++) {
		if (!vip_rule_ours(a, link_marks_known(links), known, n))
			continue;
		status = delete_address(s, &a->address, a->prefix, a->link, err);
		done += status == 0;
	}
	netlink_close(&s);
	return status ? status : done;
}

int
vip_release_all(const struct vip_config *known, size_t n, struct err *err)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO); /* never runs: the table is read at once */
	struct link_table *links;
	int status;

	if (!loop)
		return err_set(err, -ENOMEM, "out of memory");
	links = link_open(loop, err);
	status = links ? release_ours(links, known, n, err) : err->code;
	link_close(&links);
	ev_loop_destroy(loop);
	return status;
}
