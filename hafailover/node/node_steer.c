/*
 * node_steer.c - connections at a planned move: the BPF program's rules, the count of what is left,
 * and lbd's part, all of it as the election has it after each step.
 *
 * The program is loaded at start, and attached when the election takes part and its rules are
 * known: until then that of a predecessor goes on by itself.  From then on only rules change.
 * Whoever claims steers already when the neighbours hear of it; whoever drains is silent before the
 * peer hears of that, and until the addresses are gone.
 */
#include <errno.h>

#include "common/check.h"
#include "hafailover/node/node_private.h"

enum { IDLE_SHARE = 3 }; /* of the drain: then lbd closes what only waits */

static const int64_t LOOK_NS = NS_PER_S;
static const double RENEWAL_S = 0.5;

/* So much later than addresses do rules end, if nobody renews either: the kernel has its own pace. */
static const int64_t OUTLAST_NS = 2 * NS_PER_S;

/* --- what it takes --- */

static bool
is_wanted(const struct node *n)
{
	return !n->vrrp && n->config->steers;
}

static const char *
peer_obstacle(const struct node *n, size_t n_links)
{
	const struct wire_packet *w = peer_link_last(n->link);

	if (!w)
		return "the peer has not been heard yet";
	return w->n_macs == n_links ? NULL
				    : "the peer has its virtual addresses on other interfaces";
}

const char *
node_steer_obstacle(const struct node *n)
{
	const struct link *links[WIRE_MACS_MAX];
	size_t n_links = node_vip_links(n, links);

	if (!is_wanted(n))
		return "it is switched off";
	if (vip_count(n->vips) == 0)
		return "there is no virtual address";
	if (!n->steer.program || n->steer.refused.code)
		return n->steer.refused.text;
	if (!n->steer.began)
		return "this node has just started";
	for (size_t i = 0; i < vip_count(n->vips); i++) {
		const struct link *l = vip_interface(n->vips, i);
		size_t at = 0;

		while (at < n_links && links[at] != l)
			at++;
		if (!l)
			return "a virtual address has no interface";
		if (at == n_links)
			return "the virtual addresses are on too many interfaces";
		if (!l->ethernet)
			return "a virtual address is on an interface that is not Ethernet";
	}
	return peer_obstacle(n, n_links);
}

void
node_steer_open(struct node *n)
{
	if (is_wanted(n))
		n->steer.program = steering_open(&n->steer.refused);
}

/* Others may take the program off its interface: that is looked after now and then. */
static void
attach(struct node *n, int64_t now)
{
	struct node_steer *s = &n->steer;
	const struct link *links[WIRE_MACS_MAX];
	size_t n_links = node_vip_links(n, links);
	struct err err;

	if (!s->program || now < s->look_ns)
		return;
	s->look_ns = now + LOOK_NS;
	s->refused.code = 0;
	steering_check(s->program);
	for (size_t i = 0; i < n_links && !s->refused.code; i++)
		if (links[i]->ethernet && steering_attach(s->program, links[i]->index, &err) < 0)
			s->refused = err;
}

void
node_steer_link(struct node *n, const struct link *link, unsigned changes)
{
	if (!n->steer.program || !(changes & (LINK_ADDED | LINK_REMOVED)))
		return;
	steering_forget(n->steer.program, link->index);
	n->steer.look_ns = 0;
}

/* --- rules --- */

static enum steering_mode
mode_wanted(const struct node *n)
{
	if (election_drains(&n->election))
		return STEERING_HUSH;
	return election_steers(&n->election) ? STEERING_STEER : STEERING_NOTHING;
}

/* The MACs were told in the order of the interfaces, and both nodes have the same addresses. */
static void
peer_mac(const struct node *n, const struct link *l, uint8_t mac[STEERING_MAC])
{
	const struct link *links[WIRE_MACS_MAX];
	size_t n_links = node_vip_links(n, links);
	const struct wire_packet *w = peer_link_last(n->link);

	for (size_t i = 0; w && i < n_links && i < w->n_macs; i++)
		if (links[i] == l)
			memcpy(mac, w->macs[i], STEERING_MAC);
}

static void
address_bytes(const struct address *a, uint8_t bytes[16])
{
	if (a->sa.sa_family == AF_INET)
		memcpy(bytes, &a->in.sin_addr, 4);
	else
		memcpy(bytes, &a->in6.sin6_addr, 16);
}

static struct steering_entry
entry_make(
    const struct node *n, enum steering_mode mode, const struct address *vip, const struct link *l)
{
	struct steering_entry e = { .key = { (uint32_t)l->index, vip->sa.sa_family, { 0 } },
		.rule.mode = mode };
	struct address own;

	address_bytes(vip, e.key.address);
	if (mode == STEERING_STEER)
		peer_mac(n, l, e.rule.peer);
	else if (link_source(n->links, l->index, vip, &own))
		address_bytes(&own, e.rule.own);
	return e;
}

/* While a daemon that died leaves an address behind, its packets go on as they did. */
static int64_t
rules_lease(const struct node *n)
{
	const struct election_config *c = &n->election.config;

	return (c->lease_ns ? c->lease_ns : c->drain_ns) + OUTLAST_NS;
}

static void
rules_apply(struct node *n, int64_t now)
{
	static struct steering_entry list[STEERING_RULES_MAX];
	struct err err;
	size_t count = 0;

	for (size_t i = 0; n->steer.mode && i < vip_count(n->vips); i++) {
		const struct link *l = vip_interface(n->vips, i);

		if (l)
			list[count++] =
			    entry_make(n, n->steer.mode, &vip_at(n->vips, i)->address, l);
	}
	if (steering_apply(n->steer.program, list, count, rules_lease(n), now, &err) < 0)
		log_err("steering_failed", "reason=%s", log_quoted(str_of(err.text)).text);
}

static void
on_renewal(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct node *n = timer->data;

	(void)loop;
	(void)revents;
	CHECK(n->magic == NODE_MAGIC);
	rules_apply(n, clock_ns());
}

void
node_steer_init(struct node *n)
{
	ev_timer_init(&n->steer.renewal, on_renewal, RENEWAL_S, RENEWAL_S);
	n->steer.renewal.data = n;
}

struct steering_counters
node_steer_counters(const struct node *n)
{
	const struct steering_counters none = { 0 };

	return n->steer.program ? steering_count(n->steer.program) : none;
}

uint64_t
node_steer_packets(const struct node *n)
{
	return node_steer_counters(n).n[STEERING_STEERED] - n->steer.steered_before;
}

static void
steering_tell(struct node *n, enum steering_mode was)
{
	if (n->steer.mode == STEERING_STEER) {
		n->steer.steered_before += node_steer_packets(n);
		log_notice("steering_began", "connections=%u", n->election.peer.last.connections);
	} else if (was == STEERING_STEER) {
		log_notice(
		    "steering_ended", "packets=%llu", (unsigned long long)node_steer_packets(n));
	}
}

static void
mode_set(struct node *n, enum steering_mode mode, int64_t now)
{
	enum steering_mode was = n->steer.mode;

	n->steer.mode = mode;
	if (mode || was)
		rules_apply(n, now);
	if (mode == was)
		return;
	steering_tell(n, was);
	if (mode)
		ev_timer_again(n->loop, &n->steer.renewal);
	else
		ev_timer_stop(n->loop, &n->steer.renewal);
}

void
node_steer_prepare(struct node *n, const struct election_out *out, int64_t now)
{
	enum steering_mode mode = mode_wanted(n);
	bool goes = (out->todo & ELECTION_DO_RELEASE) && !(out->todo & ELECTION_DO_CLAIM);

	if (n->steer.program && !(goes && n->steer.mode == STEERING_HUSH))
		mode_set(n, mode, now);
}

/* --- the connections that are left --- */

static void
on_counted(void *owner, uint32_t connections)
{
	struct node *n = owner;
	const struct election_event ev = { .type = ELECTION_CONNECTIONS,
		.connections = connections };

	CHECK(n->magic == NODE_MAGIC);
	node_feed(n, &ev);
}

static void
counting_begin(struct node *n, bool first_only)
{
	static struct address vips[VIP_MAX];
	const struct connections_options o = { .vips = vips,
		.n_vips = vip_count(n->vips),
		.first_only = first_only,
		.counted = on_counted,
		.owner = n };
	struct err err;

	for (size_t i = 0; i < o.n_vips; i++)
		vips[i] = vip_at(n->vips, i)->address;
	n->steer.connections = connections_start(n->loop, &o, &err);
	if (!n->steer.connections)
		log_err("connections_not_counted", "reason=%s", log_quoted(str_of(err.text)).text);
}

/*
 * Before a move new ones still come, and end with it; during the drain whoever comes has not heard
 * of it yet, and counts.
 */
static void
count(struct node *n)
{
	struct node_steer *s = &n->steer;
	enum node_count wanted = !election_counts(&n->election) ? COUNT_NONE
	    : election_drains(&n->election)                     ? COUNT_ALL
								: COUNT_FIRST;
	int64_t drain = n->election.config.drain_ns;

	if (wanted == s->counting)
		return;
	s->counting = wanted;
	connections_stop(&s->connections);
	if (wanted)
		counting_begin(n, wanted == COUNT_FIRST);
	track_yield(n->track, wanted ? drain / IDLE_SHARE : 0, drain);
}

static const char *
drain_end(const struct election *e, int64_t lasted)
{
	if (e->role == ROLE_ACTIVE)
		return "active_again";
	if (e->counted && !e->connections)
		return "none_left";
	return lasted >= e->config.drain_ns ? "time_is_up" : "stalled";
}

static void
drain_tell(struct node *n, int64_t now)
{
	bool drains = election_drains(&n->election);
	int64_t lasted = now - n->election.drain.since_ns;

	if (drains == n->steer.drained)
		return;
	n->steer.drained = drains;
	if (drains)
		log_notice("drain_began", "for_ms=%lld",
		    (long long)(n->election.config.drain_ns / NS_PER_MS));
	else
		log_notice("drain_ended", "reason=%s connections=%u lasted_ms=%lld",
		    drain_end(&n->election, lasted), n->election.connections,
		    (long long)(lasted / NS_PER_MS));
}

static void
obstacle_tell(struct node *n)
{
	const char *obstacle = node_steer_obstacle(n), *text = obstacle ? obstacle : "none";

	if (!is_wanted(n) || strcmp(text, n->steer.told) == 0)
		return;
	snprintf(n->steer.told, sizeof(n->steer.told), "%s", text);
	log_notice("steering", "possible=%s%s%s", obstacle ? "no" : "yes",
	    obstacle ? " reason=" : "", obstacle ? log_quoted(str_of(obstacle)).text : "");
}

void
node_steer_follow(struct node *n, int64_t now)
{
	bool began = n->steer.began;

	n->steer.began |= n->election.role != ROLE_INITIALIZE; /* which is also that of its end */
	if (n->vrrp || !n->steer.began)
		return;
	if (n->steer.program)
		mode_set(n, mode_wanted(n), now);
	if (began) /* so the rules are there, of the step in which the election learns that it can */
		attach(n, now);
	count(n);
	drain_tell(n, now);
	obstacle_tell(n);
	if (!node_steer_obstacle(n) != n->election.track.steers)
		n->nested |= NESTED_TRACKED;
}

void
node_steer_close(struct node *n)
{
	ev_timer_stop(n->loop, &n->steer.renewal);
	connections_stop(&n->steer.connections);
	steering_close(&n->steer.program);
}
