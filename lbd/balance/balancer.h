/*
 * balancer.h - which server gets this exchange?  One per pool and worker.  Pure: no I/O, no clock.
 *
 * balancer_update reads who may be chosen and by what weight; it is called when
 * server_table.version changed or the time that it named has come, and may cost O(n) or build tables.
 * balancer_pick costs O(1) or O(log n) on average.  Loads are read from the server table, over all workers.
 *
 * Hash algorithms depend on the configuration, the key and availability only, so that both nodes of
 * a pair, and every worker, choose alike; with a bound (balancer_bound) also on loads.  A weight
 * set at run time counts as configured (an operator who sets it on one node alone parts the two); 0
 * is unavailable: that server's clients move, all others stay.
 *
 * A server in drain or maintenance is out of the count, and so is one of weight 0 unless all that
 * are ready have weight 0.  Panic: when more than half of the servers that count are unavailable,
 * all of them are candidates (balancer_panics).
 *
 * Backups are candidates only while no other server is available and one of them is: then all of them are, and none of
 * the others; the rules above hold among those in use.  A slow start makes the weight of a server that came up grow
 * from 1/64 to all of it, in 64 steps; with hashes, the share of its own keys that it gets back.
 */
#ifndef LBD_BALANCE_BALANCER_H
#define LBD_BALANCE_BALANCER_H

#include "lbd/balance/hash.h"
#include "lbd/balance/server_table.h"

enum balance_algorithm {
	BALANCE_ROUND_ROBIN, /* smooth, honours weights; weighted_round_robin is its other name */
	BALANCE_LEAST_CONNECTIONS, /* least active / weight; among equals as in round robin */
	BALANCE_IP_HASH, /* by weight; a change of the configured servers moves anybody */
	BALANCE_CONSISTENT_HASH, /* Maglev: that moves about the changed server's share */
	BALANCE_LEAST_RESPONSE_TIME, /* peak EWMA x (active + 1) / weight, the better of two */
	BALANCE_RANDOM /* by weight */
};

static inline bool
balance_hashes(enum balance_algorithm a)
{
	return a == BALANCE_IP_HASH || a == BALANCE_CONSISTENT_HASH;
}

struct balance_server {
	struct str name; /* decides its place in hash tables: the same on both nodes */
	uint32_t slot; /* in the server table */
	uint32_t weight; /* configured; 0 gets nothing unless all are 0 */
	uint32_t max_connections; /* exchanges in flight; 0: no limit */
	bool backup; /* where all are, none is */
};

struct balancer;

/*
 * For 1..SERVER_SLOTS_MAX servers.  `servers` and the names in it must outlive the balancer; the
 * index of a server in that array is what pick returns.  `seed` differs between workers, so that
 * their round robins start apart and their random choices differ; hashes do not depend on it.
 * NULL: out of memory.
 */
struct balancer *balancer_new(enum balance_algorithm, const struct balance_server *servers,
    uint32_t n_servers, const struct server_table *, uint64_t seed);
void balancer_free(struct balancer **);

/*
 * For hash algorithms: from now on no server gets more than that many percent, above 100, of its share by weight of
 * the exchanges in flight.  What is too much goes to the next server that its hash leads to.  0: no bound.
 */
void balancer_bound(struct balancer *, uint32_t percent);

/* How long the weight of a server grows that comes up; 0, as at first: it has all of it at once. */
void balancer_slow_start(struct balancer *, int64_t duration_ns);

struct balance_outlook {
	int64_t due_ns; /* it must be updated then, though no version changes; INT64_MAX: never */
	bool probes; /* balancer_suspect has somebody */
};

/* Reads availability and weights anew.  Keeps its place in the round. */
struct balance_outlook balancer_update(struct balancer *, int64_t now_ns);

/*
 * In turn, a server that would be a candidate but for its circuit, which may let a probe through now
 * (breaker_probe knows); -1: there was none at the last update.
 */
int balancer_suspect(struct balancer *);

/* Server indexes that this exchange has tried already. */
enum { BALANCE_TRIED_MAX = 16 };
struct balance_tried {
	uint32_t n;
	uint32_t index[BALANCE_TRIED_MAX];
};

/*
 * The index of the server to use, or -1 if there is none (left).  `hash`: of what is hashed, for hash
 * algorithms, else ignored.  After a first try in panic, retries go to
 * available servers first.  `now_ns` only ages response times.
 */
int balancer_pick(struct balancer *, uint64_t hash, const struct balance_tried *, int64_t now_ns);

/*
 * For an exchange whose first pick was at its limit: the same, but only of those that are below theirs at
 * this moment.  Whoever picks counts, and may find that another worker was faster.
 */
int balancer_pick_below_limit(
    struct balancer *, uint64_t hash, const struct balance_tried *, int64_t now_ns);

bool balancer_panics(const struct balancer *);

/* Servers looked at so far to find one: what picks cost, for tests. */
uint64_t balancer_work(const struct balancer *);

#endif
