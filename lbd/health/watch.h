/*
 * watch.h - one server under watch: when it is checked next, and what the result means.
 *
 * A watch rests (its timer runs), waits for its turn or runs a probe.  Its verdict and counts live
 * in the server table; the watch itself knows only what the table does not.  Used by prober.c
 * alone.
 */
#ifndef LBD_HEALTH_WATCH_H
#define LBD_HEALTH_WATCH_H

#include "lbd/health/probe.h"
#include "lbd/health/turns.h"

/* What all watches share. */
struct watch_site {
	struct ev_loop *loop;
	struct server_table *table;
	struct turns turns;
	uint64_t random;
	void (*down)(void *, uint32_t slot); /* on_down "close": that is a server to be left */
	void *down_arg;
};

struct watch {
	unsigned magic;
	struct watch_site *site;
	const struct pool_config *pool; /* NULL until the first watch_adopt */
	const struct server_config *server;
	struct tls_upstream *tls; /* NULL: checks are plain */
	uint32_t slot;
	uint64_t key_hash;
	uint64_t wanted_by; /* the apply that named it last */
	ev_timer due;
	struct turn turn;
	struct probe *probe;
	int64_t started_ns; /* of the last check; 0: none yet */
	int64_t checked_wall_ns;
	char reason[PROBE_REASON_MAX];
};

struct watch *watch_new(struct watch_site *, uint32_t slot); /* NULL: out of memory */
void watch_free(struct watch **);

/*
 * The server as it is configured now.  If its address or check is another than before, the watch
 * rests and must begin anew: true.
 */
bool watch_adopt(struct watch *, const struct pool_config *, const struct server_config *,
    struct tls_upstream *);
void watch_begin(struct watch *, int64_t delay_ns);

/* Workers could not reach it. */
void watch_suspect(struct watch *);

#endif
