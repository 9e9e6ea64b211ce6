/*
 * hook_rule.h - when does a hook run?  Pure: no process, no clock.
 *
 * Each role that begins supersedes what was before it: a hook that still runs is ended, and that of
 * the new role begins when it has, so that no two of them talk to the same cloud.  One that fails is
 * tried again, later and later, for as long as the role lasts: an Active that the cloud's
 * address does not lead to serves nobody.
 */
#ifndef HAFAILOVER_HOOK_HOOK_RULE_H
#define HAFAILOVER_HOOK_HOOK_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum hook_state {
	HOOK_NONE, /* the role has no hook */
	HOOK_ENDING, /* that of a role before runs still, and is killed */
	HOOK_RUNNING,
	HOOK_WAITING, /* has failed, is tried again */
	HOOK_DONE,
	HOOK_STATES
};

enum hook_do { HOOK_DO_NOTHING, HOOK_DO_RUN, HOOK_DO_KILL };

/* All zero: nothing has happened. */
struct hook_rule {
	enum hook_state state;
	bool wanted; /* the role has a hook */
	unsigned tries; /* begun, in this role */
	int64_t due_ns; /* of HOOK_WAITING: the next try */
};

/* A role begins. */
enum hook_do hook_rule_enter(struct hook_rule *, bool wanted);
/* What ran has ended, or could not be started. */
enum hook_do hook_rule_ended(struct hook_rule *, bool passed, int64_t now_ns);
/* Time has passed. */
enum hook_do hook_rule_timer(struct hook_rule *, int64_t now_ns);

/* The last try of this role's hook failed. */
bool hook_rule_failing(const struct hook_rule *);

const char *hook_state_name(enum hook_state);

#endif
