/*
 * announce.c - each address has a series of its own, so that one that was put back, or all of one
 * interface, can start anew without the others.  One timer serves them all.
 */
#include "hafailover/vip/announce.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"

#define BATCH_PAUSE_NS (1 * NS_PER_MS)
#define DEFENCE_DELAY_NS (50 * NS_PER_MS) /* two that are Active have settled it by then */
#define CONFLICT_QUIET_NS (1 * NS_PER_S)
#define STEADY_NS (30 * NS_PER_S)

struct entry {
	int link; /* for which the frames are; 0: there is nowhere to send them */
	struct arp_nd_frame frames[2];
	unsigned n_frames;
	int64_t start_ns;
	unsigned round; /* the next one */
	int64_t conflict_ns; /* reported last; 0: never */
	uint32_t conflicts; /* not reported */
};

struct ear {
	struct announcer *announcer;
	struct neighbour_listener listener;
	struct ear *next;
};

struct announcer {
	struct ev_loop *loop;
	struct neighbour_table *neighbours;
	struct link_table *links;
	struct vip_table *vips;
	void (*conflict)(void *owner, const struct announce_conflict *);
	void *owner;
	struct link_watch watch;
	struct entry *entries;
	size_t n;
	struct ear *ears;
	ev_timer due;
	bool active;
	struct announce_counters counters;
};

int64_t
announce_due_ns(unsigned round)
{
	static const int64_t ms[] = { 0, 10, 50, 200, 1000, 5000 };
	const unsigned n = sizeof(ms) / sizeof(*ms);

	if (round < n)
		return ms[round] * NS_PER_MS;
	return ms[n - 1] * NS_PER_MS + (round - n + 1) * STEADY_NS;
}

static void
entry_prepare(struct announcer *a, size_t i)
{
	const struct address *address = &vip_at(a->vips, i)->address;
	const struct link *l = vip_interface(a->vips, i);
	struct entry *e = &a->entries[i];

	e->link = l && l->ethernet ? l->index : 0;
	e->n_frames = 0;
	if (!e->link)
		return;
	arp_nd_announce(&e->frames[e->n_frames++], address, l->mac, false);
	if (address->sa.sa_family == AF_INET) /* some stacks learn from one, some from the other */
		arp_nd_announce(&e->frames[e->n_frames++], address, l->mac, true);
}

static void
entry_send(struct announcer *a, struct entry *e)
{
	unsigned i;

	for (i = 0; i < e->n_frames; i++)
		if (neighbour_send(a->neighbours, e->link, &e->frames[i]) == 0)
			a->counters.frames++;
		else
			a->counters.errors++;
}

static int64_t
entry_due_ns(const struct entry *e)
{
	return e->start_ns + announce_due_ns(e->round);
}

/* Rounds that passed while we were busy are not made up for. */
static void
entry_advance(struct entry *e, int64_t now)
{
	do
		e->round++;
	while (entry_due_ns(e) <= now);
}

/* Sends what is due, a batch at most.  When there is more to do. */
static int64_t
send_due(struct announcer *a, int64_t now)
{
	int64_t next = INT64_MAX;
	unsigned sent = 0;
	size_t i;

	for (i = 0; i < a->n; i++) {
		struct entry *e = &a->entries[i];

		if (entry_due_ns(e) <= now) {
			if (sent >= ANNOUNCE_BATCH)
				return now + BATCH_PAUSE_NS;
			if (vip_held(a->vips, i))
				entry_send(a, e);
			entry_advance(e, now);
			sent += e->n_frames;
		}
		if (entry_due_ns(e) < next)
			next = entry_due_ns(e);
	}
	return next;
}

static void
run(struct announcer *a)
{
	int64_t now = clock_ns(), next = send_due(a, now);

	ev_timer_stop(a->loop, &a->due);
	if (next == INT64_MAX)
		return;
	ev_now_update(a->loop);
	ev_timer_set(&a->due, (double)(next - now) / (double)NS_PER_S, 0);
	ev_timer_start(a->loop, &a->due);
}

static void
on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct announcer *a = w->data;

	(void)revents;
	CHECK(a->loop == loop && a->active);
	link_drain(a->links); /* after a stop timers come first, and what we had may be gone */
	if (a->active)
		run(a);
}

static void
entry_restart(struct announcer *a, size_t i, int64_t start_ns)
{
	const struct link *l = vip_interface(a->vips, i);

	if ((l && l->ethernet ? l->index : 0) != a->entries[i].link)
		entry_prepare(a, i); /* it has moved or come into being */
	a->entries[i].start_ns = start_ns;
	a->entries[i].round = 0;
}

static void
report(struct announcer *a, size_t i, const struct arp_nd_message *m, int link)
{
	struct announce_conflict c = {
		.vip = i, .link = link, .repeated = a->entries[i].conflicts
	};
	const struct link *l = link_at(a->links, link);
	char text[ADDRESS_TEXT_MAX];

	a->entries[i].conflicts = 0;
	memcpy(c.mac, m->mac, LINK_MAC);
	address_format_host(&m->address, text);
	log_warning("vip_conflict",
	    "address=%s interface=%s mac=%02x:%02x:%02x:%02x:%02x:%02x repeated=%u", text,
	    l ? l->name : "-", c.mac[0], c.mac[1], c.mac[2], c.mac[3], c.mac[4], c.mac[5],
	    c.repeated);
	a->conflict(a->owner, &c);
}

static void
on_heard(void *owner, const struct arp_nd_message *m, int link)
{
	struct announcer *a = ((struct ear *)owner)->announcer;
	int64_t now = clock_ns();
	size_t i;

	for (i = 0; m->type == ARP_ND_CLAIM && i < a->n; i++)
		if (a->entries[i].link == link &&
		    address_equal(&vip_at(a->vips, i)->address, &m->address))
			break;
	if (m->type != ARP_ND_CLAIM || i == a->n)
		return;
	a->counters.conflicts++;
	if (a->entries[i].conflict_ns && now - a->entries[i].conflict_ns < CONFLICT_QUIET_NS) {
		a->entries[i].conflicts++;
		return;
	}
	a->entries[i].conflict_ns = now;
	entry_restart(a, i, now + DEFENCE_DELAY_NS);
	run(a);
	report(a, i, m, link); /* last: it may stop or change everything */
}

static void
ears_close(struct announcer *a)
{
	struct ear *e;

	while ((e = a->ears)) {
		a->ears = e->next;
		neighbour_unlisten(a->neighbours, &e->listener);
		free(e);
	}
}

static int
ear_open(struct announcer *a, int link, int family, struct err *err)
{
	struct ear *e;

	for (e = a->ears; e; e = e->next)
		if (e->listener.link == link && e->listener.family == family)
			return 0;
	e = calloc(1, sizeof(*e));
	if (!e)
		return err_set(err, -ENOMEM, "out of memory");
	e->announcer = a;
	e->listener = (struct neighbour_listener){
		.link = link, .family = family, .heard = on_heard, .owner = e
	};
	if (neighbour_listen(a->neighbours, &e->listener, err) < 0) {
		free(e);
		return err->code;
	}
	e->next = a->ears;
	a->ears = e;
	return 0;
}

/* Where an address is announced, others are listened to.  If that fails, so be it. */
static void
ears_open(struct announcer *a)
{
	struct err err;
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->entries[i].link &&
		    ear_open(
			a, a->entries[i].link, vip_at(a->vips, i)->address.sa.sa_family, &err) < 0)
			log_warning(
			    "conflicts_unheard", "reason=%s", log_quoted(str_of(err.text)).text);
}

/* Frames hold MACs; a network that comes up has forgotten, or never knew. */
static void
on_link(void *owner, const struct link *l, unsigned changes)
{
	const unsigned matter = LINK_ADDED | LINK_REMOVED | LINK_NEW_MAC | LINK_CARRIER;
	struct announcer *a = owner;
	bool ours = false;
	size_t i;

	for (i = 0; i < a->n && changes & matter; i++) {
		const struct link *at = vip_interface(a->vips, i);

		if (a->entries[i].link != l->index && (!at || at->index != l->index))
			continue;
		ours = true;
		entry_prepare(a, i);
		entry_restart(a, i, clock_ns());
	}
	if (!ours || !a->active)
		return;
	ears_close(a);
	ears_open(a);
	run(a);
}

struct announcer *
announce_new(struct ev_loop *loop, struct neighbour_table *neighbours, struct link_table *links,
    struct vip_table *vips, void (*conflict)(void *owner, const struct announce_conflict *),
    void *owner, struct err *err)
{
	struct announcer *a = calloc(1, sizeof(*a));

	if (!a) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	a->loop = loop;
	a->neighbours = neighbours;
	a->links = links;
	a->vips = vips;
	a->conflict = conflict;
	a->owner = owner;
	a->watch = (struct link_watch){ .changed = on_link, .owner = a };
	ev_timer_init(&a->due, on_due, 0, 0);
	a->due.data = a;
	link_watch_add(links, &a->watch);
	if (announce_prepare(a, err) < 0)
		announce_free(&a);
	return a;
}

void
announce_free(struct announcer **ap)
{
	struct announcer *a = *ap;

	*ap = NULL;
	if (!a)
		return;
	announce_stop(a);
	link_watch_remove(a->links, &a->watch);
	free(a->entries);
	free(a);
}

int
announce_prepare(struct announcer *a, struct err *err)
{
	size_t i, n = vip_count(a->vips);
	struct entry *entries = calloc(n ? n : 1, sizeof(*entries));

	if (!entries)
		return err_set(err, -ENOMEM, "out of memory");
	free(a->entries);
	a->entries = entries;
	a->n = n;
	for (i = 0; i < n; i++)
		entry_prepare(a, i);
	if (a->active)
		announce_start(a);
	return 0;
}

void
announce_start(struct announcer *a)
{
	int64_t now = clock_ns();
	size_t i;

	a->active = true;
	for (i = 0; i < a->n; i++)
		entry_restart(a, i, now);
	run(a); /* first of all */
	ears_close(a);
	ears_open(a);
}

void
announce_one(struct announcer *a, size_t vip)
{
	CHECK(vip < a->n);
	if (!a->active)
		return;
	entry_restart(a, vip, clock_ns());
	run(a);
	ears_open(a); /* it may have moved */
}

void
announce_stop(struct announcer *a)
{
	a->active = false;
	ev_timer_stop(a->loop, &a->due);
	ears_close(a);
}

bool
announce_active(const struct announcer *a)
{
	return a->active;
}

struct announce_counters
announce_counters(const struct announcer *a)
{
	return a->counters;
}
