/* target.c - a look whether anything must change; then octets first, and segments in place. */
#include "lbd/route/target.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3986 section 2.3. */
static bool
is_unreserved(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '-' || c == '.' || c == '_' || c == '~';
}

struct str
target_path(struct str target)
{
	const char *query = memchr(target.p, '?', target.n);

	return (struct str){ target.p, query ? (size_t)(query - target.p) : target.n };
}

static bool
is_normal(struct str path)
{
	const char *slash = path.p, *end = path.p + path.n;

	if (memchr(path.p, '%', path.n))
		return false;
	while (slash && slash + 1 < end) {
		if (slash[1] == '.')
			return false;
		slash = memchr(slash + 1, '/', (size_t)(end - slash - 1));
	}
	return true;
}

/* Bytes written to `out`, or -1. */
static ptrdiff_t
octets_normalise(struct str path, char *out)
{
	static const char digits[] = "0123456789ABCDEF";
	char *to = out;

	for (size_t i = 0; i < path.n; i++) {
		int high, low, c;

		if (path.p[i] != '%') {
			*to++ = path.p[i];
			continue;
		}
		high = i + 2 < path.n ? hex_value(path.p[i + 1]) : -1;
		low = i + 2 < path.n ? hex_value(path.p[i + 2]) : -1;
		c = high * 16 + low;
		if (high < 0 || low < 0 || c == 0)
			return -1;
		i += 2;
		if (is_unreserved(c)) {
			*to++ = (char)c;
		} else {
			*to++ = '%';
			*to++ = digits[high];
			*to++ = digits[low];
		}
	}
	return to - out;
}

/* RFC 3986 section 5.2.4, for a path that begins with a slash; -1: above the root. */
static ptrdiff_t
segments_normalise(char *path, size_t n)
{
	size_t from = 0, to = 0;

	while (from < n) {
		const char *slash = memchr(path + from + 1, '/', n - from - 1);
		size_t end = slash ? (size_t)(slash - path) : n;
		struct str segment = { path + from + 1, end - from - 1 };

		if (str_eq(segment, STR("..")) && to == 0)
			return -1;
		if (str_eq(segment, STR("..")))
			for (to--; path[to] != '/'; to--)
				;
		else if (!str_eq(segment, STR("."))) {
			memmove(path + to, path + from, end - from);
			to += end - from;
			from = end;
			continue;
		}
		from = end;
		if (from == n) /* it named a directory */
			path[to++] = '/';
	}
	return (ptrdiff_t)to;
}

enum target_verdict
target_normalise(struct str target, char *out, size_t *n)
{
	struct str path = target_path(target);
	ptrdiff_t length;

	if (path.n == 0 || path.p[0] != '/' || is_normal(path))
		return TARGET_NORMAL;
	length = octets_normalise(path, out);
	if (length >= 0)
		length = segments_normalise(out, (size_t)length);
	if (length < 0)
		return TARGET_BAD;
	memcpy(out + length, target.p + path.n, target.n - path.n);
	*n = (size_t)length + target.n - path.n;
	return TARGET_CHANGED;
}
