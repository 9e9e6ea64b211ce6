/* target.c - a look whether anything must change; then octets first, and segments in place. */
#include "lbd/route/target.h"

#include "lbd/http/scan.h"

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

/* What is before the query; is it as it should be?  Any dot behind a slash may be a dot segment. */
static struct str
path_look(struct str target, bool *normal)
{
	const char *p = target.p, *end = p + target.n;

	*normal = true;
	while ((p = scan_smooth(p, end)) < end && *p != '?') {
		if (*p == '%' || p[-1] == '/')
			*normal = false;
		p++;
	}
	return (struct str){ target.p, (size_t)(p - target.p) };
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
target_normalise(struct str target, char *out, struct target *normal)
{
	struct str path, query;
	ptrdiff_t length;
	bool is_normal;

	*normal = (struct target){ target, target };
	if (target.n == 0 || target.p[0] != '/')
		return TARGET_NORMAL;
	path = path_look(target, &is_normal);
	normal->path = path;
	if (is_normal)
		return TARGET_NORMAL;
	length = octets_normalise(path, out);
	if (length >= 0)
		length = segments_normalise(out, (size_t)length);
	if (length < 0)
		return TARGET_BAD;
	query = str_skip(target, path.n);
	memcpy(out + length, query.p, query.n);
	normal->whole = (struct str){ out, (size_t)length + query.n };
	normal->path = (struct str){ out, (size_t)length };
	return TARGET_CHANGED;
}
