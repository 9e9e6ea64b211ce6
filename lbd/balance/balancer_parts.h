/*
 * balancer_parts.h - what a balancer is made of; for balancer.c, which says who may be chosen, and balancer_pick.c,
 * which chooses.  Nobody else includes it.
 */
#ifndef LBD_BALANCE_BALANCER_PARTS_H
#define LBD_BALANCE_BALANCER_PARTS_H

#include "lbd/balance/balancer.h"
#include "lbd/balance/choice.h"
#include "lbd/balance/maglev.h"
#include "lbd/balance/round.h"

enum { SLOW_START_STEPS = 64 };

struct candidate {
	uint32_t index, slot, weight;
};

struct balancer {
	enum balance_algorithm algorithm;
	const struct balance_server *servers;
	uint32_t n;
	const struct server_table *table;
	uint64_t random;
	bool panic;
	bool all_zero; /* the weights of those in operation */
	bool mixed; /* there are backups, and others */
	bool backups; /* those are in use */
	bool *available; /* [n] */
	uint32_t *weight; /* [n] of candidates, else 0 */
	uint32_t *home_weight; /* [n] that `home` or `maglev` was built with */
	struct candidate *candidates; /* in order of index, compact for scans */
	uint32_t n_candidates;
	uint32_t *position; /* [n] in `candidates` */
	struct round round; /* round_robin, least_connections */
	struct choice choice; /* by weight among candidates: the rest */
	struct choice home; /* ip_hash: by weight among all */
	struct maglev maglev; /* consistent_hash */
	uint32_t bound; /* percent of its share that a server may have; 0: no bound */
	uint64_t total_weight, total_active; /* of candidates; the latter as it was lately */
	uint32_t until_recount; /* picks */
	int64_t slow_start_ns;
	uint32_t *rising; /* [n] steps done of a slow start; 0: it is not in one */
	bool any_rising;
	uint32_t *suspects; /* [n_suspects] balancer_suspect */
	uint32_t n_suspects, next_suspect;
	int64_t due_ns;
	uint64_t work;
};

static inline bool
uses_round(const struct balancer *b)
{
	return b->algorithm == BALANCE_ROUND_ROBIN || b->algorithm == BALANCE_LEAST_CONNECTIONS;
}

#endif
