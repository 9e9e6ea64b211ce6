/*
 * name_view.h - a name of servers as an operator sees it: its members, the addresses that it has now, taken together.
 *
 * What an operator sets for a name is so for each member, and in a slot of the name's own in the server table, from
 * which members that DNS brings later have it.  That slot is made when something is set.  Main thread.
 */
#ifndef LBD_ADMIN_NAME_VIEW_H
#define LBD_ADMIN_NAME_VIEW_H

#include "lbd/config/config.h"

struct name_view {
	struct str name;
	const struct server_config *members; /* [n] */
	uint32_t n; /* 0: it has no address */
	uint32_t weight; /* configured */
};

/* The next name of a pool that has members; begins with one that is zero.  False: there is no more. */
bool name_view_next(const struct pool_config *, struct name_view *);

/* The one of that name, also where it has no members. */
bool name_view_find(const struct pool_config *, struct str name, struct name_view *);

/* The slot of its own; negative: nothing was ever set. */
int
name_view_slot(const struct server_table *, const struct pool_config *, const struct name_view *);

/* Drained as a name, and nothing is left at any member. */
bool name_view_drained(
    const struct server_table *, const struct pool_config *, const struct name_view *);

#endif
