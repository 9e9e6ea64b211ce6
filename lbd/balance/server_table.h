/*
 * server_table.h - run-time state of every server, one slot each, as C11 atomics.
 *
 * A slot belongs to a server by pool and server name: a reload keeps it, and so does a crash of the
 * proxy process, for the shared half lives in memory that the supervisor mapped before the fork.
 * The private half (what open connections mean) starts at zero with each process.  Health checks
 * and the control socket write verdicts from the main thread; workers write loads.  No locks: every
 * field stands alone.
 *
 * `version` counts changes of anything that decides who may be chosen; a worker compares it with
 * the version its balancers were built for.  Pure apart from the memory it is given.
 */
#ifndef LBD_BALANCE_SERVER_TABLE_H
#define LBD_BALANCE_SERVER_TABLE_H

#include <stdatomic.h>

#include "common/str.h"
#include "lbd/balance/breaker.h"
#include "lbd/balance/retry_budget.h"

enum {
	SERVER_SLOTS_MAX = 16384,
	SERVER_POOLS_MAX = 4096,
	SERVER_KEY_MAX = 128,
	SERVER_WEIGHT_MAX = 256
};

enum server_health {
	HEALTH_UNKNOWN,
	HEALTH_UP,
	HEALTH_DOWN,
	HEALTH_NEW
}; /* unknown is served: checks decide first; new came to others, and waits for its first check */
enum server_admin {
	ADMIN_READY,
	ADMIN_DRAIN,
	ADMIN_MAINTENANCE
}; /* drain: no new exchanges; the rest goes on */

/* In memory shared with the supervisor. */
struct server_shared {
	char key[SERVER_KEY_MAX]; /* "pool/server", NUL-terminated; "" = free slot */
	_Atomic uint8_t health; /* enum server_health, by active checks */
	_Atomic uint8_t admin; /* enum server_admin, by the operator */
	_Atomic uint8_t unreachable; /* consecutive connect failures: out until a check succeeds */
	_Atomic uint8_t used; /* named by the present configuration */
	_Atomic int32_t weight; /* set at run time; -1: the configured weight holds */
	_Atomic uint32_t checks_good, checks_bad; /* in a row; health/ owns them */
	_Atomic int64_t changed_wall_ns; /* when health or admin last changed */
};

/* In the proxy process only. */
struct server_load {
	_Alignas(64) _Atomic uint32_t connect_failures; /* in a row, over all workers */
	_Atomic uint32_t idle_connections;
	_Atomic uint32_t connections; /* open to this server, idle ones included */
	_Atomic bool drains; /* its last connection's end is to be told */
	_Atomic double response_ewma_us; /* peak EWMA of the time to the response head; 0: none */
	_Atomic int64_t response_ewma_at_ns;
	_Atomic uint64_t checks_passed, checks_failed;
	_Atomic uint32_t check_duration_us; /* of the last check */
	_Atomic int64_t up_since_ns; /* when it came up after it was down; 0: it never was */
	struct breaker breaker;
};

/* The same of a pool, by its id. */
struct pool_load {
	_Alignas(64) _Atomic uint32_t ejected; /* servers whose circuit is not closed */
	_Atomic uint32_t queued; /* exchanges that wait for a server */
	_Atomic uint64_t arrivals; /* that ever waited: the number of the last */
	retry_count retries;
};

struct server_table {
	struct server_shared *shared; /* [SERVER_SLOTS_MAX] */
	struct server_load *load; /* [SERVER_SLOTS_MAX] */
	_Atomic uint32_t *active; /* [SERVER_SLOTS_MAX] exchanges in flight; compact, for scans */
	struct pool_load *pools; /* [SERVER_POOLS_MAX] */
	_Atomic uint64_t version;
	void (*changed)(void *); /* any thread, after each new version; may be NULL */
	void *changed_arg;
	/* server_table.c's own, for the main thread */
	uint16_t *index; /* slots by the hash of their key */
	uint32_t free_from; /* no slot below is free */
};

/* Bytes that the shared half needs; zeroed memory (a fresh mmap) is a valid empty table. */
size_t server_table_shared_size(void);

/*
 * The private half is allocated, the shared half adopted: what a crashed process left is kept where
 * it makes sense, and corrected where not.  0 or -ENOMEM.
 */
int server_table_init(struct server_table *, void *shared);
void server_table_fini(struct server_table *);

/*
 * The slot of that server, found or made new (all fields of a new slot: unknown, ready, weight -1).
 * Main thread only.  -ENOSPC when all slots are taken, -ENAMETOOLONG.
 */
int server_table_slot(struct server_table *, struct str pool, struct str server);

/* The same if it is there, else -ENOENT. */
int server_table_find(const struct server_table *, struct str pool, struct str server);

/*
 * The same of a member of a name, `of` (empty: of none).  A new one is as the operator has set the name, which has a
 * slot of its own from then on.
 */
int server_table_member(struct server_table *, struct str pool, struct str server, struct str of);

/*
 * Marks the slots that a configuration names and frees those that none does any more.  Call only
 * when no exchange, check or balancer holds a freed slot: with the slots of all live
 * configurations.
 */
void server_table_keep(struct server_table *, const uint32_t *slots, size_t n);

/* Nothing is known of it yet, and others serve: no exchanges before its first check. */
void server_await_check(struct server_table *, uint32_t slot);
bool server_is_new(const struct server_table *, uint32_t slot);

/* Ready, that is neither in drain nor in maintenance; whatever its health. */
bool server_operating(const struct server_table *, uint32_t slot);

/* Not ready, and nothing of ours is left there. */
bool server_drained(const struct server_table *, uint32_t slot);

/* The same, the first time after server_set_admin or a crash alone. */
bool server_drained_now(struct server_table *, uint32_t slot);

/* Checks have not found it ill and workers reach it, whatever the operator has set. */
bool server_is_well(const struct server_table *, uint32_t slot);

/* Health, administration and reachability say that it may get exchanges. */
bool server_fit(const struct server_table *, uint32_t slot);

/* And so does its circuit: it may get any new exchange. */
bool server_available(const struct server_table *, uint32_t slot);

/* The same for one of a client that it had before: drain does not bar it. */
bool server_keeps(const struct server_table *, uint32_t slot);

/* The run-time weight if set, else `configured`; at most SERVER_WEIGHT_MAX. */
uint32_t server_weight(const struct server_table *, uint32_t slot, uint32_t configured);

/*
 * Setters that bump `version` when they change anything; true if so.  A weight is
 * 0..SERVER_WEIGHT_MAX, or -1 for the configured one.  Reachable again means no connect failures
 * either.
 */
bool server_set_health(struct server_table *, uint32_t slot, enum server_health, int64_t wall_ns);
bool server_set_admin(struct server_table *, uint32_t slot, enum server_admin, int64_t wall_ns);
bool server_set_weight(struct server_table *, uint32_t slot, int32_t weight);
bool server_set_unreachable(struct server_table *, uint32_t slot, bool);

/* Before the setter that brings it back: a slow start begins now. */
void server_comes_up(struct server_table *, uint32_t slot, int64_t now_ns);

/* Its circuit has opened or closed just now. */
void server_circuit_turned(struct server_table *, uint32_t slot, int64_t now_ns, int64_t wall_ns);

/* Closed, and nothing is known: it is another server now, or its pool has no circuit breaker any more. */
void server_circuit_reset(struct server_table *, uint32_t slot);

/*
 * A connect failed or worked.  True when this failure took the server out of rotation
 * (SERVER_CONNECT_FAILURES in a row): the caller then wakes the health checks.
 */
enum { SERVER_CONNECT_FAILURES = 3 };
bool server_connect_failed(struct server_table *, uint32_t slot);
void server_connect_worked(struct server_table *, uint32_t slot);

/* One response took that long: peak EWMA with a decay time of 10 s. */
void server_response_time(struct server_table *, uint32_t slot, uint32_t us, int64_t now_ns);

/* That average as it counts now: without new samples it fades too.  0: no sample yet. */
double server_response_us(const struct server_table *, uint32_t slot, int64_t now_ns);

const char *server_health_name(enum server_health);
const char *server_admin_name(enum server_admin);

#endif
