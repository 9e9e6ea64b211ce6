/*
 * script_run.h - a shell command of the operator's, run once: tracking and hooks.
 *
 * It runs in a process group of its own, at normal priority, without terminal and output, and is
 * killed with all it has started at its timeout; what it leaves behind ends with it, and the shell
 * with the daemon, however that ends.  Nothing here waits, but for the moment that the end of a killed
 * process takes (script_run_fini).
 */
#ifndef HAFAILOVER_HOOK_SCRIPT_RUN_H
#define HAFAILOVER_HOOK_SCRIPT_RUN_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Embedded in its owner; all of it private but `reason`. */
struct script_run {
	uint32_t magic;
	struct ev_loop *loop;
	void (*done)(void *owner, bool passed);
	void *owner;
	pid_t pid; /* 0: does not run */
	ev_io ended; /* its pidfd */
	ev_timer timeout;
	int64_t timeout_ns;
	bool timed_out;
	char reason[80]; /* of the last run's end: "exit status 1" */
};

/* `done`: it has ended, by itself or killed; passed: with exit status 0.  May start it again. */
void script_run_init(
    struct script_run *, struct ev_loop *, void (*done)(void *owner, bool passed), void *owner);
/* Ends what runs, without `done`. */
void script_run_fini(struct script_run *);

/*
 * For /bin/sh -c.  `environment`: NULL for that of the daemon.  False: it could not be started;
 * `reason` says why, and `done` is not called.
 */
bool script_run_start(
    struct script_run *, const char *command, char *const environment[], int64_t timeout_ns);
bool script_run_active(const struct script_run *);
/* `done` follows, not passed. */
void script_run_kill(struct script_run *);

#endif
