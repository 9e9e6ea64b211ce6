/*
 * pool_view.h - how a pool is doing, from the server table.  Pure.
 */
#ifndef LBD_ADMIN_POOL_VIEW_H
#define LBD_ADMIN_POOL_VIEW_H

#include "lbd/config/config.h"

struct pool_view {
	uint32_t servers; /* names without an address included */
	uint32_t available; /* may get a new exchange */
	uint32_t unchecked; /* of these: their first check has not ended yet */
	bool panics; /* more than half of those in operation are not: all of them are tried */
};

struct pool_view pool_view(const struct server_table *, const struct pool_config *);

/* Over all pools.  `up`: available, and not merely for want of a check. */
struct pool_count {
	uint32_t servers, up, unchecked;
};
struct pool_count pool_view_count(const struct server_table *, const struct lbd_config *);

#endif
