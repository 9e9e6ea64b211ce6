/*
 * status.h - the state of lbd as JSON: what the commands `status`, `watch` and `servers` answer.
 *
 * NULL: out of memory.  The caller owns what is returned.
 */
#ifndef LBD_ADMIN_STATUS_H
#define LBD_ADMIN_STATUS_H

#include "lbd/admin/admin.h"
#include "lbd/admin/name_view.h"

json_t *status_json(const struct admin_source *, const struct admin_state *);

/* {"servers":[...],"names":[...]}: the latter are names that have members, which are all among the former. */
json_t *status_servers(const struct admin_source *, const struct admin_state *);

/* One of them. */
json_t *status_server(
    const struct admin_source *, const struct pool_config *, const struct server_config *);
json_t *
status_name(const struct admin_source *, const struct pool_config *, const struct name_view *);

#endif
