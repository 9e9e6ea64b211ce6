/*
 * history_view.h - what `hactl history` shows: each change of a role, with its cause.  Pure.
 */
#ifndef HAFAILOVER_HACTL_HISTORY_VIEW_H
#define HAFAILOVER_HACTL_HISTORY_VIEW_H

#include <jansson.h>

#include "hafailover/hactl/display.h"

/* hafailover's answer to "history". */
void history_view_print(const json_t *answer, struct look, struct text *out);

#endif
