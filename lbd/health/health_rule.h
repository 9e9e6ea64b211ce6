/*
 * health_rule.h - is this server up, and when do we ask again?  Pure: no socket, no clock, no log.
 *
 * The first check decides.  After that `fall` bad ones in a row take a server down and `rise` good
 * ones bring it back.  While the last check spoke against the verdict the next one comes sooner:
 * after a fifth of the interval, but not under 100 ms.
 *
 * Otherwise checks keep to a grid of their own, `interval` wide, whose phase is the hash of the
 * server's key: servers stay spread out however they started.  Each check is up to a tenth of the
 * interval early or late.
 */
#ifndef LBD_HEALTH_HEALTH_RULE_H
#define LBD_HEALTH_HEALTH_RULE_H

#include "common/clock.h"
#include "lbd/config/config.h"

/* A server that is not checked, and that workers could not reach, is tried again after so long. */
#define HEALTH_COOL_DOWN_NS (5 * NS_PER_S)

struct health_state {
	enum server_health health;
	uint32_t good, bad; /* in a row; one of them is 0 */
};

/* One more result: true if `health` changed. */
bool health_step(struct health_state *, const struct health_config *, bool passed);

/*
 * When the check after the one that started at `started_ns` is due.  `random`: any number, new each
 * time.
 */
int64_t health_due_ns(const struct health_state *, const struct health_config *, uint64_t key_hash,
    uint64_t random, int64_t started_ns);

/* How soon after a check the next may start, if something made us doubt. */
int64_t health_fast_ns(const struct health_config *);

#endif
