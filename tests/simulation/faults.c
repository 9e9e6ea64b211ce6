/* faults.c - the plan of a schedule, and how each fault begins and ends. */
#include "tests/simulation/faults.h"

#include <string.h>

#include "tests/simulation/judge.h"

static const char *const names[FAULT_TYPES] = { "cut", "lan", "lossy", "slow", "kill", "freeze",
	"pause", "power", "link", "gateway", "lbd", "lbd_flaps", "servers", "late", "config",
	"priority", "vip_gone", "stranger", "failover", "standby", "stop", "witness",
	"witness_restarts", "witness_cut", "partition" };

static void
configure(struct world *w, unsigned n, const struct election_config *common, unsigned prefer)
{
	struct node *node = &w->nodes[n];
	struct random *r = &w->random;

	node->config = *common;
	node->config.order = (uint8_t)n;
	node->config.peer_order = (uint8_t)!n;
	if (prefer < NODES)
		node->config.prefer = prefer == n ? PREFER_SELF : PREFER_PEER;
	node->priority = (uint16_t)(random_chance(r, 500) ? 100 : 50 + random_below(r, 150));
	node->ppm = random_between(r, -20000, 20000);
	node->late_ns = random_between(r, 0, 3 * NS_PER_MS);
	node->steers = random_chance(r, 800);
	node->disk_term = random_chance(r, 300) ? random_below(r, 10) : 0;
}

static void
choose_config(struct world *w)
{
	struct random *r = &w->random;
	struct election_config c = {
		.paths = (uint8_t)(1 + random_below(r, PATHS)),
		.digest = 7,
		.interval_ns = random_chance(r, 900) ? 100 * NS_PER_MS : 20 * NS_PER_MS,
		.dead_after = 3,
		.lease_ns = random_chance(r, 900) ? NS_PER_S : 0,
		.probe = random_chance(r, 950),
		.preempt = random_chance(r, 200),
		.preempt_delay_ns = random_chance(r, 500) ? 0 : random_between(r, 0, 2 * NS_PER_S),
		.moves = random_chance(r, 800) ? 5 : 0,
		.moves_within_ns = 60 * NS_PER_S,
		.handover_ns = NS_PER_S,
		.drain_ns =
		    random_chance(r, 600) ? random_between(r, 100 * NS_PER_MS, 2 * NS_PER_S) : 0,
	};
	bool third = random_chance(r, 400);
	unsigned n, prefer = random_chance(r, 150) ? random_below(r, 2) : NODES;

	if (c.interval_ns < 100 * NS_PER_MS)
		c.dead_after = 5;
	c.witness = third && c.lease_ns;
	for (n = 0; n < NODES; n++)
		configure(w, n, &c, prefer);
	w->third.ppm = random_between(r, -20000, 20000);
	if (c.witness)
		world_third_up(w);
}

static void
add(struct world *w, int64_t at_ns, enum happening type, uint32_t what)
{
	queue_add(&w->queue, (struct due){ at_ns, 0, (uint8_t)type, 0, what, 0 });
}

/* Short faults are where races are. */
static int64_t
some_time(struct random *r)
{
	return random_chance(r, 500) ? random_between(r, NS_PER_MS, 500 * NS_PER_MS)
				     : random_between(r, 300 * NS_PER_MS, 6 * NS_PER_S);
}

/* With a witness votes are what goes wrong: half of the faults are of those that part voters. */
static enum fault_type
some_fault(const struct world *w, struct random *r)
{
	static const enum fault_type parting[] = { FAULT_PARTITION, FAULT_PARTITION, FAULT_WITNESS,
		FAULT_WITNESS_RESTARTS, FAULT_WITNESS_CUT, FAULT_WITNESS_CUT, FAULT_KILL,
		FAULT_FREEZE, FAULT_FAILOVER, FAULT_SLOW, FAULT_STANDBY };

	if (w->nodes[0].config.witness && random_chance(r, 500))
		return parting[random_below(r, sizeof(parting) / sizeof(*parting))];
	return (enum fault_type)random_below(r, FAULT_TYPES);
}

void
faults_plan(struct world *w, struct plan *plan)
{
	struct random *r = &w->random;
	int64_t start = w->now_ns, from = start + 2 * NS_PER_S, at = from;
	unsigned i;

	w->plan = plan;
	choose_config(w);
	plan->n = random_below(r, FAULTS_MAX + 1);
	w->heal_ns = start + 8 * NS_PER_S;
	w->end_ns = w->heal_ns + JUDGE_SETTLE_NS + 2 * NS_PER_S + w->linger_ns +
	    2 * w->nodes[0].config.drain_ns;
	for (i = 0; i < plan->n; i++) {
		struct fault *f = &plan->faults[i];

		*f = (struct fault){ some_fault(w, r), (uint8_t)random_below(r, NODES),
			(uint32_t)random_next(r), some_time(r), false };
		/* half of them close upon the one before */
		if (i && random_chance(r, 500))
			at += random_between(r, 0, 400 * NS_PER_MS);
		else
			at = random_between(r, from, w->heal_ns - NS_PER_S);
		add(w, at, HAPPEN_FAULT, i);
		add(w, at + f->for_ns, HAPPEN_FAULT_ENDS, i);
	}
	add(w, w->heal_ns, HAPPEN_HEAL, 0);
	add(w, w->heal_ns + 3 * NS_PER_S / 2, HAPPEN_HEAL, 0); /* what was refused as busy before */
	for (i = 0; i < NODES; i++)
		queue_add(&w->queue,
		    (struct due){ start + some_time(r) / 4, 0, HAPPEN_START, (uint8_t)i, 0, 0 });
}

static void
cut(struct world *w, const struct fault *f, bool on)
{
	unsigned n, path;

	for (n = 0; n < NODES; n++)
		for (path = 0; path < PATHS; path++)
			if ((f->how & 1 || n == f->node) &&
			    (f->how & 2 || path == (f->how >> 2 & 1)))
				w->wires[n][path].cut = on;
}

static void
disturb(struct world *w, const struct fault *f, bool on)
{
	unsigned n, path;

	for (n = 0; n < NODES; n++)
		for (path = 0; path < PATHS; path++) {
			struct wire *wire = &w->wires[n][path];

			if (f->type == FAULT_LOSSY) {
				wire->loss = on ? f->how % 600 : 0;
				wire->twice = on ? f->how / 600 % 300 : 0;
			} else {
				wire->delay_ns = on
				    ? (f->how % 8 ? f->how % 150 : f->how / 8 % 1500) * NS_PER_MS
				    : 400 * NS_PER_US;
			}
		}
	if (f->type == FAULT_LOSSY)
		w->arp_loss = on ? f->how / 7 % 300 : 0;
}

/* node_command.c lets one command in at a time, and none when all is over but lingering. */
static bool
busy(const struct world *w, unsigned n)
{
	return w->judge->commands[n] > 0 || w->nodes[n].election.stopped;
}

static void
operate(struct world *w, const struct fault *f)
{
	struct election_event ev = { .type = ELECTION_FAILOVER };

	ev.failover.to = (enum election_target)(f->how % 3);
	ev.failover.force = f->how / 3 % 4 == 0;
	if (busy(w, f->node))
		return;
	judge_command(w, f->node);
	world_event(w, f->node, &ev);
}

static void
standby(struct world *w, unsigned n, bool on, bool force)
{
	struct election_event ev = { .type = ELECTION_STANDBY };

	ev.standby.on = on;
	ev.standby.force = force;
	if (busy(w, n))
		return;
	judge_command(w, n);
	world_event(w, n, &ev);
	w->nodes[n].disk_standby = w->nodes[n].election.standby;
}

static void
witness_cut(struct world *w, const struct fault *f, bool on)
{
	w->third.cut[f->node] = on;
	if (f->how % 3 == 0)
		w->third.cut[!f->node] = on;
}

static void
partition(struct world *w, bool on)
{
	unsigned n, path;

	for (n = 0; n < NODES; n++)
		for (path = 0; path < PATHS; path++)
			w->wires[n][path].cut = on;
}

static void
witness_up(struct world *w)
{
	if (w->nodes[0].config.witness)
		world_third_up(w);
}

static void
simple_event(struct world *w, unsigned n, enum election_event_type type)
{
	struct election_event ev = { .type = type };

	world_event(w, n, &ev);
}

/* What a node's tracking sees. */
static void
fault_of_node(struct world *w, const struct fault *f, bool on)
{
	struct node *node = &w->nodes[f->node];

	switch ((unsigned)f->type) {
	case FAULT_LINK:
		node->carrier = !on;
		break;
	case FAULT_GATEWAY:
		node->gateways = !on;
		break;
	case FAULT_LBD:
	case FAULT_LBD_FLAPS:
		node->lbd_up = !on;
		break;
	case FAULT_SERVERS:
		node->servers_up = on ? 0 : 2;
		break;
	case FAULT_PRIORITY:
		node->priority = (uint16_t)(on ? f->how % 254 + 1 : 100);
		break;
	}
	world_track(w, f->node);
}

static void
lbd_flaps(struct world *w, struct fault *f)
{
	int64_t again = random_between(&w->random, 10 * NS_PER_MS, 500 * NS_PER_MS);

	fault_of_node(w, f, w->nodes[f->node].lbd_up);
	if (w->now_ns + again < w->heal_ns && f->how-- % 16)
		add(w, w->now_ns + again, HAPPEN_FAULT, (uint32_t)(f - w->plan->faults));
}

static void
config_differs(struct world *w, unsigned n, bool on)
{
	struct node *node = &w->nodes[n];

	node->config.digest = on ? 8 : 7;
	node->config.preempt = w->nodes[!n].config.preempt != on;
	if (node->process != PROCESS_DEAD)
		election_configure(&node->election, &node->config);
	simple_event(w, n, ELECTION_TIMER);
}

static void
vip_gone(struct world *w, unsigned n)
{
	if (!w->nodes[n].vip || w->nodes[n].lingers) /* vip.c puts it back by itself */
		return;
	w->nodes[n].vip = false;
	simple_event(w, n, ELECTION_VIP_GONE);
}

void
faults_begin(struct world *w, unsigned i)
{
	struct fault *f = &w->plan->faults[i];
	unsigned n = f->node;

	if (w->now_ns >= w->heal_ns)
		return;
	world_say(w, "FAULT %s node %u how %u for %d ms", names[f->type], n, f->how,
	    (int)(f->for_ns / NS_PER_MS));
	f->on = true;
	judge_fault(w, f->type, n);
	switch (f->type) {
	case FAULT_CUT:
		cut(w, f, true);
		break;
	case FAULT_LAN:
		w->lan = false;
		break;
	case FAULT_LOSSY:
	case FAULT_SLOW:
		disturb(w, f, true);
		break;
	case FAULT_KILL:
		world_kill(w, n);
		break;
	case FAULT_FREEZE:
		world_freeze(w, n);
		break;
	case FAULT_PAUSE:
		world_pause(w, n);
		break;
	case FAULT_POWER:
		world_power_off(w, n);
		break;
	case FAULT_LBD_FLAPS:
		lbd_flaps(w, f);
		break;
	case FAULT_LINK:
	case FAULT_GATEWAY:
	case FAULT_LBD:
	case FAULT_SERVERS:
	case FAULT_PRIORITY:
		fault_of_node(w, f, true);
		break;
	case FAULT_LATE:
		w->nodes[n].late_ns = f->how % 200 * NS_PER_MS;
		break;
	case FAULT_CONFIG:
		config_differs(w, n, true);
		break;
	case FAULT_VIP_GONE:
		vip_gone(w, n);
		break;
	case FAULT_STRANGER:
		simple_event(w, n, ELECTION_CONFLICT);
		break;
	case FAULT_FAILOVER:
		operate(w, f);
		break;
	case FAULT_STANDBY:
		standby(w, n, true, f->how % 4 == 0);
		break;
	case FAULT_STOP:
		simple_event(w, n, ELECTION_STOP);
		break;
	case FAULT_WITNESS:
		w->third.up = false;
		break;
	case FAULT_WITNESS_RESTARTS:
		w->third.up = false;
		witness_up(w);
		break;
	case FAULT_WITNESS_CUT:
		witness_cut(w, f, true);
		break;
	case FAULT_PARTITION:
		partition(w, true);
		break;
	case FAULT_TYPES:
		break;
	}
}

void
faults_end(struct world *w, unsigned i)
{
	struct fault *f = &w->plan->faults[i];
	unsigned n = f->node;

	if (!f->on)
		return;
	world_say(w, "  end %s node %u", names[f->type], n);
	f->on = false;
	judge_fault(w, f->type, n);
	switch (f->type) {
	case FAULT_CUT:
		cut(w, f, false);
		break;
	case FAULT_LAN:
		w->lan = true;
		break;
	case FAULT_LOSSY:
	case FAULT_SLOW:
		disturb(w, f, false);
		break;
	case FAULT_FREEZE:
		world_thaw(w, n);
		break;
	case FAULT_PAUSE:
		world_resume(w, n, f->how & 1);
		break;
	case FAULT_POWER:
		w->nodes[n].powered = true;
		world_start(w, n);
		break;
	case FAULT_KILL:
	case FAULT_STOP:
		world_start(w, n);
		break;
	case FAULT_LINK:
	case FAULT_GATEWAY:
	case FAULT_LBD:
	case FAULT_LBD_FLAPS:
	case FAULT_SERVERS:
	case FAULT_PRIORITY:
		fault_of_node(w, f, false);
		break;
	case FAULT_LATE:
		w->nodes[n].late_ns = 3 * NS_PER_MS;
		break;
	case FAULT_CONFIG:
		config_differs(w, n, false);
		break;
	case FAULT_STANDBY:
		standby(w, n, false, false);
		break;
	case FAULT_WITNESS:
		witness_up(w);
		break;
	case FAULT_WITNESS_CUT:
		witness_cut(w, f, false);
		break;
	case FAULT_PARTITION:
		partition(w, false);
		break;
	case FAULT_WITNESS_RESTARTS:
	case FAULT_VIP_GONE:
	case FAULT_STRANGER:
	case FAULT_FAILOVER:
	case FAULT_TYPES:
		break;
	}
}

/* Two faults of a kind may have overlapped: the first end undid both.  Now all is well for sure. */
void
faults_heal(struct world *w)
{
	unsigned i;

	world_say(w, "HEAL");
	for (i = 0; i < w->plan->n; i++)
		faults_end(w, i);
	for (i = 0; i < NODES; i++) {
		struct node *node = &w->nodes[i];

		node->powered = true;
		node->disk_standby = false;
		world_resume(w, i, true);
		world_thaw(w, i);
		world_start(w, i);
		if (node->process == PROCESS_RUNNING && node->election.standby)
			standby(w, i, false, false);
	}
}
