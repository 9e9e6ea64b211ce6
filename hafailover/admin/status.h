/*
 * status.h - the state of the pair as JSON, as `hactl status` reads it (hafailover/hactl/daemon.h).
 */
#ifndef HAFAILOVER_ADMIN_STATUS_H
#define HAFAILOVER_ADMIN_STATUS_H

#include <jansson.h>

#include "hafailover/admin/view.h"

/* A new object; NULL: out of memory. */
json_t *ha_status_json(const struct ha_view *);

/* { "history": [...] } */
json_t *ha_status_history(const struct ha_view *);

/* What an operator should look at now: [ { name, text } ]. */
json_t *ha_status_alarms(const struct ha_view *);

#endif
