/*
 * units.h - durations and sizes as people write them: "200ms", "5s", "1m", "1h"; "32k", "1m",
 * "2g".
 *
 * Pure.  One whole number and one unit, nothing else: no sign, no fraction, no blank.
 * Formatting picks the largest unit that divides the value, so that what is printed reads back
 * as the same value.
 */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include "common/str.h"

enum { UNITS_TEXT_MAX = 32 };

/* 0, -EINVAL when it is not one, -ERANGE when it does not fit. */
int duration_parse(struct str text, int64_t *ns);
int size_parse(struct str text, uint64_t *bytes);

/* Whole milliseconds; what is below one is dropped. */
void duration_format(int64_t ns, char text[UNITS_TEXT_MAX]);

/* Without a unit where none divides it: then it is a number of bytes. */
void size_format(uint64_t bytes, char text[UNITS_TEXT_MAX]);

#endif
