/*
 * handover_view.h - what becomes of connections at a planned move, from hafailover's status.
 *
 * Before the move it has begun, or after it, connections are waited for: of this node or the other.
 */
#ifndef HAFAILOVER_HACTL_HANDOVER_VIEW_H
#define HAFAILOVER_HACTL_HANDOVER_VIEW_H

#include <jansson.h>

#include "common/text.h"

/* Are connections waited for now? */
bool handover_view_waits(const json_t *status);

/* "3 connections left on lb1, 120 packets steered": without a newline. */
void handover_view_progress(const json_t *status, struct text *);

/* One line, or nothing with VRRP: that, or what would become of them. */
void handover_view_print(const json_t *status, struct text *);

#endif
