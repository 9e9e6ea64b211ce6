/*
 * steering.h - the BPF program of planned moves: loads it, attaches it, tells it what holds now.
 *
 * Attached once to each interface with virtual addresses (clsact, ingress and egress) and never
 * taken off under traffic: rules in a map say what it does, and without rules it does nothing.
 * Rules are leases, as the addresses are: steering_apply renews them.  Those of a daemon that died
 * are in force until they end, or until its successor puts its own program in the place of that
 * one, in one step: so set the rules first, then attach.
 *
 * The empty qdisc stays when the program goes: to remove that drops packets, and others may use it.
 * Nothing here waits.  On the loop's thread.
 */
#ifndef HAFAILOVER_STEERING_STEERING_H
#define HAFAILOVER_STEERING_STEERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/str.h"
#include "hafailover/steering/steering_map.h"

struct steering;

struct steering_entry {
	struct steering_key key;
	struct steering_rule rule; /* `until_ns` is set by steering_apply */
};

/* Loads the program.  NULL: this kernel, or our rights, do not allow it; see err. */
struct steering *steering_open(struct err *);

/* Takes the program off all interfaces. */
void steering_close(struct steering **);

/* The same once more does nothing.  0 or -errno with a reason. */
int steering_attach(struct steering *, int link, struct err *);

/* The interface is gone, and the program with it; its index may come again. */
void steering_forget(struct steering *, int link);

/* Forgets interfaces from which others have taken the program: steering_attach puts it there again. */
void steering_check(struct steering *);

/*
 * From now on these rules and no others, for so long.  What stays as it was is only renewed, and
 * that not more often than needed: so it may be called often.  0 or -errno of the first that failed.
 */
int steering_apply(struct steering *, const struct steering_entry *, size_t n, int64_t lease_ns,
    int64_t now_ns, struct err *);

/* Since it was loaded. */
struct steering_counters {
	uint64_t n[STEERING_COUNTERS];
};
struct steering_counters steering_count(const struct steering *);
const char *steering_counter_name(enum steering_counter);

/* Off all interfaces, whoever put it there: for --release. */
void steering_remove_all(void);

/* The program as it was compiled; for tests. */
struct str steering_object(void);

#endif
