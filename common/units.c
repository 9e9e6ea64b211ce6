/* units.c - one table of units each for time and space. */
#include "common/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"

struct unit {
	struct str name;
	int64_t of;
};

/* Largest first: formatting takes the first that divides. */
static const struct unit durations[] = {
	{ { "h", 1 }, 3600 * NS_PER_S },
	{ { "m", 1 }, 60 * NS_PER_S },
	{ { "s", 1 }, NS_PER_S },
	{ { "ms", 2 }, NS_PER_MS },
	{ { NULL, 0 }, 0 },
};
static const struct unit sizes[] = {
	{ { "g", 1 }, INT64_C(1) << 30 },
	{ { "m", 1 }, INT64_C(1) << 20 },
	{ { "k", 1 }, INT64_C(1) << 10 },
	{ { NULL, 0 }, 0 },
};

static int
parse(struct str text, const struct unit *u, int64_t *value)
{
	int64_t v = 0;
	size_t i;

	for (i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, text.p[i] - '0', &v))
			return -ERANGE;
	if (i == 0)
		return -EINVAL;
	while (u->of && !str_eq(u->name, str_skip(text, i)))
		u++;
	if (!u->of)
		return -EINVAL;
	return __builtin_mul_overflow(v, u->of, value) ? -ERANGE : 0;
}

int
duration_parse(struct str text, int64_t *ns)
{
	return parse(text, durations, ns);
}

int
size_parse(struct str text, uint64_t *bytes)
{
	int64_t v;
	int rc = parse(text, sizes, &v);

	if (rc == 0)
		*bytes = (uint64_t)v;
	return rc;
}

void
duration_format(int64_t ns, char text[UNITS_TEXT_MAX])
{
	const struct unit *u = durations;

	if (ns == 0)
		u = &durations[2];
	while (u[1].of && ns % u->of)
		u++;
	snprintf(text, UNITS_TEXT_MAX, "%" PRId64 "%s", ns / u->of, u->name.p);
}

void
size_format(uint64_t bytes, char text[UNITS_TEXT_MAX])
{
	const struct unit *u = sizes;

	while (u->of && (bytes == 0 || bytes % (uint64_t)u->of))
		u++;
	if (u->of)
		bytes /= (uint64_t)u->of;
	snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 "%s", bytes, u->of ? u->name.p : "");
}
