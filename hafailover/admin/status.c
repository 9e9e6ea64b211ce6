/*
 * status.c - numbers and names into JSON; all of it is read at this moment, nothing is remembered.
 *
 * json_pack takes values over and answers NULL when any of them is missing, so that one check at the
 * end of each object is enough.
 */
#include "hafailover/admin/status.h"

#include <unistd.h>

#include "hafailover/state/wall_time.h"

static const int64_t TROUBLE_SHOWN_NS = 10 * NS_PER_S;

enum { DIGEST_TEXT_SIZE = 17 };

/* Of the effective configuration, in hexadecimal. */
static void
digest_text(uint64_t digest, char text[DIGEST_TEXT_SIZE])
{
	snprintf(text, DIGEST_TEXT_SIZE, "%016llx", (unsigned long long)digest);
}

static json_t *
time_json(int64_t wall_ns)
{
	return json_string(wall_time_text(wall_ns).text);
}

static json_t *
str_json(struct str s)
{
	return json_stringn(s.n ? s.p : "", s.n);
}

/* Appends, or takes the whole away for want of memory. */
static void
append(json_t **array, json_t *value)
{
	if (json_array_append_new(*array, value) == 0)
		return;
	json_decref(*array);
	*array = NULL;
}

static bool
peer_known(const struct ha_view *v)
{
	return v->election->peer.known;
}

static bool
peer_reachable(const struct ha_view *v)
{
	return election_peer_reachable(v->election, v->now_ns);
}

/* --- virtual addresses --- */

static json_t *
vip_json(const struct ha_view *v, size_t i)
{
	const struct vip_config *vip = vip_at(v->vips, i);
	const struct link *link = vip_interface(v->vips, i);
	bool held = vip_claimed(v->vips) && vip_present(v->vips, i);
	char text[ADDRESS_TEXT_MAX];

	address_format_host(&vip->address, text);
	return json_pack("{s:o, s:o, s:b}", "address", json_sprintf("%s/%u", text, vip->prefix),
	    "interface", link ? json_string(link->name) : json_null(), "held", held);
}

static json_t *
vips_json(const struct ha_view *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < vip_count(v->vips); i++)
		append(&list, vip_json(v, i));
	return list;
}

/* --- the peer --- */

static json_t *
paths_json(const struct ha_view *v)
{
	uint8_t heard =
	    peer_view_paths(&v->election->peer, election_dead_ns(v->election), v->now_ns);
	uint8_t hears = peer_known(v) ? v->election->peer.last.hears : 0;
	json_t *list = json_array();

	for (unsigned i = 0; i < peer_link_paths(v->link); i++) {
		char own[ADDRESS_TEXT_MAX], peer[ADDRESS_TEXT_MAX];
		bool good = heard >> i & 1;

		address_format_host(&peer_link_path(v->link, i)->own, own);
		address_format_host(&peer_link_path(v->link, i)->peer, peer);
		append(&list,
		    json_pack("{s:s, s:s, s:b, s:b}", "address", peer, "from", own, "reachable",
			good, "hears_us", good && hears >> i & 1));
	}
	return list;
}

/* What it said last; nothing of it before it was heard. */
static json_t *
peer_words(const struct ha_view *v)
{
	const struct heartbeat *h = &v->election->peer.last;
	const struct wire_packet *w = peer_link_last(v->link);
	int64_t age = v->now_ns - v->election->peer.last_ns + h->age_ns;

	return json_pack("{s:s, s:o, s:s, s:I, s:i, s:i, s:i, s:i, s:{s:b, s:b}, s:b, s:b, s:b}",
	    "role", role_name(h->role), "since", time_json(v->now_wall_ns - age), "cause",
	    cause_name(h->cause), "term", (json_int_t)h->term, "priority", (int)h->priority,
	    "servers_up", (int)h->servers_up, "servers_unchecked",
	    w ? (int)w->servers_unchecked : 0, "servers_total", w ? (int)w->servers_total : 0,
	    "lbd", "ready", (int)h->lbd_ready, "draining", (int)h->lbd_draining, "eligible",
	    (int)h->eligible, "holding", (int)h->holding, "ready",
	    (int)(peer_reachable(v) && h->eligible && h->lbd_ready && !h->lbd_draining));
}

/*
 * A router that is Active says so; of one that is not nothing is known, not even whether it is
 * there.
 */
static json_t *
router_json(const struct ha_view *v)
{
	bool heard = standing_of(v->election, v->vrrp, v->now_ns).peer_reachable;
	char text[ADDRESS_TEXT_MAX] = "";
	struct address from;
	json_t *o;

	if (vrrp_last_sender(v->router, &from))
		address_format_host(&from, text);
	o = json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "name",
	    str_json(ha_config_peer(v->config)->name), "protocol", "vrrp", "address",
	    *text ? json_string(text) : json_null(), "reachable", heard ? json_true() : json_null(),
	    "role", heard ? json_string(role_name(ROLE_ACTIVE)) : json_null(), "priority",
	    heard ? json_integer(v->vrrp->peer.last.priority) : json_null());
	if (o && json_object_set_new(o, "ready", json_null()) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *
peer_json(const struct ha_view *v)
{
	json_t *o = json_pack("{s:o, s:b, s:o}", "name", str_json(ha_config_peer(v->config)->name),
	    "reachable", peer_reachable(v), "paths", paths_json(v));
	json_t *words = peer_known(v) ? peer_words(v)
				      : json_pack("{s:n, s:n, s:b}", "role", "term", "ready", 0);

	if (!words || json_object_update(o, words) < 0) {
		json_decref(o);
		o = NULL;
	}
	json_decref(words);
	return o;
}

/* --- planned moves --- */

/* What goes on: connections are waited for before the move, or after it; or are the peer's. */
static const char *
handover_phase(const struct ha_view *v)
{
	const struct election *e = v->election;

	if (election_steers(e))
		return "steering";
	if (election_drains(e))
		return "draining";
	if (election_counts(e))
		return "emptying";
	return e->handover.asked ? "moving" : "idle";
}

static json_t *
connections_json(const struct election *e)
{
	if (election_steers(e))
		return json_integer(e->peer.last.connections);
	return election_counts(e) && e->counted ? json_integer(e->connections) : json_null();
}

static json_t *
handover_json(const struct ha_view *v)
{
	const char *why = v->no_steering;

	if (v->vrrp)
		return json_null();
	if (!why && peer_known(v) && !v->election->peer.last.steers)
		why = "the peer cannot";
	return json_pack("{s:b, s:s?, s:I, s:s, s:o, s:I}", "steering", why == NULL, "no_steering",
	    why, "drain_ms", (json_int_t)(v->election->config.drain_ns / NS_PER_MS), "phase",
	    handover_phase(v), "connections", connections_json(v->election), "packets_steered",
	    (json_int_t)v->steered);
}

/* --- the witness --- */

/* Who has its vote, by its last word. */
static const char *
lent_to(const struct witness_answer *a)
{
	switch (a->verdict) {
	case WITNESS_GRANTED:
	case WITNESS_HELD:
		return a->yours ? "here" : "peer";
	case WITNESS_FREE:
	case WITNESS_QUIET:
		return "nobody";
	case WITNESS_TOO_LONG:
	case WITNESS_VERDICTS:
		break;
	}
	return NULL;
}

static json_t *
witness_json(const struct ha_view *v)
{
	const struct witness_answer *a = &v->election->vote.answer;
	struct election_votes votes = election_votes(v->election, v->now_ns);
	char text[ADDRESS_TEXT_MAX];
	bool answers;

	if (!v->witness)
		return json_null();
	answers = election_witness_answers(v->election, v->now_ns);
	address_format(witness_link_address(v->witness), text);
	return json_pack("{s:s, s:b, s:s?, s:s?, s:i, s:{s:b, s:b, s:b}}", "address", text,
	    "reachable", (int)answers, "verdict", answers ? witness_verdict_name(a->verdict) : NULL,
	    "lent_to", answers ? lent_to(a) : NULL, "needed", ELECTION_VOTES_NEEDED, "votes", "own",
	    (int)votes.own, "peer", (int)votes.peer, "witness", (int)votes.witness);
}

/* --- the rest --- */

/* 0: that one is not known. */
static json_t *
digests_json(uint64_t ours, uint64_t theirs)
{
	char own[DIGEST_TEXT_SIZE], peer[DIGEST_TEXT_SIZE];

	digest_text(ours, own);
	digest_text(theirs, peer);
	return json_pack("{s:s?, s:s?, s:o}", "digest", ours ? own : NULL, "peer_digest",
	    theirs ? peer : NULL, "match",
	    ours && theirs ? json_boolean(ours == theirs) : json_null());
}

static json_t *
config_json(const struct ha_view *v)
{
	return digests_json(v->config->digest, v->election->peer.last.digest);
}

/* Of the peer's lbd's configuration, as it said last; with VRRP never. */
static uint64_t
peer_lbd_digest(const struct ha_view *v)
{
	const struct wire_packet *w = v->link ? peer_link_last(v->link) : NULL;

	return w ? w->lbd_digest : 0;
}

static json_t *
lbd_json(const struct ha_view *v)
{
	const struct track_lbd_state *s = v->track.lbd;

	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:o}", "ready", (int)s->ready, "draining",
	    (int)s->draining, "servers_up", (json_int_t)s->servers_up, "servers_unchecked",
	    (json_int_t)s->servers_unchecked, "servers_total", (json_int_t)s->servers_total,
	    "config", digests_json(s->digest, peer_lbd_digest(v)));
}

/* null: none is configured. */
static json_t *
hook_json(const struct ha_view *v)
{
	const struct hook_report *h = &v->hook;
	int64_t again_ms = (h->rule.due_ns - v->now_ns) / NS_PER_MS;

	if (!h->configured)
		return json_null();
	return json_pack("{s:s?, s:s, s:i, s:b, s:o, s:o}", "name", h->name, "state",
	    hook_state_name(h->rule.state), "tries", (int)h->rule.tries, "failing", (int)h->failing,
	    "reason", h->failing ? json_string(h->reason) : json_null(), "again_in_ms",
	    h->rule.state == HOOK_WAITING ? json_integer(again_ms > 0 ? again_ms : 0)
					  : json_null());
}

static void
alarm_add(json_t **list, const char *name, const char *text)
{
	append(list, json_pack("{s:s, s:s}", "name", name, "text", text));
}

static const char *
alarm_text(enum election_alarm alarm)
{
	switch (alarm) {
	case ALARM_PEER_SILENT:
		return "the peer is not heard on any path";
	case ALARM_PATH_SILENT:
		return "the peer is not heard on every path";
	case ALARM_PEER_DEAF:
		return "the peer is heard but does not hear this node";
	case ALARM_VIP_SERVES:
		return "the peer is silent, but the virtual address still serves: heartbeats are "
		       "cut off";
	case ALARM_DUAL_ACTIVE:
		return "both nodes are active";
	case ALARM_CONFLICT:
		return "another station uses a virtual address";
	case ALARM_DAMPED:
		return "too many moves: those that can wait do";
	case ALARM_CONFIG_DIFFERS:
		return "the configurations of the nodes differ";
	case ALARM_NOBODY_ACTIVE:
		return "no node is active, and none can be";
	case ALARM_ACTIVE_UNFIT:
		return "this node is active though it should not be, and the peer is no better";
	case ALARM_WITNESS_SILENT:
		return "the witness does not answer: the peer must not be lost as well";
	case ALARM_WITNESS_REFUSES:
		return "the witness does not lend its vote for as long as `lease` needs: raise its "
		       "own";
	case ALARM_NO_VOTE:
		return "this node would serve, but neither the witness nor the peer lets it";
	case ALARM_VIP_FAILED:
		return "the kernel refuses a virtual address";
	}
	return "unknown";
}

/* What the election does not know: which address, whose, and why. */
static void
alarm_told_add(const struct ha_view *v, json_t **list, enum election_alarm alarm)
{
	const char *name = election_alarm_name(alarm), *what = alarm_text(alarm);
	char text[800];

	if (alarm == ALARM_VIP_FAILED && *v->vip_refused)
		what = v->vip_refused;
	if (alarm == ALARM_CONFLICT && *v->vip_conflict)
		what = v->vip_conflict;
	if (alarm == ALARM_VIP_SERVES && *v->vip_served) {
		snprintf(text, sizeof(text), "%s (%s)", what, v->vip_served);
		what = text;
	}
	alarm_add(list, name, what);
}

/* Advertisements that are refused, while the peer takes part like that. */
static void
refused_add(const struct ha_view *v, json_t **list)
{
	struct vrrp_trouble t = vrrp_trouble(v->router);
	int64_t shown = TROUBLE_SHOWN_NS + 3 * v->vrrp->config.interval_ns;
	char text[300], from[ADDRESS_TEXT_MAX];

	if (t.result == VRRP_OK || v->now_ns - t.at_ns > shown)
		return;
	address_format_host(&t.from, from);
	snprintf(text, sizeof(text), "advertisements from %s are refused: %s", from,
	    vrrp_result_name(t.result));
	alarm_add(list, "vrrp_refused", text);
}

/* Packets that come from the peer's address and cannot be believed. */
static void
trouble_add(const struct ha_view *v, json_t **list)
{
	struct peer_link_trouble t = peer_link_trouble(v->link);
	char text[600];

	if (t.at_ns == 0 || v->now_ns - t.at_ns > TROUBLE_SHOWN_NS)
		return;
	switch (t.result) {
	case PACKET_FORGED:
		alarm_add(list, "secret_differs",
		    "heartbeats come from the peer's address that another secret has sealed");
		break;
	case PACKET_OTHER_VERSION:
		snprintf(text, sizeof(text),
		    "the peer speaks version %u of the protocol, this node version %d", t.version,
		    WIRE_VERSION);
		alarm_add(list, "version_differs", text);
		break;
	case PACKET_STRANGER:
		snprintf(text, sizeof(text), "the node at the peer's address calls itself %s",
		    log_quoted(str_of(t.name)).text);
		alarm_add(list, "name_differs", text);
		break;
	default:
		break;
	}
}

/* The same services from both nodes? */
static void
lbd_add(const struct ha_view *v, json_t **list)
{
	uint64_t ours = v->track.lbd->digest, theirs = peer_lbd_digest(v);

	if (ours && theirs && ours != theirs && peer_reachable(v))
		alarm_add(
		    list, "lbd_config_differs", "the configurations of lbd on the nodes differ");
}

static void
hook_add(const struct ha_view *v, json_t **list)
{
	const struct hook_report *h = &v->hook;
	char text[300];

	if (!h->failing)
		return;
	snprintf(text, sizeof(text), "the hook \"%s\" fails, tried %u times: %s", h->name,
	    h->rule.tries, h->reason);
	alarm_add(list, "hook_failed", text);
}

json_t *
ha_status_alarms(const struct ha_view *v)
{
	unsigned alarms = standing_of(v->election, v->vrrp, v->now_ns).alarms;
	json_t *list = json_array();

	for (unsigned i = 0; i < ELECTION_ALARMS; i++) {
		enum election_alarm alarm = (enum election_alarm)(1u << i);

		if (alarms & alarm)
			alarm_told_add(v, &list, alarm);
	}
	if (v->vrrp)
		refused_add(v, &list);
	else
		trouble_add(v, &list);
	lbd_add(v, &list);
	hook_add(v, &list);
	if (!v->track.eligible)
		alarm_add(&list, "not_eligible", v->track.text);
	return list;
}

json_t *
ha_status_json(const struct ha_view *v)
{
	struct standing e = standing_of(v->election, v->vrrp, v->now_ns);
	json_t *o =
	    json_pack("{s:s, s:I, s:o, s:o, s:s, s:s, s:o, s:s, s:o, s:i, s:b, s:b, s:o, s:o, "
		      "s:o, s:o, s:o, s:o, s:o, s:o}",
		"version", LBPAIR_VERSION, "pid", (json_int_t)getpid(), "started_at",
		time_json(v->started_wall_ns), "node", str_json(ha_config_self(v->config)->name),
		"protocol", v->vrrp ? "vrrp" : "native", "role", role_name(e.role), "since",
		time_json(v->now_wall_ns - (v->now_ns - e.since_ns)), "cause", cause_name(e.cause),
		"term", v->vrrp ? json_null() : json_integer((json_int_t)e.term), "priority",
		(int)e.priority, "eligible", (int)v->track.eligible, "standby", (int)e.standby,
		"vips", vips_json(v), "peer", v->vrrp ? router_json(v) : peer_json(v), "config",
		config_json(v), "lbd", lbd_json(v), "handover", handover_json(v), "witness",
		witness_json(v), "hook", hook_json(v), "alarms", ha_status_alarms(v));

	return o;
}

json_t *
ha_status_history(const struct ha_view *v)
{
	char node[HA_NODE_NAME_MAX + 1];
	json_t *list = json_array();

	snprintf(node, sizeof(node), "%.*s", STR_ARG(ha_config_self(v->config)->name));
	for (unsigned i = 0; i < v->history->n; i++)
		append(&list, history_json(history_at(v->history, i), node));
	return json_pack("{s:o}", "history", list);
}
