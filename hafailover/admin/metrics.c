/* metrics.c - one function per family.  Labels hold our own words and addresses: nothing to escape. */
#include "hafailover/admin/metrics.h"

static void
family(struct text *t, const char *name, const char *type, const char *help)
{
	text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
seconds(struct text *t, int64_t ns)
{
	text_printf(t, "%lld.%09lld\n", (long long)(ns / NS_PER_S), (long long)(ns % NS_PER_S));
}

static void
gauge(struct text *t, const char *name, const char *help, uint64_t n)
{
	family(t, name, "gauge", help);
	text_printf(t, "%s %llu\n", name, (unsigned long long)n);
}

static struct standing
standing(const struct ha_view *v)
{
	return standing_of(v->election, v->vrrp, v->now_ns);
}

static void
role_write(const struct ha_view *v, struct text *t)
{
	family(t, "lbpair_ha_role", "gauge", "1 for the role that this node has.");
	for (unsigned i = 0; i < ROLE_N; i++)
		text_printf(t, "lbpair_ha_role{role=\"%s\"} %d\n", role_name((enum role)i),
		    standing(v).role == i);
}

static void
transitions_write(const struct ha_view *v, struct text *t)
{
	family(
	    t, "lbpair_ha_transitions_total", "counter", "Changes of this node's role, by cause.");
	for (unsigned i = CAUSE_NONE + 1; i < CAUSE_N; i++)
		text_printf(t, "lbpair_ha_transitions_total{cause=\"%s\"} %llu\n",
		    cause_name((enum cause)i), (unsigned long long)v->transitions[i]);
}

static void
path_write(struct text *t, const char *address, const char *direction, const uint64_t *counts)
{
	for (unsigned i = 0; i < PACKET_RESULTS; i++)
		text_printf(t,
		    "lbpair_ha_heartbeats_total{path=\"%s\",direction=\"%s\",result=\"%s\"} %llu\n",
		    address, direction, peer_link_result_name((enum peer_link_result)i),
		    (unsigned long long)counts[i]);
}

static void
heartbeats_write(const struct ha_view *v, struct text *t)
{
	family(t, "lbpair_ha_heartbeats_total", "counter",
	    "Packets to and from the peer, by path (its address), direction and what became of "
	    "them.");
	for (unsigned i = 0; i < peer_link_paths(v->link); i++) {
		const struct peer_link_counters *c = peer_link_count(v->link, i);
		char address[ADDRESS_TEXT_MAX];

		address_format_host(&peer_link_path(v->link, i)->peer, address);
		path_write(t, address, "sent", c->sent);
		path_write(t, address, "received", c->received);
	}
}

static void
asked_write(struct text *t, const char *direction, const uint64_t *counts)
{
	for (unsigned i = 0; i < ASK_RESULTS; i++)
		text_printf(t,
		    "lbpair_ha_witness_packets_total{direction=\"%s\",result=\"%s\"} %llu\n",
		    direction, witness_link_result_name((enum witness_link_result)i),
		    (unsigned long long)counts[i]);
}

static void
witness_write(const struct ha_view *v, struct text *t)
{
	const struct witness_link_counters *c = witness_link_count(v->witness);
	struct election_votes votes = election_votes(v->election, v->now_ns);

	family(t, "lbpair_ha_witness_packets_total", "counter",
	    "Packets to and from the witness, by direction and what became of them.");
	asked_write(t, "sent", c->sent);
	asked_write(t, "received", c->received);
	gauge(t, "lbpair_ha_witness_reachable", "1 while the witness answers.",
	    election_witness_answers(v->election, v->now_ns));
	family(t, "lbpair_ha_vote", "gauge", "1 for a vote that this node has.");
	text_printf(t,
	    "lbpair_ha_vote{of=\"self\"} %d\nlbpair_ha_vote{of=\"peer\"} %d\n"
	    "lbpair_ha_vote{of=\"witness\"} %d\n",
	    votes.own, votes.peer, votes.witness);
}

static void
direction_write(struct text *t, const char *direction, const uint64_t *counts)
{
	for (unsigned i = 0; i < VRRP_RESULTS; i++)
		text_printf(t,
		    "lbpair_ha_vrrp_advertisements_total{direction=\"%s\",result=\"%s\"} %llu\n",
		    direction, vrrp_result_name((enum vrrp_result)i),
		    (unsigned long long)counts[i]);
}

static void
advertisements_write(const struct ha_view *v, struct text *t)
{
	const struct vrrp_counters *c = vrrp_count(v->router);

	family(t, "lbpair_ha_vrrp_advertisements_total", "counter",
	    "VRRP packets by direction and what became of them.");
	direction_write(t, "sent", c->sent);
	direction_write(t, "received", c->received);
}

static void
dual_write(const struct ha_view *v, struct text *t)
{
	family(t, "lbpair_ha_dual_active_seconds_total", "counter",
	    "How long both nodes were active at once, unplanned.");
	text_printf(t, "lbpair_ha_dual_active_seconds_total ");
	seconds(t, standing(v).dual_ns);
}

static void
delay_write(const struct ha_view *v, struct text *t)
{
	const struct delay *d = v->delay;
	uint64_t seen = 0;

	family(t, "lbpair_ha_scheduling_delay_seconds", "histogram",
	    "How late this process ran when it wanted to.");
	for (unsigned i = 0; i <= DELAY_BOUNDS; i++) {
		seen += d->buckets[i];
		text_printf(t, "lbpair_ha_scheduling_delay_seconds_bucket{le=\"%s\"} %llu\n",
		    i < DELAY_BOUNDS ? delay_bounds[i].seconds : "+Inf", (unsigned long long)seen);
	}
	text_printf(t, "lbpair_ha_scheduling_delay_seconds_sum ");
	seconds(t, d->sum_ns);
	text_printf(t, "lbpair_ha_scheduling_delay_seconds_count %llu\n", (unsigned long long)d->n);
	family(t, "lbpair_ha_scheduling_delay_worst_seconds", "gauge",
	    "The worst of it within this minute and the last.");
	text_printf(t, "lbpair_ha_scheduling_delay_worst_seconds ");
	seconds(t, delay_worst_ns(d, v->now_ns));
}

static void
handover_write(const struct ha_view *v, struct text *t)
{
	const struct election *e = v->election;
	bool counts = election_counts(e);

	gauge(t, "lbpair_ha_steering_possible", "1 while this node can steer connections.",
	    !v->no_steering);
	gauge(t, "lbpair_ha_draining",
	    "1 while connections are waited for, before or after a planned move.", counts);
	gauge(t, "lbpair_ha_draining_connections", "So many are left.",
	    counts && e->counted ? e->connections : 0);
	family(t, "lbpair_ha_steering_packets_total", "counter",
	    "What became of packets in planned moves.");
	for (unsigned i = 0; i < STEERING_COUNTERS; i++)
		text_printf(t, "lbpair_ha_steering_packets_total{result=\"%s\"} %llu\n",
		    steering_counter_name((enum steering_counter)i),
		    (unsigned long long)v->steering.n[i]);
}

static void
vips_write(const struct ha_view *v, struct text *t)
{
	family(t, "lbpair_ha_vip_held", "gauge",
	    "1 for a virtual address that the kernel of this node has.");
	for (size_t i = 0; i < vip_count(v->vips); i++) {
		char address[ADDRESS_TEXT_MAX];

		address_format_host(&vip_at(v->vips, i)->address, address);
		text_printf(
		    t, "lbpair_ha_vip_held{address=\"%s\"} %d\n", address, vip_present(v->vips, i));
	}
}

static void
hooks_write(const struct ha_view *v, struct text *t)
{
	family(t, "lbpair_ha_hook_runs_total", "counter", "Runs of hooks that have ended.");
	for (unsigned i = 0; i < HA_HOOKS; i++)
		for (unsigned j = 0; j < HOOK_RESULTS; j++)
			text_printf(t,
			    "lbpair_ha_hook_runs_total{hook=\"%s\",result=\"%s\"} %llu\n",
			    hook_name((enum ha_hook)i), hook_result_name((enum hook_result)j),
			    (unsigned long long)v->hook.runs[i][j]);
	gauge(t, "lbpair_ha_hook_failing",
	    "1 while the hook of the present role has not succeeded.", v->hook.failing);
}

static void
alarms_write(const struct ha_view *v, struct text *t)
{
	family(t, "lbpair_ha_alarm", "gauge", "1 for what is wrong now.");
	for (unsigned i = 0; i < ELECTION_ALARMS; i++) {
		enum election_alarm alarm = (enum election_alarm)(1u << i);

		text_printf(t, "lbpair_ha_alarm{name=\"%s\"} %d\n", election_alarm_name(alarm),
		    (standing(v).alarms & alarm) != 0);
	}
}

void
ha_metrics_write(const struct ha_view *v, struct text *t)
{
	role_write(v, t);
	transitions_write(v, t);
	if (v->vrrp)
		advertisements_write(v, t);
	else
		heartbeats_write(v, t);
	gauge(t, "lbpair_ha_peer_reachable", "1 while the peer is heard on some path.",
	    standing(v).peer_reachable);
	if (v->witness)
		witness_write(v, t);
	dual_write(v, t);
	delay_write(v, t);
	if (!v->vrrp)
		handover_write(v, t);
	if (!v->vrrp)
		gauge(t, "lbpair_ha_term", "The present term: each claim raises it.",
		    v->election->term);
	gauge(t, "lbpair_ha_eligible", "1 while tracking lets this node serve.", v->track.eligible);
	vips_write(v, t);
	if (v->hook.configured)
		hooks_write(v, t);
	alarms_write(v, t);
}
