/*
 * identity.h - who the proxy process is: a user of its own, and no privilege at all.
 *
 * The name is looked up once, in the supervisor, so that a restart after a crash depends on no directory
 * service.  Giving up is for good: capabilities of every kind, and gaining any by exec.
 */
#ifndef LBD_SUPERVISOR_IDENTITY_H
#define LBD_SUPERVISOR_IDENTITY_H

#include <sys/types.h>

#include "common/err.h"
#include "common/str.h"

struct identity {
	bool change; /* otherwise the user stays the same, without its capabilities */
	uid_t uid;
	gid_t gid;
};

/* An empty name: stay.  0 or -errno with a reason. */
int identity_find(struct identity *, struct str user, struct err *);

/* Becomes it.  0 or -errno with a reason; then the process must end. */
int identity_assume(const struct identity *, struct err *);

#endif
