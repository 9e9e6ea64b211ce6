/*
 * daemon.h - a question to lbd or hafailover over its control socket (common/control.h), and the answer.
 *
 * Every wait is bounded by the daemon's timeout_ns.  The connection is kept for the next question.
 *
 * What hactl asks of lbd: status, servers, server, metrics, certificates, renew, reload, watch
 * (lbd/admin/commands.c).  Of hafailover:
 *
 *   {"command":"status"}
 *     node, role, since, cause, term, priority,
 *     vips [ { address, interface, held } ],
 *     peer { name, reachable, paths [ { address, reachable, hears_us } ], role, since, cause, term,
 *            priority, ready, lbd { ready, draining }, servers_up, servers_unchecked, servers_total },
 *            ready: it could take over now
 *     config { digest, peer_digest, match },
 *     lbd { ready, draining, servers_up, servers_unchecked, servers_total, config { as above } },
 *     handover { steering, no_steering, drain_ms, connections, packets_steered,
 *                phase: idle, moving, emptying, draining or steering },
 *     alarms [ { name, text } ]
 *   {"command":"failover", "to":NODE, "force":true}     answered when the move is over, or refused
 *   {"command":"standby", "on":BOOL, "force":true}      the same
 *   {"command":"history"}
 *     history [ { time, node, from, to, cause, term, duration_ms } ], oldest first; duration_ms: in `from`
 *   {"command":"watch"}                                 the status, now and whenever there is news
 *   {"command":"reload"}
 *
 * Times are RFC 3339 in UTC; roles initialize, backup, active, fault, standby.  "to" and "force" are left
 * out where they were not given.  What is missing in a reply, or null, is not shown.
 */
#ifndef HAFAILOVER_HACTL_DAEMON_H
#define HAFAILOVER_HACTL_DAEMON_H

#include <jansson.h>

#include "common/control_client.h"

struct daemon {
	const char *name, *path;
	int64_t timeout_ns;
	struct control_client *client; /* NULL: not connected */
};

struct answer {
	json_t *json; /* an object with "ok":true */
	char *line; /* as it came */
};

enum daemon_result {
	DAEMON_OK,
	DAEMON_REFUSED, /* or its answer makes no sense */
	DAEMON_UNREACHABLE, /* also: no answer in time */
};

/*
 * `request` is taken over.  The answer is the caller's; empty unless DAEMON_OK, and `err` says why then,
 * naming daemon and socket where that matters.
 */
enum daemon_result daemon_ask(struct daemon *, json_t *request, struct answer *, struct err *);

/* Called now and then while there is no answer yet.  True: timeout_ns begins anew. */
struct daemon_patience {
	int64_t every_ns;
	bool (*waiting)(void *owner);
	void *owner;
};

enum daemon_result daemon_ask_patiently(struct daemon *, const struct daemon_patience *,
    json_t *request, struct answer *, struct err *);

/*
 * The same in two halves, for answers that go on coming: `line` is the request without its newline; the
 * newest answer that is there, without waiting, or an empty one.
 */
enum daemon_result daemon_send(struct daemon *, const char *line, struct err *);
enum daemon_result daemon_hear(struct daemon *, struct answer *, struct err *);

/* For poll; -1: not connected. */
int daemon_fd(const struct daemon *);

void daemon_close(struct daemon *);
void answer_fini(struct answer *);

#endif
