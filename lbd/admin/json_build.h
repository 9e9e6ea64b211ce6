/*
 * json_build.h - JSON values put together piece by piece, with one check at the end.
 *
 * What cannot be added for want of memory takes the whole away: *to becomes NULL and stays so.
 */
#ifndef LBD_ADMIN_JSON_BUILD_H
#define LBD_ADMIN_JSON_BUILD_H

#include <jansson.h>

#include "common/str.h"

/* `value` is taken over. */
static inline void
json_put(json_t **object, const char *key, json_t *value)
{
	if (json_object_set_new(*object, key, value) == 0)
		return;
	json_decref(*object);
	*object = NULL;
}

static inline void
json_append(json_t **array, json_t *value)
{
	if (json_array_append_new(*array, value) == 0)
		return;
	json_decref(*array);
	*array = NULL;
}

static inline json_t *
json_of_str(struct str s)
{
	return json_stringn(s.n ? s.p : "", s.n);
}

/* Counters do not reach 2^63. */
static inline json_t *
json_of_count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* With three decimals. */
static inline json_t *
json_of_thousandths(int64_t n)
{
	return json_real((double)n / 1000);
}

#endif
