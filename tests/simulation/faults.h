/*
 * faults.h - what goes wrong in a schedule, drawn from its seed: cut wires, lost and late packets,
 * killed, frozen and paused nodes, dead lbds, lost links, operators, wrong clocks.  In the end
 * everything is made well, so that the judge can see whether the pair recovers.
 */
#ifndef SIMULATION_FAULTS_H
#define SIMULATION_FAULTS_H

#include "tests/simulation/world.h"

enum { FAULTS_MAX = 8 };

enum fault_type {
	FAULT_CUT, /* one path, or all; one way, or both */
	FAULT_LAN, /* the clients' network between the nodes, and path 0 with it */
	FAULT_LOSSY, /* all paths */
	FAULT_SLOW, /* late and out of order */
	FAULT_KILL, /* the daemon */
	FAULT_FREEZE, /* the daemon */
	FAULT_PAUSE, /* the machine */
	FAULT_POWER,
	FAULT_LINK, /* carrier of the clients' network */
	FAULT_GATEWAY,
	FAULT_LBD,
	FAULT_LBD_FLAPS,
	FAULT_SERVERS, /* none up, seen from this node */
	FAULT_LATE, /* timers fire late */
	FAULT_CONFIG, /* differs */
	FAULT_PRIORITY,
	FAULT_VIP_GONE, /* somebody deletes the address */
	FAULT_STRANGER, /* somebody else announces it */
	FAULT_FAILOVER,
	FAULT_STANDBY,
	FAULT_STOP, /* the service, then started again */
	FAULT_WITNESS, /* it is off */
	FAULT_WITNESS_RESTARTS,
	FAULT_WITNESS_CUT, /* from one node, or from both */
	FAULT_PARTITION, /* no path between the nodes */
	FAULT_TYPES,
};

struct fault {
	enum fault_type type;
	uint8_t node;
	uint32_t how; /* random bits, their meaning is the type's */
	int64_t for_ns;
	bool on;
};

struct plan {
	struct fault faults[FAULTS_MAX];
	unsigned n;
};

/* Configuration, faults and times of w->seed. */
void faults_plan(struct world *, struct plan *);

void faults_begin(struct world *, unsigned i);
void faults_end(struct world *, unsigned i);
void faults_heal(struct world *);

#endif
