/*
 * status.h - the state of lbd as JSON: what the commands `status`, `watch` and `servers` answer.
 *
 * NULL: out of memory.  The caller owns what is returned.
 */
#ifndef LBD_ADMIN_STATUS_H
#define LBD_ADMIN_STATUS_H

#include "lbd/admin/admin.h"

json_t *status_json(const struct admin_source *, const struct admin_state *);

/* {"servers":[...]} */
json_t *status_servers(const struct admin_source *, const struct admin_state *);

/* One of them. */
json_t *status_server(
    const struct admin_source *, const struct pool_config *, const struct server_config *);

#endif
