/*
 * view_fixture.h - a node as status, metrics and the control socket see it.
 *
 * Its kernel and its peer are made of words: vip_* and peer_link_* are those below, so that nothing
 * here asks a kernel, and the real ones are not linked.
 */
#ifndef TESTS_UNIT_VIEW_FIXTURE_H
#define TESTS_UNIT_VIEW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hafailover/admin/view.h"

enum { FIXTURE_VIPS = 2, FIXTURE_PATHS = 2, FIXTURE_SESSION = 0xa };

static const int64_t FIXTURE_NOW = 1000 * NS_PER_S;
/* 2026-01-02T03:04:05Z */
static const int64_t FIXTURE_WALL = INT64_C(1767323045) * NS_PER_S;

struct vip_table {
	struct vip_config at[FIXTURE_VIPS];
	struct link link; /* of the first; the second has none */
	bool claimed, present[FIXTURE_VIPS];
};

struct peer_link {
	struct peer_link_path paths[FIXTURE_PATHS];
	struct peer_link_counters counters[FIXTURE_PATHS];
	struct wire_packet last;
	bool heard;
	struct peer_link_trouble trouble;
};

struct witness_link {
	struct address witness;
	struct witness_link_counters counters;
};

struct fixture {
	struct ha_config config;
	struct ha_node_config nodes[2];
	struct election election;
	struct vip_table vips;
	struct peer_link link;
	struct witness_link witness;
	struct history history;
	struct delay delay;
	uint64_t transitions[CAUSE_N];
	struct track_lbd_state lbd;
	struct ha_view view;
};

size_t
vip_count(const struct vip_table *t)
{
	(void)t;
	return FIXTURE_VIPS;
}

const struct vip_config *
vip_at(const struct vip_table *t, size_t i)
{
	return &t->at[i];
}

const struct link *
vip_interface(const struct vip_table *t, size_t i)
{
	return i ? NULL : &t->link;
}

bool
vip_claimed(const struct vip_table *t)
{
	return t->claimed;
}

bool
vip_present(const struct vip_table *t, size_t i)
{
	return t->present[i];
}

unsigned
peer_link_paths(const struct peer_link *l)
{
	(void)l;
	return FIXTURE_PATHS;
}

const struct peer_link_path *
peer_link_path(const struct peer_link *l, unsigned path)
{
	return &l->paths[path];
}

const struct peer_link_counters *
peer_link_count(const struct peer_link *l, unsigned path)
{
	return &l->counters[path];
}

const char *
peer_link_result_name(enum peer_link_result r)
{
	static const char *const names[PACKET_RESULTS] = { "ok", "1", "2", "3", "4", "5", "forged",
		"7", "8" };

	return names[r];
}

const struct wire_packet *
peer_link_last(const struct peer_link *l)
{
	return l->heard ? &l->last : NULL;
}

struct peer_link_trouble
peer_link_trouble(const struct peer_link *l)
{
	return l->trouble;
}

const struct address *
witness_link_address(const struct witness_link *l)
{
	return &l->witness;
}

const struct witness_link_counters *
witness_link_count(const struct witness_link *l)
{
	return &l->counters;
}

const char *
witness_link_result_name(enum witness_link_result r)
{
	static const char *const names[ASK_RESULTS] = { "ok", "1", "challenge", "3", "4", "5", "6",
		"7" };

	return names[r];
}

static inline struct address
fixture_address(const char *text)
{
	struct address a;
	struct err err;

	assert_int_equal(address_parse(&a, str_of(text), &err), 0);
	return a;
}

/* An Active with term 6 since 10 s that does not know its peer yet. */
static inline void
fixture_init(struct fixture *f)
{
	static const struct election_config config = {
		.peer_order = 1,
		.paths = FIXTURE_PATHS,
		.digest = 0x1234,
		.interval_ns = 100 * NS_PER_MS,
		.dead_after = 3,
		.lease_ns = NS_PER_S,
		.handover_ns = NS_PER_S,
	};

	memset(f, 0, sizeof(*f));
	f->nodes[0].name = STR("lb1");
	f->nodes[1].name = STR("lb2");
	f->config.nodes = f->nodes;
	f->config.digest = config.digest;
	election_init(&f->election, &config);
	f->election.session = FIXTURE_SESSION;
	f->election.role = ROLE_ACTIVE;
	f->election.cause = CAUSE_OPERATOR;
	f->election.since_ns = FIXTURE_NOW - 10 * NS_PER_S;
	f->election.term = 6;
	f->election.track.priority = 100;
	f->vips.at[0] =
	    (struct vip_config){ .address = fixture_address("192.0.2.9:0"), .prefix = 32 };
	f->vips.at[1] =
	    (struct vip_config){ .address = fixture_address("[2001:db8::9]:0"), .prefix = 128 };
	memcpy(f->vips.link.name, "eth7", 5);
	f->vips.claimed = f->vips.present[0] = true;
	for (int i = 0; i < FIXTURE_PATHS; i++)
		f->link.paths[i] = (struct peer_link_path){
			fixture_address(i ? "10.1.0.1:5405" : "10.0.0.1:5405"),
			fixture_address(i ? "10.1.0.2:5405" : "10.0.0.2:5405"),
		};
	f->lbd = (struct track_lbd_state){ .heard = true,
		.ready = true,
		.servers_up = 2,
		.servers_unchecked = 1,
		.servers_total = 3 };
	f->view = (struct ha_view){
		.now_ns = FIXTURE_NOW,
		.now_wall_ns = FIXTURE_WALL,
		.started_wall_ns = FIXTURE_WALL - 60 * NS_PER_S,
		.config = &f->config,
		.election = &f->election,
		.vips = &f->vips,
		.link = &f->link,
		.history = &f->history,
		.track = { .eligible = true, .settled = true, .lbd = &f->lbd },
		.transitions = f->transitions,
		.delay = &f->delay,
		.vip_refused = "",
		.vip_conflict = "",
		.vip_served = "",
	};
}

/* With a witness, which has answered just now and lends its vote; so does the peer. */
static inline void
fixture_witness(struct fixture *f)
{
	f->witness.witness = fixture_address("203.0.113.5:5406");
	f->view.witness = &f->witness;
	f->election.config.witness = true;
	f->election.vote.answered_id = 1;
	f->election.vote.answered_ns = FIXTURE_NOW;
	f->election.vote.answer =
	    (struct witness_answer){ .verdict = WITNESS_GRANTED, .yours = true };
	f->election.vote.witness_until_ns = f->election.vote.peer_until_ns = FIXTURE_NOW + NS_PER_S;
}

/* A Backup since 5 s, heard on path 0 just now; it hears both. */
static inline void
fixture_meet(struct fixture *f)
{
	const struct heartbeat h = {
		.session = 0xb,
		.sequence = 1,
		.heard_session = FIXTURE_SESSION,
		.hears = 3,
		.role = ROLE_BACKUP,
		.cause = CAUSE_LISTENED,
		.age_ns = 5 * NS_PER_S,
		.term = 6,
		.eligible = true,
		.lbd_ready = true,
		.servers_up = 1,
		.priority = 90,
		.digest = 0x1234,
		.interval_ns = 100 * NS_PER_MS,
	};

	peer_view_hear(&f->election.peer, FIXTURE_SESSION, 0, &h, FIXTURE_NOW);
	f->link.heard = true;
	f->link.last.servers_total = 4;
	f->link.last.servers_unchecked = 3;
}

#endif
