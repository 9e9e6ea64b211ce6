/*
 * track_lbd.h - how lbd does, by the stream of its control socket.
 *
 * The end of the stream is acted on at once: whoever accepts a new connection lives (the socket is
 * the supervisor's, and its proxy process is being replaced), and is granted some time to say so;
 * where nobody listens, lbd is dead.  lbd speaks at least every 500 ms: silence means frozen.  A
 * proxy process that keeps crashing makes lbd not ready.
 */
#ifndef HAFAILOVER_TRACK_TRACK_LBD_H
#define HAFAILOVER_TRACK_TRACK_LBD_H

#include <ev.h>

#include "common/address.h"
#include "common/err.h"

enum { TRACK_LBD_SERVICES_MAX = 32 };

struct track_lbd_service {
	struct address address; /* where it listens */
	bool http; /* else only a connection can be tried */
};

struct track_lbd_state {
	bool heard; /* something was ever heard, and it is not taken for dead */
	bool ready, draining;
	uint32_t servers_up, servers_unchecked, servers_total; /* 0 while nothing is heard */
	uint64_t digest; /* of its configuration; the same */
	struct track_lbd_service services[TRACK_LBD_SERVICES_MAX];
	unsigned n_services;
	char why[160]; /* if not ready */
};

struct track_lbd;

/* `changed` is called when the state has changed, never from within a call.  NULL: out of memory. */
struct track_lbd *
track_lbd_start(struct ev_loop *, struct str path, void (*changed)(void *owner), void *owner);
void track_lbd_stop(struct track_lbd **);

const struct track_lbd_state *track_lbd_state(const struct track_lbd *);

/*
 * Its connections shall end, within `for_ns` (process_yield.c of lbd); idle ones after `idle_ns`.
 * idle_ns 0: no longer.  A new stream hears of it, too.
 */
void track_lbd_yield(struct track_lbd *, int64_t idle_ns, int64_t for_ns);

/* Where a client of that virtual address finds lbd.  NULL: nowhere. */
const struct track_lbd_service *
track_lbd_service_of(const struct track_lbd_state *, const struct address *vip);

/* One line of the stream into *state.  False: it is none. */
bool track_lbd_parse(struct track_lbd_state *, struct str line);

#endif
