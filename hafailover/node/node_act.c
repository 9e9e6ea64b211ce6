/*
 * node_act.c - does what the election says, and tells of it: log, history, counters.
 */
#include <errno.h>
#include <unistd.h>

#include "common/check.h"
#include "common/sd_notify.h"
#include "hafailover/node/node_private.h"
#include "hafailover/state/wall_time.h"

/* --- the tale --- */

void
node_station_note(
    const struct node *n, const struct address *vip, const uint8_t mac[LINK_MAC], struct err *note)
{
	char text[ADDRESS_TEXT_MAX];

	address_format_host(vip, text);
	err_set(note, -EADDRINUSE, "%s is used by %02x:%02x:%02x:%02x:%02x:%02x%s", text, mac[0],
	    mac[1], mac[2], mac[3], mac[4], mac[5], node_is_peer_mac(n, mac) ? ", the peer" : "");
}

struct ha_view
node_view(struct node *n)
{
	return (struct ha_view){
		.now_ns = clock_ns(),
		.now_wall_ns = clock_wall_ns(),
		.started_wall_ns = n->started_wall_ns,
		.config = n->config,
		.election = &n->election,
		.vips = n->vips,
		.announcer = n->announcer,
		.link = n->link,
		.witness = n->witness,
		.vrrp = n->vrrp ? &n->vrrp_election : NULL,
		.router = n->router,
		.history = &n->history,
		.track = track_report(n->track),
		.hook = hook_report(n->hook),
		.no_steering = node_steer_obstacle(n),
		.steering = node_steer_counters(n),
		.steered = node_steer_packets(n),
		.transitions = n->transitions,
		.delay = &n->delay,
		.vip_refused = n->vip_refused.text,
		.vip_conflict = n->vip_conflict.text,
		.vip_served = n->vip_served.text,
	};
}

static void
transition_tell(struct node *n, const struct election_transition *t, int64_t lasted_ns)
{
	const struct history_entry e = {
		.wall_ns = clock_wall_ns(),
		.duration_ns = lasted_ns,
		.term = node_standing(n, clock_ns()).term,
		.from = t->from,
		.to = t->to,
		.cause = t->cause,
	};
	char line[HISTORY_LINE_MAX];
	size_t size = history_format(&e, line);

	n->transitions[t->cause]++;
	history_add(&n->history, &e);
	keeper_history(n->keeper, (struct str){ line, size });
	log_notice("role_changed", "from=%s to=%s cause=%s term=%llu lasted_ms=%lld",
	    role_name(t->from), role_name(t->to), cause_name(t->cause), (unsigned long long)e.term,
	    (long long)(lasted_ns / NS_PER_MS));
	sd_notify_status("%s (%s)", role_name(t->to), cause_name(t->cause));
}

/* Of several at once, the last one is the role that it has. */
static void
hook_tell(struct node *n, const struct election_transition *t, int64_t now)
{
	const struct hook_role role = { t->from, t->to, t->cause, node_standing(n, now).term };

	hook_role_began(n->hook, &role);
}

static void
transitions_tell(struct node *n, const struct election_out *out, int64_t now)
{
	for (unsigned i = 0; i < out->n_transitions; i++)
		transition_tell(n, &out->transitions[i], i ? 0 : now - n->since_ns);
	if (out->n_transitions)
		hook_tell(n, &out->transitions[out->n_transitions - 1], now);
	n->since_ns = node_standing(n, now).since_ns;
}

/* Both were Active, and the peer has given way: its hook may have run after ours. */
static void
last_word_tell(struct node *n, int64_t now)
{
	bool gave_way = !n->vrrp && election_peer_reachable(&n->election, now) &&
	    n->election.peer.last.role != ROLE_ACTIVE &&
	    n->election.peer.last.cause == CAUSE_DUAL_ACTIVE;

	if (gave_way && !n->peer_gave_way && n->election.role == ROLE_ACTIVE)
		hook_again(n->hook);
	n->peer_gave_way = gave_way;
}

/* Both nodes say it, each by its own clock. */
static void
dual_tell(struct node *n, int64_t now)
{
	const struct election *e = &n->election;
	int64_t epoch = clock_wall_ns() - now;

	if (e->dual_to_ns == n->dual_told_ns)
		return;
	n->dual_told_ns = e->dual_to_ns;
	log_warning("dual_active", "from=%s to=%s lasted_ms=%lld",
	    wall_time_text(epoch + e->dual_from_ns).text,
	    wall_time_text(epoch + e->dual_to_ns).text,
	    (long long)((e->dual_to_ns - e->dual_from_ns) / NS_PER_MS));
}

static bool
alarms_tell(struct node *n)
{
	unsigned alarms = node_standing(n, clock_ns()).alarms, changed = n->alarms ^ alarms;

	for (unsigned i = 0; i < ELECTION_ALARMS; i++) {
		enum election_alarm alarm = (enum election_alarm)(1u << i);

		if (!(changed & alarm))
			continue;
		if (alarms & alarm)
			log_warning("alarm_raised", "name=%s", election_alarm_name(alarm));
		else
			log_notice("alarm_cleared", "name=%s", election_alarm_name(alarm));
	}
	n->alarms = alarms;
	return changed != 0;
}

void
node_command_answer(struct node *n, enum refusal refusal)
{
	struct control_token *token = n->command;

	n->command = NULL;
	if (!token)
		return;
	if (refusal == REFUSAL_NONE)
		control_reply(token, NULL);
	else
		control_refuse(token, "%s", refusal_text(refusal));
}

bool
node_tell(struct node *n, const struct election_out *out, int64_t now)
{
	transitions_tell(n, out, now);
	last_word_tell(n, now);
	dual_tell(n, now);
	return alarms_tell(n) || out->n_transitions;
}

/* --- actions --- */

static void
vips_claim(struct node *n)
{
	struct err err;

	if (vip_claim(n->vips, &err) == 0)
		return;
	log_err("vip_claim_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	n->vip_refused = err;
	n->nested |= NESTED_VIP_FAILED;
}

void
node_vips_release(struct node *n)
{
	struct err err;

	announce_stop(n->announcer);
	if (vip_release(n->vips, &err) < 0)
		log_err("vip_release_failed", "reason=%s", log_quoted(str_of(err.text)).text);
}

static void
loop_end(struct node *n)
{
	if (ev_is_active(&n->linger))
		n->end_with_linger = true;
	else
		ev_break(n->loop, EVBREAK_ALL);
}

static void
linger_stop(struct node *n)
{
	ev_timer_stop(n->loop, &n->linger);
	n->end_with_linger = false;
}

static void
on_linger(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct node *n = timer->data;

	(void)loop;
	(void)revents;
	CHECK(n->magic == NODE_MAGIC);
	node_vips_release(n);
	if (n->end_with_linger)
		loop_end(n);
}

void
node_linger_end(struct node *n)
{
	bool end = n->end_with_linger;

	if (!ev_is_active(&n->linger))
		return;
	linger_stop(n);
	node_vips_release(n);
	if (end)
		loop_end(n);
}

void
node_linger_init(struct node *n)
{
	ev_init(&n->linger, on_linger);
	ev_set_priority(&n->linger, EV_MAXPRI);
	n->linger.data = n;
}

/*
 * The new node has announced itself; requests that came before that are still being answered here,
 * silently.
 */
static void
release_begin(struct node *n, const struct election_out *out, int64_t now)
{
	if (!node_may_linger(n, out, now)) {
		linger_stop(n);
		node_vips_release(n);
		return;
	}
	announce_stop(n->announcer);
	ev_now_update(n->loop);
	ev_timer_set(&n->linger, ELECTION_LINGER_MS / 1e3, 0.);
	ev_timer_start(n->loop, &n->linger);
}

static void
state_save(struct node *n, bool standby)
{
	/* VRRP has no terms: what there was is kept for later. */
	n->saved = (struct term){ n->vrrp ? n->saved.term : n->election.term, standby };
	keeper_term(n->keeper, &n->saved);
}

/*
 * In the order of the bits, but the peer hears by a heartbeat that we claim before its kernel sees
 * the announcement.
 */
void
node_act(struct node *n, const struct election_out *out, int64_t now)
{
	bool standby = node_standing(n, now).standby;

	vip_limit(n->vips, n->vrrp ? INT64_MAX : election_vote_bound(&n->election));
	if (out->todo & ELECTION_DO_RELEASE)
		release_begin(n, out, now);
	if (out->todo & (ELECTION_DO_CLAIM | ELECTION_DO_REFRESH)) {
		linger_stop(n);
		vips_claim(n);
	}
	if (out->todo & ELECTION_DO_HUSH)
		announce_stop(n->announcer);
	if (out->todo & ELECTION_DO_SEND)
		node_say(n, now);
	if (out->todo & ELECTION_DO_ANNOUNCE)
		announce_start(n->announcer);
	if (out->todo & ELECTION_DO_PROBE) {
		node_probe_start(n, out->probe_id, out->probe_budget_ns);
		track_ask(n->track);
	}
	if (out->todo & ELECTION_DO_PERSIST || n->saved.standby != standby)
		state_save(n, standby);
	if (out->todo & ELECTION_DO_WITNESS)
		witness_link_ask(n->witness, &out->witness);
	if (out->todo & ELECTION_DO_STOPPED)
		loop_end(n);
}
