/*
 * late_work.h - what is done behind all other events of the loop's turn: so one write serves them all, and what
 * must not happen within a callback happens outside it.
 */
#ifndef LBD_PROXY_LATE_WORK_H
#define LBD_PROXY_LATE_WORK_H

#include "lbd/proxy/proxy.h"

/* Embedded in what has the work; `run` may free that. */
struct late_work {
	struct late_work *next;
	bool queued;
	void (*run)(struct late_work *);
};

/* Once in this turn, or once more if it is running. */
void late_work_add(struct proxy *, struct late_work *);
void late_work_remove(struct proxy *, struct late_work *);

/* For proxy_init. */
void late_work_init(struct proxy *);

#endif
