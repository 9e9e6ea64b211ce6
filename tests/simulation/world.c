/* world.c - processes, kernels, wires: what node.c and Linux are in reality. */
#include "tests/simulation/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/judge.h"

enum { PROBE_TRIES = 3 };

void
world_say(const struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->trace)
		return;
	printf("%10.3f ", (double)w->now_ns / 1e6);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int64_t
world_local(const struct world *w, unsigned n)
{
	return w->now_ns + w->now_ns / 1000000 * w->nodes[n].ppm - w->nodes[n].lost_ns;
}

static void
add(struct world *w, int64_t in_ns, enum happening type, unsigned n, uint32_t what, uint32_t more)
{
	queue_add(
	    &w->queue, (struct due){ w->now_ns + in_ns, 0, (uint8_t)type, (uint8_t)n, what, more });
}

static bool
alive(const struct node *n)
{
	return n->powered && !n->paused;
}

bool
world_holds(const struct world *w, unsigned n)
{
	const struct node *node = &w->nodes[n];

	return alive(node) && node->vip && w->now_ns < node->vip_until_ns;
}

bool
world_lingers(const struct world *w, unsigned n)
{
	return w->nodes[n].lingers && world_holds(w, n);
}

bool
world_sees_address(const struct world *w, unsigned n)
{
	return alive(&w->nodes[n]) && w->lan && w->nodes[n].carrier && w->nodes[!n].carrier &&
	    world_holds(w, !n) && !(w->steers && w->nodes[!n].lingers) && !w->nodes[!n].hushed;
}

bool
world_sees_service(const struct world *w, unsigned n)
{
	return world_sees_address(w, n) && w->nodes[!n].lbd_up;
}

static struct packet *
packet_new(struct world *w)
{
	unsigned i;

	for (i = 0; i < PACKETS; i++) {
		struct packet *p = &w->packets[w->next_packet++ % PACKETS];

		if (!p->users)
			return p;
	}
	CHECK_NEVER();
}

static bool
wire_up(const struct world *w, unsigned from, unsigned path)
{
	if (path == 0 && !(w->lan && w->nodes[from].carrier && w->nodes[!from].carrier))
		return false;
	return !w->wires[from][path].cut;
}

static void
deliver_later(struct world *w, unsigned from, struct packet *p, const struct wire *wire)
{
	int64_t delay = 100 * NS_PER_US + random_between(&w->random, 0, wire->delay_ns);

	p->users++;
	add(w, delay, HAPPEN_PACKET, !from, (uint32_t)(p - w->packets), 0);
}

static void
send_heartbeat(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];
	struct heartbeat h = election_heartbeat(&node->election, world_local(w, n));
	unsigned path;

	for (path = 0; path < node->config.paths; path++) {
		const struct wire *wire = &w->wires[n][path];
		struct packet *p;

		if (!wire_up(w, n, path) || random_chance(&w->random, wire->loss))
			continue;
		p = packet_new(w);
		p->content = h;
		p->sent_ns = w->now_ns;
		p->life = node->life;
		p->path = (uint8_t)path;
		deliver_later(w, n, p, wire);
		if (random_chance(&w->random, wire->twice))
			deliver_later(w, n, p, wire);
	}
}

static void
kernel_renews(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];
	int64_t slack = random_between(&w->random, 0, 50 * NS_PER_MS);

	node->vip = true;
	node->vip_until_ns =
	    node->config.lease_ns ? w->now_ns + node->config.lease_ns + slack : INT64_MAX;
}

static void
set_timer(struct world *w, unsigned n, int64_t at_local)
{
	struct node *node = &w->nodes[n];
	int64_t in = at_local - world_local(w, n);
	struct due d = { 0, 0, HAPPEN_TIMER, (uint8_t)n, node->life, 0 };

	in += in / 1000000 * -node->ppm;
	in += random_between(&w->random, 0, node->late_ns);
	d.at_ns = w->now_ns + (in > 0 ? in : 0) + 1000;
	node->timer_at = queue_add(&w->queue, d);
}

/* --- the witness --- */

static int64_t
third_local(const struct world *w)
{
	return w->now_ns + w->now_ns / 1000000 * w->third.ppm;
}

void
world_third_up(struct world *w)
{
	struct third *t = &w->third;
	int64_t longest = witness_lease_ns(w->nodes[0].config.lease_ns);

	if (t->up)
		return;
	t->up = true;
	memset(&t->lease, 0, sizeof(t->lease));
	memset(t->heard, 0, sizeof(t->heard));
	t->terms = (struct witness_terms){ third_local(w) + longest, longest };
}

/* The way to it is lossy and slow when the paths are. */
static void
letter_send(struct world *w, unsigned n, uint32_t slot, enum happening arrives)
{
	const struct wire *wire = &w->wires[n][0];
	int64_t delay = 200 * NS_PER_US + random_between(&w->random, 0, wire->delay_ns);

	if (w->third.cut[n] || !w->nodes[n].carrier || random_chance(&w->random, wire->loss))
		return;
	add(w, delay, arrives, n, slot, 0);
}

static void
ask_third(struct world *w, unsigned n, const struct witness_request *r)
{
	uint32_t slot = w->next_letter++ % LETTERS;

	w->letters[slot] = (struct letter){ .life = w->nodes[n].life, .request = *r };
	letter_send(w, n, slot, HAPPEN_ASKED);
}

static void
third_asked(struct world *w, unsigned n, uint32_t slot)
{
	struct third *t = &w->third;
	struct letter *l = &w->letters[slot];

	if (!t->up || l->life < t->heard_life[n] ||
	    (l->life == t->heard_life[n] && l->request.id <= t->heard[n]))
		return;
	t->heard_life[n] = l->life;
	t->heard[n] = l->request.id;
	l->answer = witness_decide(&t->lease, &t->terms, n + 1, &l->request, third_local(w));
	if (w->trace && l->request.wish != WITNESS_LOOK)
		world_say(w, "    witness to %u: %s for %d ms%s", n,
		    witness_verdict_name(l->answer.verdict), (int)(l->answer.left_ns / NS_PER_MS),
		    l->request.wish == WITNESS_GIVE_BACK ? " (given back)" : "");
	letter_send(w, n, slot, HAPPEN_ANSWERED);
}

static void
third_answered(struct world *w, unsigned n, uint32_t slot)
{
	const struct letter *l = &w->letters[slot];
	const struct election_event ev = { .type = ELECTION_WITNESS, .witness = l->answer };

	if (l->life == w->nodes[n].life)
		world_event(w, n, &ev);
}

/* --- lingering: node_act.c, and vip.c, which renews what is claimed --- */

static void
linger_stop(struct node *node)
{
	node->lingers = node->hushed = node->vip = false;
}

static void
linger_watch(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];
	int64_t in = node->lingers_until_ns - world_local(w, n), lease = node->config.lease_ns;

	if (lease && in > lease / 3)
		in = lease / 3;
	if (in < NS_PER_MS) /* the election ends a drain */
		in = NS_PER_MS;
	add(w, in + random_between(&w->random, 0, node->late_ns), HAPPEN_LINGER, n, node->life, 0);
}

static void
linger_begin(struct world *w, unsigned n, int64_t for_ns)
{
	struct node *node = &w->nodes[n];

	node->lingers = true;
	node->stay_ns = for_ns;
	node->lingers_until_ns = world_local(w, n) + for_ns;
	linger_watch(w, n);
}

static void
release(struct world *w, unsigned n, const struct election_out *out)
{
	struct node *node = &w->nodes[n];

	if (!node->vip || !election_may_linger(&node->election, out, world_local(w, n))) {
		linger_stop(node);
		return;
	}
	world_say(w, "node %u: lingers", n);
	linger_begin(w, n, w->linger_ns);
}

static void
stop(struct world *w, unsigned n)
{
	world_say(w, "node %u: stopped", n);
	w->nodes[n].process = PROCESS_DEAD;
	judge_died(w, n);
	if (w->now_ns >= w->heal_ns)
		add(w, 10 * NS_PER_MS, HAPPEN_START, n, 0, 0);
}

/* A process that stood still looks first whether it is late. */
static void
linger_look(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];

	if (!node->lingers || node->process != PROCESS_RUNNING)
		return;
	if (node->drains || world_local(w, n) < node->lingers_until_ns) {
		kernel_renews(w, n);
		linger_watch(w, n);
		return;
	}
	linger_stop(node);
	if (node->ends)
		stop(w, n);
}

/* vip.c is told by how late it renews. */
static void
linger_after_stall(struct world *w, unsigned n, int64_t stood_ns)
{
	const struct election_event stalled = { .type = ELECTION_STALLED };
	struct node *node = &w->nodes[n];
	bool long_ = stood_ns > election_dead_ns(&node->election);

	if (node->drains && long_)
		world_event(w, n, &stalled);
	else if (node->lingers && long_)
		node->lingers_until_ns = 0;
	linger_look(w, n);
}

/* --- the drain: node_steer.c and lbd --- */

static void
count_later(struct world *w, unsigned n)
{
	add(w, random_between(&w->random, 20 * NS_PER_MS, 150 * NS_PER_MS), HAPPEN_COUNT, n,
	    w->nodes[n].life, 0);
}

static void
on_count(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];
	struct election_event ev = { .type = ELECTION_CONNECTIONS };

	node->counting = node->process == PROCESS_FROZEN || election_counts(&node->election);
	if (!node->counting)
		return;
	count_later(w, n);
	if (node->connections && random_chance(&w->random, 200))
		node->connections--;
	ev.connections = node->connections;
	world_event(w, n, &ev);
}

static void
drain_follow(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];
	bool drains = election_drains(&node->election);

	if (drains && !node->drains) {
		world_say(w, "node %u: drains", n);
		linger_begin(w, n, node->config.drain_ns);
	}
	node->drains = drains;
	if (!drains && node->election.role != ROLE_INITIALIZE) /* rules of another life end then */
		node->hushed = false;
	if (!node->counting && election_counts(&node->election)) {
		node->counting = true;
		node->connections = random_below(&w->random, 5);
		count_later(w, n);
	}
}

static void
perform(struct world *w, unsigned n, const struct election_out *out)
{
	struct node *node = &w->nodes[n];

	node->hushed |= election_drains(&node->election);
	if (out->todo & ELECTION_DO_RELEASE)
		release(w, n, out);
	if (out->todo & (ELECTION_DO_CLAIM | ELECTION_DO_REFRESH)) {
		node->lingers = node->hushed = false;
		kernel_renews(w, n);
	}
	drain_follow(w, n);
	if (out->todo & ELECTION_DO_SEND)
		send_heartbeat(w, n);
	if (out->todo & ELECTION_DO_PROBE) {
		CHECK(out->probe_budget_ns > 0);
		add(w, 0, HAPPEN_PROBE, n, out->probe_id,
		    (uint32_t)(out->probe_budget_ns / PROBE_TRIES / 1000) << 4);
	}
	if (out->todo & ELECTION_DO_PERSIST)
		add(w, random_between(&w->random, 0, 20 * NS_PER_MS), HAPPEN_DISK, n, node->life,
		    0);
	if (out->todo & ELECTION_DO_WITNESS)
		ask_third(w, n, &out->witness);
	if (out->todo & ELECTION_DO_STOPPED)
		node->ends = true;
	if (node->ends && !node->lingers) /* else when that is over */
		stop(w, n);
	else if (out->timer_ns < INT64_MAX)
		set_timer(w, n, out->timer_ns);
}

static void
say_step(const struct world *w, unsigned n, const struct election_out *out)
{
	const struct election *e = &w->nodes[n].election;
	unsigned i;

	for (i = 0; i < out->n_transitions; i++)
		world_say(w, "node %u: %s -> %s: %s, term %llu", n,
		    role_name(out->transitions[i].from), role_name(out->transitions[i].to),
		    cause_name(out->transitions[i].cause), (unsigned long long)e->term);
	if (out->answered)
		world_say(w, "node %u: command: %s", n,
		    out->refusal ? refusal_name(out->refusal) : "done");
}

void
world_event(struct world *w, unsigned n, const struct election_event *ev)
{
	struct node *node = &w->nodes[n];
	struct judge_was was = { node->election.role, node->election.term,
		node->election.probe.silent, node->election.peer.last.session,
		node->election.peer.last.sequence, election_drains(&node->election),
		node->election.stepped_ns };
	struct election_out out;

	if (node->process != PROCESS_RUNNING)
		return;
	w->steps++;
	out = election_step(&node->election, ev, world_local(w, n));
	if (w->trace)
		say_step(w, n, &out);
	judge_step(w, n, was, ev, &out);
	perform(w, n, &out);
}

/* As session.c does: no former session, no number twice; a new session answers us. */
static bool
session_lets_in(struct node *node, const struct packet *p)
{
	if (p->life < node->peer_life ||
	    (p->life > node->peer_life && p->sent_ns < node->started_ns))
		return false;
	if (p->life > node->peer_life)
		memset(node->seen, 0, sizeof(node->seen));
	node->peer_life = p->life;
	if (p->content.sequence <= node->seen[p->path])
		return false;
	node->seen[p->path] = p->content.sequence;
	return true;
}

static void
on_packet(struct world *w, unsigned n, struct packet *p)
{
	struct election_event ev = { .type = ELECTION_HEARTBEAT };

	if (!session_lets_in(&w->nodes[n], p))
		return;
	ev.heartbeat.path = p->path;
	ev.heartbeat.content = p->content;
	if (w->trace)
		world_say(w, "    %u hears #%llu on %u: %s term %llu hears %u%s%s%s", n,
		    (unsigned long long)p->content.sequence, p->path, role_name(p->content.role),
		    (unsigned long long)p->content.term, p->content.hears,
		    p->content.message == MESSAGE_TAKE ? " TAKE" : "",
		    p->content.message == MESSAGE_REFUSED ? " REFUSED" : "",
		    p->content.eligible ? "" : " unfit");
	world_event(w, n, &ev);
	judge_heard(w, n, p);
}

static void
packet_arrives(struct world *w, unsigned n, unsigned slot)
{
	struct node *node = &w->nodes[n];
	struct packet *p = &w->packets[slot];

	if (node->process == PROCESS_FROZEN && node->n_inbox < INBOX) {
		node->inbox[node->n_inbox++] = (uint16_t)slot;
		return;
	}
	if (node->process == PROCESS_RUNNING)
		on_packet(w, n, p);
	p->users--;
}

static void
forget_inbox(struct world *w, struct node *node)
{
	unsigned i;

	for (i = 0; i < node->n_inbox; i++)
		w->packets[node->inbox[i]].users--;
	node->n_inbox = 0;
}

void
world_track(struct world *w, unsigned n)
{
	add(w, random_between(&w->random, 100 * NS_PER_US, 2 * NS_PER_MS), HAPPEN_TRACK, n,
	    w->nodes[n].life, 0);
}

static void
on_track(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];
	struct election_event ev = { .type = ELECTION_TRACKED };

	ev.tracked = (struct election_track){
		.eligible = node->lbd_up && node->carrier && node->gateways,
		.why = !node->carrier ? CAUSE_LINK_DOWN
		    : !node->gateways ? CAUSE_GATEWAYS_LOST
		    : !node->lbd_up   ? CAUSE_LBD_DOWN
				      : CAUSE_NONE,
		.isolated = !node->carrier || !node->gateways,
		.lbd_ready = node->lbd_up,
		.steers = node->steers,
		.servers_up = node->lbd_up ? node->servers_up : 0,
		.priority = node->priority,
	};
	if (node->process == PROCESS_RUNNING)
		node->tracks = true;
	world_event(w, n, &ev);
}

static void
probe_answers(struct world *w, unsigned n, uint32_t id, enum election_vip result)
{
	struct election_event ev = { .type = ELECTION_PROBED };

	if (w->trace)
		world_say(w, "    %u probed: %s", n,
		    result == ELECTION_VIP_SILENT           ? "silent"
			: result == ELECTION_VIP_NO_SERVICE ? "no service"
							    : "serves");
	judge_probed(w, n, result == ELECTION_VIP_SILENT && world_sees_address(w, n));
	ev.probed.id = id;
	ev.probed.result = result;
	ev.probed.by_peer = true;
	world_event(w, n, &ev);
}

/* `more`: microseconds between two tries, and in four bits the number of those made. */
static void
on_probe(struct world *w, unsigned n, uint32_t id, uint32_t more)
{
	uint32_t tries = more & 15;

	if (w->nodes[n].process != PROCESS_RUNNING)
		return;
	if (tries == PROBE_TRIES) {
		probe_answers(w, n, id, ELECTION_VIP_SILENT);
		return;
	}
	if (world_sees_address(w, n) && !random_chance(&w->random, w->arp_loss)) {
		/* Where the addresses are, no service can be asked. */
		bool serves = w->nodes[!n].lbd_up || w->nodes[n].drains;

		probe_answers(w, n, id, serves ? ELECTION_VIP_SERVES : ELECTION_VIP_NO_SERVICE);
		return;
	}
	add(w, (int64_t)(more >> 4) * NS_PER_US, HAPPEN_PROBE, n, id, more + 1);
}

void
world_start(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];
	struct election_event ev = { .type = ELECTION_START };
	bool held = world_holds(w, n);
	int64_t left = held && node->config.lease_ns ? node->vip_until_ns - w->now_ns : INT64_MAX;

	if (node->paused)
		add(w, 50 * NS_PER_MS, HAPPEN_START, n, 0, 0);
	if (!node->powered || node->paused || node->process != PROCESS_DEAD)
		return;
	world_say(w, "node %u: starts, term %llu%s", n, (unsigned long long)node->disk_term,
	    held ? ", holds" : "");
	node->process = PROCESS_RUNNING;
	node->life++;
	node->started_ns = w->now_ns;
	node->peer_life = 0;
	node->n_inbox = 0;
	node->ends = node->counting = false;
	election_init(&node->election, &node->config);
	judge_started(w, n);
	ev.start = (struct election_start){ random_next(&w->random) | 1, node->disk_term, held,
		random_chance(&w->random, 500) || left == INT64_MAX ? left : 0,
		node->disk_standby };
	world_event(w, n, &ev);
	add(w, random_between(&w->random, NS_PER_MS, 200 * NS_PER_MS), HAPPEN_TRACK, n, node->life,
	    0);
}

void
world_kill(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];

	if (node->process == PROCESS_DEAD)
		return;
	world_say(w, "node %u: killed", n);
	node->process = PROCESS_DEAD;
	node->lingers = node->drains = false; /* its addresses stay until their lease ends */
	forget_inbox(w, node);
	judge_died(w, n);
}

void
world_freeze(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];

	if (node->process != PROCESS_RUNNING)
		return;
	node->process = PROCESS_FROZEN;
	node->frozen_ns = world_local(w, n);
}

/* As node.c must do it: a step before anything is read. */
void
world_thaw(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];
	struct election_event ev = { .type = ELECTION_TIMER };
	unsigned i, waiting = node->n_inbox;

	if (node->process != PROCESS_FROZEN || node->paused)
		return;
	world_say(w, "node %u: wakes, %u packets wait", n, waiting);
	node->process = PROCESS_RUNNING;
	world_event(w, n, &ev);
	linger_after_stall(w, n, world_local(w, n) - node->frozen_ns);
	judge_woke(w, n, world_local(w, n) - node->frozen_ns);
	for (i = 0; i < waiting && node->process == PROCESS_RUNNING; i++)
		on_packet(w, n, &w->packets[node->inbox[i]]);
	forget_inbox(w, node);
	world_track(w, n);
	if (node->election.role == ROLE_ACTIVE && !node->vip)
		world_event(w, n, &(struct election_event){ .type = ELECTION_VIP_GONE });
}

void
world_pause(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];

	if (!node->powered || node->paused)
		return;
	node->paused = true;
	node->paused_ns = w->now_ns;
	node->paused_asking =
	    node->election.vacant_from || node->election.take.from || node->election.order_until_ns;
	world_freeze(w, n);
}

void
world_resume(struct world *w, unsigned n, bool clock_stood)
{
	struct node *node = &w->nodes[n];
	int64_t gone = w->now_ns - node->paused_ns;

	if (!node->paused)
		return;
	node->paused = false;
	node->resumed_ns = w->now_ns;
	if (clock_stood) {
		node->lost_ns += gone + gone / 1000000 * node->ppm;
		if (node->vip_until_ns != INT64_MAX)
			node->vip_until_ns += gone;
	}
	add(w, random_between(&w->random, 0, 10 * NS_PER_MS), HAPPEN_THAW, n, 0, 0);
}

void
world_power_off(struct world *w, unsigned n)
{
	struct node *node = &w->nodes[n];

	world_kill(w, n);
	node->powered = node->paused = node->vip = node->hushed = false;
}

static void
happen(struct world *w, const struct due *d)
{
	static const struct election_event timer = { .type = ELECTION_TIMER };
	unsigned n = d->node;
	struct node *node = &w->nodes[n];

	switch ((enum happening)d->type) {
	case HAPPEN_TIMER:
		if (d->id == node->timer_at && d->what == node->life)
			world_event(w, n, &timer);
		break;
	case HAPPEN_PACKET:
		packet_arrives(w, n, d->what);
		break;
	case HAPPEN_TRACK:
		if (d->what == node->life)
			on_track(w, n);
		break;
	case HAPPEN_PROBE:
		on_probe(w, n, d->what, d->more);
		break;
	case HAPPEN_DISK:
		if (d->what == node->life && node->process == PROCESS_RUNNING)
			node->disk_term = node->election.term;
		break;
	case HAPPEN_ASKED:
		third_asked(w, n, d->what);
		break;
	case HAPPEN_ANSWERED:
		third_answered(w, n, d->what);
		break;
	case HAPPEN_THAW:
		world_thaw(w, n);
		break;
	case HAPPEN_LINGER:
		if (d->what == node->life)
			linger_look(w, n);
		break;
	case HAPPEN_COUNT:
		if (d->what == node->life && node->process != PROCESS_DEAD)
			on_count(w, n);
		break;
	case HAPPEN_START:
		world_start(w, n);
		break;
	case HAPPEN_FAULT:
		faults_begin(w, d->what);
		break;
	case HAPPEN_FAULT_ENDS:
		faults_end(w, d->what);
		break;
	case HAPPEN_HEAL:
		faults_heal(w);
		break;
	}
}

void
world_init(struct world *w, uint64_t seed, int64_t linger_ns, bool trace, struct judge *judge)
{
	unsigned n, path;

	w->seed = w->random.state = seed;
	w->now_ns = 1000 * NS_PER_S;
	w->queue.n = 0;
	w->queue.last_id = 0;
	w->next_packet = 0;
	for (n = 0; n < PACKETS; n++)
		w->packets[n].users = 0;
	memset(w->nodes, 0, sizeof(w->nodes));
	memset(w->wires, 0, sizeof(w->wires));
	memset(&w->third, 0, sizeof(w->third));
	w->next_letter = 0;
	w->lan = true;
	w->arp_loss = 0;
	w->linger_ns = linger_ns;
	w->steers = linger_ns > ELECTION_LINGER_MS * NS_PER_MS;
	w->steps = 0;
	w->trace = trace;
	w->judge = judge;
	for (n = 0; n < NODES; n++) {
		w->nodes[n].powered = w->nodes[n].carrier = true;
		w->nodes[n].lbd_up = w->nodes[n].gateways = true;
		w->nodes[n].servers_up = 2;
		for (path = 0; path < PATHS; path++)
			w->wires[n][path].delay_ns = 400 * NS_PER_US;
	}
}

void
world_run(struct world *w)
{
	struct due d;

	while (queue_take(&w->queue, &d) && d.at_ns < w->end_ns && !w->judge->verdict[0]) {
		w->now_ns = d.at_ns;
		happen(w, &d);
		judge_look(w);
	}
	if (!w->judge->verdict[0])
		judge_end(w);
}
