/*
 * descriptor_limit.h - how many files the processes may have open: as many as we can get, and says so.
 */
#ifndef LBD_SUPERVISOR_DESCRIPTOR_LIMIT_H
#define LBD_SUPERVISOR_DESCRIPTOR_LIMIT_H

#include "lbd/config/config.h"

/* Raises RLIMIT_NOFILE for this process and its children.  Too low a limit is a warning, no failure. */
void descriptor_limit_raise(const struct lbd_config *);

#endif
