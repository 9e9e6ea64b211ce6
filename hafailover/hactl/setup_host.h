/*
 * setup_host.h - the addresses of this machine, as setup_plan.h looks at them.
 *
 * The loopback, and what is valid on one link only, are left out: nobody reaches a node by them.
 */
#ifndef HAFAILOVER_HACTL_SETUP_HOST_H
#define HAFAILOVER_HACTL_SETUP_HOST_H

#include "hafailover/hactl/setup_plan.h"

/* 0, or -errno with a reason.  The list is freed by setup_host_fini. */
int setup_host_init(struct setup_host *, struct err *);
void setup_host_fini(struct setup_host *);

#endif
