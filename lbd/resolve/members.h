/*
 * members.h - a configuration with addresses instead of names: what the workers get.
 *
 * A server with a name becomes one member of its pool for each address that the name has, called NAME#ADDRESS, with
 * the weight, limits and checks of that server.  So a member's state is kept while its address stays, and both nodes
 * of a pair call it alike.  A name without an address has no member; the pool lists it as unresolved.
 */
#ifndef LBD_RESOLVE_MEMBERS_H
#define LBD_RESOLVE_MEMBERS_H

#include "lbd/resolve/resolver.h"

/* One more reference to the same where it has no names.  NULL: out of memory. */
struct lbd_config *members_config(struct lbd_config *written, const struct resolver *);

#endif
