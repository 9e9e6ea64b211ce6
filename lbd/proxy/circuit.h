/*
 * circuit.h - what a try says of its server's circuit breaker, and which requests are probes.
 *
 * The rule is breaker.h; here are its clock, its log and the news for all workers.  For pools with a circuit breaker:
 * breaker.open is not 0.
 */
#ifndef LBD_PROXY_CIRCUIT_H
#define LBD_PROXY_CIRCUIT_H

#include "lbd/worker/worker.h"

enum circuit_result {
	CIRCUIT_GOOD,
	CIRCUIT_BAD,
	CIRCUIT_BROKEN /* after CIRCUIT_GOOD was told of the same try */
};

/*
 * One try has ended so at that server; *probe is cleared.  Those of an old configuration do not count: the present one
 * may have no breaker, and so nobody who would close it.
 */
void circuit_tell(struct worker *, const struct pool *, const struct server_config *,
    uint64_t *probe, enum circuit_result);

/*
 * The index of a server that this request is to probe, which *probe says then; -1: none.  `repeatable`: it may be tried
 * elsewhere if it fails.
 */
int circuit_choose(struct worker *, struct pool *, bool repeatable, uint64_t *probe);

/* A probe comes to nothing, if it is one; *probe is cleared. */
void circuit_forgo(struct worker *, const struct server_config *, uint64_t *probe);

#endif
