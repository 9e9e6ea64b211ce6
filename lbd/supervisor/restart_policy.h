/*
 * restart_policy.h - how long to wait before the proxy process is started again.  Pure.
 *
 * Not at all, normally: connections queue meanwhile.  Only a process that keeps dying young is given time:
 * from the fifth death in a row on 100 ms, doubling up to 5 s.  One that lived longer clears the record.
 */
#ifndef LBD_SUPERVISOR_RESTART_POLICY_H
#define LBD_SUPERVISOR_RESTART_POLICY_H

#include <stdint.h>

struct restart_policy {
	unsigned young_deaths; /* in a row */
};

/* It has died after lived_ns; the time to wait. */
int64_t restart_policy_delay_ns(struct restart_policy *, int64_t lived_ns);

#endif
