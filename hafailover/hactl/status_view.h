/*
 * status_view.h - what `hactl status` shows, from the daemons' answers.  Pure.
 *
 * Two nodes, the virtual addresses, the paths between the nodes, the configuration, lbd, and what is
 * wrong.  Without hafailover's answer: why there is none, and lbd alone.
 */
#ifndef HAFAILOVER_HACTL_STATUS_VIEW_H
#define HAFAILOVER_HACTL_STATUS_VIEW_H

#include <jansson.h>

#include "hafailover/hactl/display.h"

struct status_view {
	const json_t *ha, *lbd; /* NULL: not there */
	const char *ha_why, *lbd_why; /* why not */
	int64_t now_wall_ns;
	struct look look;
};

void status_view_print(const struct status_view *, struct text *);

/* "! pool web: no server is available (pool_down)", a line for each; nothing when all is well. */
void status_view_alarms(const json_t *status, struct text *, struct look);

#endif
