/* when.c - two units are enough for a human. */
#include "hafailover/hactl/when.h"

#include <errno.h>
#include <stdio.h>

#include "common/clock.h"

/* "YYYY-MM-DDTHH:MM:SS", then ".fraction", then "Z". */
static const char shape[] = "dddd-dd-ddTdd:dd:dd";

static bool
has_shape(struct str s)
{
	for (size_t i = 0; i < sizeof(shape) - 1; i++)
		if (shape[i] == 'd' ? (s.p[i] < '0' || s.p[i] > '9') : s.p[i] != shape[i])
			return false;
	return true;
}

static int
digits(const char *p, size_t n)
{
	int v = 0;

	while (n-- > 0)
		v = 10 * v + (*p++ - '0');
	return v;
}

/* ".123" as nanoseconds; false: it is not one to nine digits. */
static bool
fraction_parse(struct str s, int64_t *ns)
{
	int64_t unit = NS_PER_S;

	*ns = 0;
	if (s.n == 0)
		return true;
	if (s.p[0] != '.' || s.n < 2 || s.n > 10)
		return false;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		unit /= 10;
		*ns += (s.p[i] - '0') * unit;
	}
	return true;
}

int
when_parse(struct str s, int64_t *wall_ns)
{
	struct tm tm = { 0 };
	int64_t fraction;

	if (s.n < sizeof(shape) || s.p[s.n - 1] != 'Z' || !has_shape(s))
		return -EINVAL;
	if (!fraction_parse(
		(struct str){ s.p + sizeof(shape) - 1, s.n - sizeof(shape) }, &fraction))
		return -EINVAL;
	tm.tm_year = digits(s.p, 4) - 1900;
	tm.tm_mon = digits(s.p + 5, 2) - 1;
	tm.tm_mday = digits(s.p + 8, 2);
	tm.tm_hour = digits(s.p + 11, 2);
	tm.tm_min = digits(s.p + 14, 2);
	tm.tm_sec = digits(s.p + 17, 2);
	if (tm.tm_year < 70 || tm.tm_year > 300 || tm.tm_mon < 0 || tm.tm_mon > 11 ||
	    tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
	    tm.tm_sec > 60)
		return -EINVAL;
	*wall_ns = timegm(&tm) * NS_PER_S + fraction;
	return 0;
}

struct when_text
when_span(int64_t ns)
{
	static const struct {
		int64_t s;
		const char *large, *small;
		int64_t small_s;
	} units[] = {
		{ 86400, "d", "h", 3600 },
		{ 3600, "h", "min", 60 },
		{ 60, "min", "s", 1 },
	};
	struct when_text t;
	int64_t s = ns > 0 ? ns / NS_PER_S : 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (s < units[i].s)
			continue;
		snprintf(t.text, sizeof(t.text), "%lld %s %lld %s", (long long)(s / units[i].s),
		    units[i].large, (long long)(s % units[i].s / units[i].small_s), units[i].small);
		return t;
	}
	if (s > 0)
		snprintf(t.text, sizeof(t.text), "%d s", (int)s);
	else
		snprintf(t.text, sizeof(t.text), "%d ms", (int)(ns > 0 ? ns / NS_PER_MS : 0));
	return t;
}

struct when_text
when_since(struct str time, int64_t now_wall_ns)
{
	int64_t then;

	if (when_parse(time, &then) < 0)
		return (struct when_text){ "" };
	return when_span(now_wall_ns - then);
}
