/*
 * member.h - members of a daemon's answer, whatever it is: what is missing or of another type reads as
 * empty, 0 or false.  A NULL object is allowed everywhere.
 */
#ifndef HAFAILOVER_HACTL_MEMBER_H
#define HAFAILOVER_HACTL_MEMBER_H

#include <jansson.h>

#include "common/str.h"

static inline struct str
member_text(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_string(v))
		return (struct str){ "", 0 };
	return (struct str){ json_string_value(v), json_string_length(v) };
}

static inline bool
member_is(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* Seconds or milliseconds with a fraction, in nanoseconds; 9e18 at most. */
static inline int64_t
member_scaled(const json_t *object, const char *key, int64_t unit_ns)
{
	double ns = json_number_value(json_object_get(object, key)) * (double)unit_ns;
	const double most = 9e18;

	return ns > 0. ? (int64_t)(ns < most ? ns : most) : 0;
}

static inline json_int_t
member_integer(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_integer(v) ? json_integer_value(v) : 0;
}

static inline bool
member_has(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return v && !json_is_null(v);
}

#endif
