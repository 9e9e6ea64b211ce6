/*
 * world.h - two nodes, their kernels, the wires between them, the clients' network, on one clock.
 *
 * Stands where node.c, vip.c, probe.c, peer_link.c, track.c and the kernel stand in reality: it
 * feeds the election and does what the election says.  A schedule is a seed: all that happens follows
 * from it.  The judge (judge.h) is told what happens and compares with what may.
 */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include "common/clock.h"
#include "hafailover/election/election.h"
#include "tests/simulation/queue.h"
#include "tests/simulation/random.h"

enum { NODES = 2, PATHS = 2, INBOX = 64, PACKETS = 1024, LETTERS = 1024 };

enum process {
	PROCESS_DEAD,
	PROCESS_RUNNING,
	PROCESS_FROZEN, /* SIGSTOP, or its machine is paused */
};

/* One heartbeat on its way. */
struct packet {
	struct heartbeat content;
	int64_t sent_ns;
	uint32_t life; /* of the sender */
	uint8_t path;
	uint8_t users; /* deliveries still to come; 0: free */
};

struct node {
	struct election election;
	struct election_config config;
	enum process process;
	uint32_t life; /* counts starts: events for a former one are dropped */
	uint64_t timer_at; /* id of the timer event that counts */
	bool tracks; /* tracking has begun */

	/* this machine's clock: local = global * (1000000 + ppm) / 1000000 - lost */
	int64_t ppm, lost_ns;
	int64_t late_ns; /* timers fire up to so much later */

	/* its kernel */
	bool powered, paused;
	bool carrier;
	bool vip;
	int64_t vip_until_ns; /* lease off: INT64_MAX */
	bool lingers; /* after a planned move: no longer Active, still holds */
	int64_t lingers_until_ns; /* on its own clock */
	int64_t stay_ns; /* so long it may */
	bool drains; /* it lingers as election_drains has it */
	bool hushed; /* the kernel answers no question for the addresses */
	bool steers; /* the kernel can */
	bool counting;
	uint32_t connections; /* left */
	bool ends; /* stopped; but for the lingering */
	int64_t frozen_ns; /* since, on its own clock */
	int64_t paused_ns, resumed_ns;
	bool paused_asking; /* a question was under way then: its answer may be old */
	uint64_t disk_term;
	bool disk_standby;

	/* lbd and what else tracking looks at */
	bool lbd_up, gateways;
	uint16_t servers_up, priority;

	/* what session.c keeps: the newest life of the peer, and what came of it */
	int64_t started_ns;
	uint32_t peer_life;
	uint64_t seen[PATHS];

	uint16_t inbox[INBOX]; /* packets that came while frozen */
	unsigned n_inbox;
};

struct wire {
	bool cut;
	uint32_t loss, twice; /* per mille */
	int64_t delay_ns; /* up to */
};

/* On a third machine; each node has a way to it and back. */
struct third {
	bool up;
	bool cut[NODES];
	int64_t ppm;
	struct witness_lease lease;
	struct witness_terms terms;
	uint32_t heard[NODES], heard_life[NODES]; /* what session.c keeps */
};

/* A question to it, and then its answer, on its way. */
struct letter {
	uint32_t life; /* of the asking node */
	struct witness_request request;
	struct witness_answer answer;
};

struct judge;
struct plan;

struct world {
	uint64_t seed;
	struct random random;
	int64_t now_ns;
	struct queue queue;
	struct packet packets[PACKETS];
	unsigned next_packet;
	struct node nodes[NODES];
	struct wire wires[NODES][PATHS]; /* by sender */
	struct third third;
	struct letter letters[LETTERS];
	unsigned next_letter;
	bool lan; /* the nodes' ports on the clients' network reach each other */
	uint32_t arp_loss; /* per mille */
	int64_t heal_ns, end_ns;
	int64_t linger_ns; /* how long who has handed over keeps its addresses */
	bool steers; /* and is silent to ARP and NS meanwhile */
	uint64_t steps;
	bool trace;
	struct judge *judge;
	struct plan *plan;
};

enum happening {
	HAPPEN_TIMER,
	HAPPEN_PACKET,
	HAPPEN_TRACK,
	HAPPEN_PROBE,
	HAPPEN_DISK,
	HAPPEN_ASKED, /* the witness */
	HAPPEN_ANSWERED,
	HAPPEN_THAW,
	HAPPEN_LINGER, /* it is over, or the lease is due */
	HAPPEN_COUNT, /* of connections */
	HAPPEN_START,
	HAPPEN_FAULT, /* what: index into the plan */
	HAPPEN_FAULT_ENDS,
	HAPPEN_HEAL, /* all faults end */
};

/* A quiet world with both nodes about to start; their configuration is in config. */
void world_init(struct world *, uint64_t seed, int64_t linger_ns, bool trace, struct judge *);

/* Runs until end_ns, or until the judge has found something. */
void world_run(struct world *);

/* What faults do. */
void world_start(struct world *, unsigned node);
void world_kill(struct world *, unsigned node);
void world_freeze(struct world *, unsigned node);
void world_thaw(struct world *, unsigned node);
void world_pause(struct world *, unsigned node);
void world_resume(struct world *, unsigned node, bool clock_stood);
void world_power_off(struct world *, unsigned node);
void world_track(struct world *, unsigned node);
void world_third_up(struct world *); /* the witness starts, and knows nothing */
void world_event(struct world *, unsigned node, const struct election_event *);

int64_t world_local(const struct world *, unsigned node);
bool world_holds(const struct world *, unsigned node);
/* Holds, having handed over: no longer Active, not announcing. */
bool world_lingers(const struct world *, unsigned node);
/* Could `node` see that the other one serves on the virtual address? */
bool world_sees_service(const struct world *, unsigned node);
bool world_sees_address(const struct world *, unsigned node);

__attribute__((format(printf, 2, 3))) void world_say(const struct world *, const char *, ...);

#endif
