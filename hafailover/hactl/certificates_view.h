/*
 * certificates_view.h - what `hactl certificate` shows, from lbd's answer.  Pure.
 */
#ifndef HAFAILOVER_HACTL_CERTIFICATES_VIEW_H
#define HAFAILOVER_HACTL_CERTIFICATES_VIEW_H

#include <jansson.h>

#include "hafailover/hactl/display.h"

/* lbd's answer to "certificates". */
void certificates_view_print(const json_t *answer, struct look, struct text *out);

/* The row of that file, as lbd's configuration names it; NULL: none. */
const json_t *certificates_view_find(const json_t *answer, const char *certificate);

#endif
