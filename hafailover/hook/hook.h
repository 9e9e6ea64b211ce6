/*
 * hook.h - the operator's commands that follow this node's role: in a cloud, what moves the address.
 *
 * They run beside everything else: neither heartbeats nor a claim wait for one.  hook_rule.h says
 * when, script_run.h runs them.  What a hook is told, it finds in its environment; hafailover.json(5)
 * lists that.  No hook runs for the end of the daemon, and one that runs then ends with it: the node
 * that takes over has its own.
 */
#ifndef HAFAILOVER_HOOK_HOOK_H
#define HAFAILOVER_HOOK_HOOK_H

#include <ev.h>

#include "hafailover/config/config.h"
#include "hafailover/election/heartbeat.h"
#include "hafailover/hook/hook_rule.h"

enum hook_result { HOOK_OK, HOOK_FAILED, HOOK_SUPERSEDED, HOOK_RESULTS };

struct hook_role {
	enum role from, to;
	enum cause cause;
	uint64_t term; /* 0: VRRP has none */
};

struct hook_report {
	bool configured; /* some role has a hook */
	const char *name; /* that of the present role: "active"; NULL: it has none */
	struct hook_rule rule;
	bool failing;
	const char *reason; /* of the last try's end; "" */
	const uint64_t (*runs)[HOOK_RESULTS]; /* [HA_HOOKS] */
};

struct hook;

/* `config` is borrowed until the next hook_configure.  `changed`: the report has.  NULL: no memory. */
struct hook *
hook_new(struct ev_loop *, const struct ha_config *, void (*changed)(void *owner), void *owner);
void hook_free(struct hook **);

/* A command that is new for the present role runs. */
void hook_configure(struct hook *, const struct ha_config *);
void hook_role_began(struct hook *, const struct hook_role *);
/* As if the present role began again: somebody else may have had the last word. */
void hook_again(struct hook *);

struct hook_report hook_report(const struct hook *);
const char *hook_name(enum ha_hook);
const char *hook_result_name(enum hook_result);

#endif
