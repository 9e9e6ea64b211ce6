/*
 * node.c - what happens becomes an event, the election steps, node_act.c does what comes out.
 *
 * node_feed is the one place where the election steps.  What comes up while its actions are being
 * done (an address that the kernel refuses) waits until they all are.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/check.h"
#include "common/sd_notify.h"
#include "hafailover/node/node_private.h"

static const int64_t STOP_TAKES_NS = 15 * NS_PER_S;

/* So long a start waits for the first verdicts of tracking. */
static const int64_t SETTLE_NS = 500 * NS_PER_MS;

/* --- steps --- */

static struct election_track
track_now(const struct node *n)
{
	struct track_report r = track_report(n->track);

	return (struct election_track){
		.eligible = r.eligible,
		.why = r.why,
		.isolated = r.isolated,
		.network_ns = r.network_ns,
		.lbd_ready = r.lbd->ready,
		.lbd_draining = r.lbd->draining,
		.steers = !node_steer_obstacle(n),
		.servers_up =
		    (uint16_t)(r.lbd->servers_up < UINT16_MAX ? r.lbd->servers_up : UINT16_MAX),
		.servers_pending = r.lbd->servers_unchecked > 0,
		.priority = (uint16_t)ha_config_self(n->config)->priority,
	};
}

static void
tick_set(struct node *n, int64_t due)
{
	int64_t left = due - clock_ns();

	n->due_ns = due;
	ev_now_update(n->loop);
	ev_timer_stop(n->loop, &n->tick);
	ev_timer_set(&n->tick, left > 0 ? (double)left / NS_PER_S : 0., 0.);
	ev_timer_start(n->loop, &n->tick);
}

static void
follow(struct node *n, const struct election_out *out, int64_t now)
{
	bool news;

	node_steer_prepare(n, out, now);
	node_act(n, out, now);
	node_steer_follow(n, now);
	news = node_tell(n, out, now);
	if (out->answered)
		node_command_answer(n, out->refusal);
	tick_set(n, out->timer_ns);
	if (n->control && news)
		ha_control_changed(n->control);
}

static void
step(struct node *n, const struct election_event *ev)
{
	int64_t now = clock_ns();
	struct election_out out = node_machine_step(n, ev, now);

	follow(n, &out, now);
}

/* One of the events that came up meanwhile. */
static struct election_event
nested_take(struct node *n)
{
	unsigned bit = n->nested & -n->nested;

	n->nested &= ~bit;
	switch ((enum node_nested)bit) {
	case NESTED_VIP_FAILED:
		return (struct election_event){ .type = ELECTION_VIP_FAILED };
	case NESTED_STALLED:
		return (struct election_event){ .type = ELECTION_STALLED };
	case NESTED_TRACKED:
		return (struct election_event){ .type = ELECTION_TRACKED, .tracked = track_now(n) };
	case NESTED_VIP_GONE:
		return (struct election_event){ .type = ELECTION_VIP_GONE };
	case NESTED_CONFLICT:
	case NESTED_CONFLICT_PEER:
		return (struct election_event){ .type = ELECTION_CONFLICT,
			.conflict = { bit == NESTED_CONFLICT_PEER } };
	case NESTED_PROBED:
		return (struct election_event){ .type = ELECTION_PROBED,
			.probed = {
			    n->probe.id, n->probe.answer.result, n->probe.answer.by_peer } };
	}
	CHECK_NEVER();
}

static void
nested_run(struct node *n)
{
	if (n->stepping || !n->begun)
		return;
	n->stepping = true;
	while (n->nested) {
		struct election_event ev = nested_take(n);

		step(n, &ev);
	}
	n->stepping = false;
}

static void
nested_add(struct node *n, enum node_nested what)
{
	n->nested |= what;
	nested_run(n);
}

void
node_probed(struct node *n)
{
	nested_add(n, NESTED_PROBED);
}

void
node_track_again(struct node *n)
{
	nested_add(n, NESTED_TRACKED);
}

void
node_feed(struct node *n, const struct election_event *ev)
{
	CHECK(!n->stepping);
	n->stepping = true;
	step(n, ev);
	n->stepping = false;
	nested_run(n);
}

void
node_advertisement(void *owner, const struct vrrp_heard *h)
{
	struct node *n = owner;
	int64_t now = clock_ns();
	struct election_out out;

	CHECK(n->magic == NODE_MAGIC && n->vrrp && !n->stepping);
	if (!n->begun)
		return;
	n->stepping = true;
	out = vrrp_election_hear(&n->vrrp_election, h, now);
	follow(n, &out, now);
	n->stepping = false;
	nested_run(n);
}

/* --- what happens --- */

static int64_t
boot_ahead(void)
{
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	return boot.tv_sec * NS_PER_S + boot.tv_nsec - clock_ns();
}

/* The machine slept, and CLOCK_MONOTONIC with it. */
static void
suspend_check(struct node *n)
{
	int64_t ahead = boot_ahead(), slept = ahead - n->boot_ahead_ns;

	n->boot_ahead_ns = ahead;
	if (slept < node_dead_ns(n))
		return;
	log_warning("suspended", "for_ms=%lld", (long long)(slept / NS_PER_MS));
	nested_add(n, NESTED_STALLED);
}

/* First of all in each turn of the loop, whatever woke it. */
static void
on_check(struct ev_loop *loop, ev_check *check, int revents)
{
	static const struct election_event timer = { .type = ELECTION_TIMER };
	struct node *n = check->data;
	int64_t now = clock_ns();

	(void)revents;
	CHECK(n->magic == NODE_MAGIC && n->loop == loop);
	if (!n->begun)
		return;
	suspend_check(n);
	if (now < n->due_ns)
		return;
	delay_add(&n->delay, now - n->due_ns, now);
	node_feed(n, &timer);
}

static void
on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop; /* it has only woken the loop: on_check has done it */
	(void)timer;
	(void)revents;
}

static void
on_heard(void *owner, unsigned path, const struct wire_packet *w)
{
	struct node *n = owner;
	const struct election_event ev = {
		.type = ELECTION_HEARTBEAT,
		.heartbeat = { (uint8_t)path, w->heartbeat },
	};

	CHECK(n->magic == NODE_MAGIC);
	if (n->begun && path < n->election.config.paths)
		node_feed(n, &ev);
}

static void
on_witnessed(void *owner, const struct witness_answer *a)
{
	struct node *n = owner;
	const struct election_event ev = { .type = ELECTION_WITNESS, .witness = *a };

	CHECK(n->magic == NODE_MAGIC);
	if (n->begun)
		node_feed(n, &ev);
}

static void election_begin(struct node *);

static void
on_tracked(void *owner)
{
	struct node *n = owner;
	struct track_report r;

	CHECK(n->magic == NODE_MAGIC);
	if (!n->track) /* it is being started */
		return;
	r = track_report(n->track);
	if (n->link)
		peer_link_set_lbd(
		    n->link, r.lbd->servers_total, r.lbd->servers_unchecked, r.lbd->digest);
	if (n->begun)
		nested_add(n, NESTED_TRACKED);
	else if (r.settled)
		election_begin(n);
}

static void
on_link(void *owner, const struct link *link, unsigned changes)
{
	node_steer_link(owner, link, changes);
	node_macs_tell(owner);
}

static void
on_conflict(void *owner, const struct announce_conflict *c)
{
	struct node *n = owner;

	CHECK(n->magic == NODE_MAGIC);
	node_station_note(n, &vip_at(n->vips, c->vip)->address, c->mac, &n->vip_conflict);
	nested_add(n, node_is_peer_mac(n, c->mac) ? NESTED_CONFLICT_PEER : NESTED_CONFLICT);
}

static void
on_restored(void *owner, size_t vip)
{
	struct node *n = owner;

	if (announce_active(n->announcer))
		announce_one(n->announcer, vip);
}

static void
on_vip_failed(void *owner, size_t vip, const struct err *err)
{
	struct node *n = owner;
	char text[ADDRESS_TEXT_MAX];

	address_format_host(&vip_at(n->vips, vip)->address, text);
	log_err("vip_failed", "address=%s reason=%s", text, log_quoted(str_of(err->text)).text);
	n->vip_refused = *err;
	nested_add(n, NESTED_VIP_FAILED);
}

static void
on_stalled(void *owner, int64_t late_ns)
{
	struct node *n = owner;

	log_warning("stalled", "late_ms=%lld", (long long)(late_ns / NS_PER_MS));
	node_linger_end(n);
	/* Routers wait longer than a lease may last: nobody has claimed yet. */
	nested_add(n, n->vrrp && late_ns < node_dead_ns(n) ? NESTED_VIP_GONE : NESTED_STALLED);
}

void
node_stop(struct node *n)
{
	static const struct election_event stop = { .type = ELECTION_STOP };

	if (n->stopping || !n->begun) {
		ev_break(n->loop, EVBREAK_ALL);
		return;
	}
	n->stopping = true;
	sd_notify_stopping(STOP_TAKES_NS + n->config->drain);
	log_notice("stopping", "role=%s", role_name(node_standing(n, clock_ns()).role));
	node_feed(n, &stop);
}

static void
on_hook(void *owner)
{
	struct node *n = owner;

	CHECK(n->magic == NODE_MAGIC);
	if (n->control)
		ha_control_changed(n->control);
}

/* --- start and end --- */

/* How long the kernel keeps what a predecessor left there. */
static int64_t
lease_left(const struct node *n)
{
	int64_t ends = vip_lease_end_ns(n->vips);

	return ends == INT64_MAX ? ends : ends - clock_ns();
}

static void
state_load(struct node *n)
{
	const char *directory = n->config->state_directory.p;
	struct err err;

	if (term_read(directory, &n->saved, &err) < 0)
		log_err("state_not_read", "reason=%s", log_quoted(str_of(err.text)).text);
	if (history_load(&n->history, directory, &err) < 0)
		log_err("state_not_read", "reason=%s", log_quoted(str_of(err.text)).text);
}

static void
election_begin(struct node *n)
{
	const struct election_event start = {
		.type = ELECTION_START,
		.start = {
			.session = n->session,
			.term = n->saved.term,
			.held = vip_present_count(n->vips) > 0,
			.lease_left_ns = lease_left(n),
			.standby = n->saved.standby,
		},
	};

	ev_timer_stop(n->loop, &n->begin);
	log_notice("started", "node=%s peer=%s term=%llu held=%s",
	    log_quoted(ha_config_self(n->config)->name).text,
	    log_quoted(ha_config_peer(n->config)->name).text, (unsigned long long)n->saved.term,
	    start.start.held ? "yes" : "no");
	n->begun = true;
	n->since_ns = clock_ns();
	n->boot_ahead_ns = boot_ahead();
	n->nested |= NESTED_TRACKED;
	node_feed(n, &start);
}

static void
on_begin(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct node *n = timer->data;

	(void)loop;
	(void)revents;
	CHECK(n->magic == NODE_MAGIC);
	election_begin(n);
}

/*
 * A node that does not know yet whether it may serve would give up what it could adopt.  So the
 * first verdicts come first, but what the kernel still holds for us must not end meanwhile.
 */
static void
begin_wait(struct node *n)
{
	int64_t wait = lease_left(n) / 4;

	wait = wait < SETTLE_NS ? wait : SETTLE_NS;
	ev_now_update(n->loop); /* what was opened has taken its time */
	ev_timer_set(&n->begin, wait > 0 ? (double)wait / NS_PER_S : 0., 0.);
	ev_timer_start(n->loop, &n->begin);
}

static int
network_open(struct node *n, struct err *err)
{
	const struct vip_events events = { on_restored, on_vip_failed, on_stalled, n };

	n->links = link_open(n->loop, err);
	if (!n->links)
		return err->code;
	n->neighbours = neighbour_open(n->loop, n->links, err);
	if (!n->neighbours)
		return err->code;
	n->vips = vip_open(n->loop, n->links, &events, err);
	if (!n->vips)
		return err->code;
	n->announcer = announce_new(n->loop, n->neighbours, n->links, n->vips, on_conflict, n, err);
	return n->announcer ? 0 : err->code;
}

static int
link_start(struct node *n, struct err *err)
{
	const struct peer_link_events events = { on_heard, n };
	const struct witness_link_events answers = { on_witnessed, n };

	if (getrandom(&n->session, sizeof(n->session), 0) != sizeof(n->session))
		return err_set(err, -errno, "no random numbers: %s", strerror(errno));
	n->session |= 1; /* not 0 */
	if (!n->vrrp && !(n->link = peer_link_new(n->loop, n->session, &events)))
		return err_set(err, -ENOMEM, "out of memory");
	if (ha_config_has_witness(n->config) &&
	    !(n->witness = witness_link_new(n->loop, n->session, &answers)))
		return err_set(err, -ENOMEM, "out of memory");
	return node_peer_apply(n, n->config, err);
}

static int
parts_open(struct node *n, struct err *err)
{
	struct track_parts parts = { .loop = n->loop, .changed = on_tracked, .owner = n };
	int code = network_open(n, err);

	if (!code)
		code = link_start(n, err);
	if (!code)
		code = node_vips_apply(n, n->config, err);
	if (code)
		return code;
	node_steer_open(n);
	n->watch = (struct link_watch){ .changed = on_link, .owner = n };
	link_watch_add(n->links, &n->watch);
	parts.links = n->links;
	parts.neighbours = n->neighbours;
	parts.vips = n->vips;
	n->track = track_start(&parts, &n->config->track, err);
	if (!n->track)
		return err->code;
	n->hook = hook_new(n->loop, n->config, on_hook, n);
	if (!n->hook)
		return err_set(err, -ENOMEM, "out of memory");
	n->keeper = keeper_start(n->config->state_directory.p, err);
	return n->keeper ? 0 : err->code;
}

static void
timers_init(struct node *n)
{
	ev_init(&n->tick, on_tick);
	ev_set_priority(&n->tick, EV_MAXPRI);
	ev_check_init(&n->check, on_check);
	ev_set_priority(&n->check, EV_MAXPRI);
	ev_init(&n->begin, on_begin);
	node_linger_init(n);
	node_steer_init(n);
	n->begin.data = n;
	n->tick.data = n->check.data = n;
}

static void
timers_start(struct node *n)
{
	ev_check_start(n->loop, &n->check);
	service_timers_start(&n->service, n->loop);
}

struct node *
node_start(
    struct ev_loop *loop, struct ha_config **config, const struct node_options *o, struct err *err)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n) {
		err_set(err, -ENOMEM, "out of memory");
		ha_config_free(config);
		return NULL;
	}
	n->magic = NODE_MAGIC;
	n->loop = loop;
	n->options = o->config;
	n->config = *config;
	*config = NULL;
	n->started_wall_ns = clock_wall_ns();
	timers_init(n);
	node_machine_init(n);
	if (node_control_open(n, o, err) < 0 || parts_open(n, err) < 0) {
		node_free(&n);
		return NULL;
	}
	state_load(n);
	begin_wait(n);
	timers_start(n);
	return n;
}

void
node_free(struct node **np)
{
	struct node *n = *np;

	*np = NULL;
	if (!n)
		return;
	if (n->vips && n->announcer)
		node_vips_release(n);
	node_command_answer(n, REFUSAL_STOPPING);
	ha_control_stop(&n->control);
	ev_timer_stop(n->loop, &n->tick);
	ev_check_stop(n->loop, &n->check);
	ev_timer_stop(n->loop, &n->begin);
	ev_timer_stop(n->loop, &n->linger);
	service_timers_stop(&n->service, n->loop);
	node_probe_stop(n);
	node_steer_close(n);
	hook_free(&n->hook);
	track_stop(&n->track);
	peer_link_free(&n->link);
	witness_link_free(&n->witness);
	vrrp_close(&n->router);
	announce_free(&n->announcer);
	vip_close(&n->vips);
	neighbour_close(&n->neighbours);
	if (n->watch.changed)
		link_watch_remove(n->links, &n->watch);
	link_close(&n->links);
	keeper_stop(&n->keeper);
	ha_config_free(&n->config);
	n->magic = 0;
	free(n);
}
