/*
 * balancer_fixture.h - a server table and servers for the tests of balancers.
 *
 * Random tests run from fixed seeds; a count of n trials with probability p may be five standard
 * deviations off, which a right algorithm is once in two million seeds.
 */
#ifndef TESTS_UNIT_BALANCER_FIXTURE_H
#define TESTS_UNIT_BALANCER_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/balance/balancer.h"

enum { SERVERS_MAX = 1000, KEYS = 20000 };

static const int64_t now = 1000 * NS_PER_S;
static const struct balance_tried untried;

static const enum balance_algorithm algorithms[] = { BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONNECTIONS,
	BALANCE_IP_HASH, BALANCE_CONSISTENT_HASH, BALANCE_LEAST_RESPONSE_TIME, BALANCE_RANDOM };

enum { ALGORITHMS = sizeof(algorithms) / sizeof(*algorithms) };

static struct server_table table;
static struct balance_server servers[SERVERS_MAX];
static char names[SERVERS_MAX][16];

static inline int
setup(void **state)
{
	void *shared = calloc(1, server_table_shared_size());

	*state = shared;
	return shared ? server_table_init(&table, shared) : -1;
}

static inline int
teardown(void **state)
{
	server_table_fini(&table);
	free(*state);
	return 0;
}

/* Servers s0..; weights are repeated up to n.  Slots differ from indexes. */
static inline void
servers_make(uint32_t n, const uint32_t *weights, uint32_t n_weights)
{
	uint32_t i;

	server_table_slot(&table, STR("other"), STR("server"));
	for (i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "s%u", i);
		servers[i].name = str_of(names[i]);
		servers[i].slot = (uint32_t)server_table_slot(&table, STR("web"), servers[i].name);
		servers[i].weight = weights[i % n_weights];
	}
}

static inline struct balancer *
make(enum balance_algorithm algorithm, uint32_t n, uint64_t seed)
{
	struct balancer *b = balancer_new(algorithm, servers, n, &table, seed);

	assert_non_null(b);
	return b;
}

static inline struct balancer *
make_equal(enum balance_algorithm algorithm, uint32_t n)
{
	servers_make(n, (uint32_t[]){ 1 }, 1);
	return make(algorithm, n, 1);
}

static inline uint64_t
key(uint32_t i)
{
	uint8_t address[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

	return balance_hash(address, sizeof(address));
}

static inline int
pick(struct balancer *b, uint64_t hash)
{
	return balancer_pick(b, hash, &untried, now);
}

static inline void
health(struct balancer *b, uint32_t i, enum server_health h)
{
	server_set_health(&table, servers[i].slot, h, 0);
	balancer_update(b, now);
}

static inline void
count_picks(struct balancer *b, uint32_t n, uint32_t *counts)
{
	uint32_t i;
	int got;

	memset(counts, 0, SERVERS_MAX * sizeof(*counts));
	for (i = 0; i < n; i++) {
		got = pick(b, key(i));
		assert_true(got >= 0);
		counts[got]++;
	}
}

static inline void
assert_share(uint32_t count, uint32_t n, double share)
{
	double sigma = sqrt(n * share * (1 - share));

	if (fabs(count - n * share) > 5 * sigma + 1)
		fail_msg("%u of %u is not a share of %f", count, n, share);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
