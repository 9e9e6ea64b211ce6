/*
 * peer_view.h - the other node as this one sees it: what it said last, and when it was heard where.
 *
 * Pure.  Sessions do not come back: session.h lets no packet of a former one through.  A heartbeat
 * that is older than the newest one of its session counts as a sign of life on its path; its content
 * is not looked at any more.
 */
#ifndef HAFAILOVER_ELECTION_PEER_VIEW_H
#define HAFAILOVER_ELECTION_PEER_VIEW_H

#include "hafailover/election/heartbeat.h"

struct peer_view {
	bool known; /* heard at least once; `last` is valid */
	struct heartbeat last; /* the newest */
	int64_t last_ns; /* its arrival */
	int64_t heard_ns[HEARTBEAT_PATHS_MAX]; /* last sign of life by path; 0: never */
	int64_t any_ns; /* the latest of them */
	int64_t deaf_since_ns; /* it is heard but does not hear us, since; 0: not so */
};

/* True: the content is news.  `session`: our own, for what the peer says that it hears. */
bool peer_view_hear(
    struct peer_view *, uint64_t session, unsigned path, const struct heartbeat *, int64_t now_ns);

/* Bits of the paths heard within dead_ns. */
uint8_t peer_view_paths(const struct peer_view *, int64_t dead_ns, int64_t now_ns);

/* Heard on some path within dead_ns. */
bool peer_view_reachable(const struct peer_view *, int64_t dead_ns, int64_t now_ns);

#endif
