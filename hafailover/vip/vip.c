/*
 * vip.c - one entry for each configured address; what the kernel has of them comes from link_table.
 *
 * Requests are idempotent: one and the same adds, renews, and adopts.  When an address is deleted,
 * the report tells; whether by others or by time, vip_rule_lapsed decides.
 */
#include "hafailover/vip/vip.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "hafailover/vip/vip_private.h"
#include "hafailover/vip/vip_request.h"

struct err *
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

void
vip_look(struct vip_table *t, struct vip *v)
{
	const struct link_address *a;

	resolve(t, v);
	a = find_present(t, v);
	v->present = a != NULL;
	v->ends_ns = a ? a->ends_ns : 0;
}

static struct vip_request
request(const struct vip *v)
{
	return (struct vip_request){ &v->config.address, vip_rule_prefix(&v->config), v->link };
}

/* The lease is counted from before the request: never longer than the kernel's. */
int
vip_put(struct vip_table *t, struct vip *v, struct err *err)
{
	int64_t now = clock_ns();
	struct vip_request r;
	int status;

	if (!v->link || !link_at(t->links, v->link))
		resolve(t, v);
	if (!v->link)
		return err_set(err, -ENODEV,
		    v->config.interface[0] ? "there is no interface %s"
					   : "no interface is on its subnet%s",
		    v->config.interface);
	r = request(v);
	status = vip_request_put(t->ask, &r, t->lease_s, err);
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

int
vip_take_away(struct vip_table *t, struct vip *v, struct err *err)
{
	struct vip_request r = request(v);
	int status;

	if (!v->present)
		return 0;
	status = vip_request_delete(t->ask, &r, err);
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

	if (vip_put(t, v, &err) == 0) {
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

void
vip_renewal_start(struct vip_table *t)
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
restored(struct vip_table *t, const struct vip *v)
{
	t->counters.restored++;
	t->events.restored(t->events.owner, (size_t)(v - t->vips));
}

static void
restore(struct vip_table *t, struct vip *v)
{
	if (put_told(t, v))
		restored(t, v);
}

static bool
is_within_limit(const struct vip_table *t)
{
	return t->lease_s == VIP_LEASE_OFF || t->limit_ns - clock_ns() >= t->lease_s * NS_PER_S;
}

/* The owner may give everything up, or change it, whenever it is told something. */
static void
renew_all(struct vip_table *t)
{
	size_t i;

	for (i = 0; i < t->n && t->claimed && !t->suspended && is_within_limit(t); i++) {
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
	vip_renewal_start(t); /* first: what follows may stop it */
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
	else if (is_within_limit(t) && vip_rule_restore(&t->restores, now))
		restore(t, v);
}

/* Leftovers of a configuration that nobody remembers cannot be told from others' addresses then. */
static void
check_mark(struct vip_table *t, const struct link_address *a)
{
	if (!t->claimed || t->unmarked || a->mark || link_marks_known(t->links))
		return;
	t->unmarked = true;
	log_notice("vip_marks_unsupported", "needs=\"Linux 5.18\"");
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
		check_mark(t, a);
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
			vip_look(t, &t->vips[i]);
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
	t->limit_ns = INT64_MAX;
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

/* When claimed before, what was missing has been put back. */
int
vip_claim(struct vip_table *t, struct err *err)
{
	bool again = t->claimed, missing;
	struct err why;
	size_t i;
	int status = 0;

	t->claimed = true;
	t->suspended = false;
	vip_renewal_start(t);
	for (i = 0; i < t->n; i++) {
		struct vip *v = &t->vips[i];

		missing = !v->present;
		v->failing = vip_put(t, v, &why) < 0;
		if (!v->failing && again && missing)
			restored(t, v);
		if (v->failing && status == 0) {
			*err = *vip_err(v, "claim", &why);
			status = err->code;
		}
	}
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
		if (vip_take_away(t, &t->vips[i], &why) < 0 && status == 0) {
			*err = *vip_err(&t->vips[i], "release", &why);
			status = err->code;
		}
	link_drain(t->links);
	return status;
}

void
vip_limit(struct vip_table *t, int64_t until_ns)
{
	t->limit_ns = until_ns;
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

/* The kernel's report of an end may not have been read, or have come, yet. */
bool
vip_held(const struct vip_table *t, size_t i)
{
	return vip_present(t, i) && t->claimed && !t->suspended &&
	    !vip_rule_lapsed(t->lease_s, t->vips[i].renewed_ns, clock_ns());
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
