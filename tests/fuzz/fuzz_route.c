/*
 * fuzz_route.c - a request's host and target, and the rules that it may fall under.
 *
 * The first line is "HOST TARGET"; the others are rules, "FLAGS HOST PATH" with a character for FLAGS.  The target's
 * one spelling is that of RFC 3986 done the slow way, and its own spelling; and the router finds the rule
 * that a search of all of them finds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lbd/route/router.h"
#include "lbd/route/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RULES_MAX = 64, HOST_MAX = 64, TARGET_MAX = 512 };

static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static struct str
take(struct str *from, char end)
{
	const char *p = from->n ? memchr(from->p, end, from->n) : NULL;
	struct str word = { from->p, p ? (size_t)(p - from->p) : from->n };

	*from = str_skip(*from, word.n + (p != NULL));
	return word;
}

/* --- one spelling --- */

static int
hex(char c)
{
	const char *digits = "0123456789abcdef",
		   *p = strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c);

	return c && p ? (int)(p - digits) : -1;
}

/* Bytes of `out`, or -1: it cannot be spelt. */
static ptrdiff_t
octets(struct str path, char *out)
{
	size_t n = 0;

	while (path.n) {
		char c = path.p[0];

		if (c == '%') {
			int high = path.n > 2 ? hex(path.p[1]) : -1;
			int low = path.n > 2 ? hex(path.p[2]) : -1;

			c = (char)(high * 16 + low);
			if (high < 0 || low < 0 || c == 0)
				return -1;
			if ((c & 0x80) ||
			    !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~",
				c))
				n += (size_t)sprintf(out + n, "%%%02X", (unsigned char)c);
			else
				out[n++] = c;
			path = str_skip(path, 3);
			continue;
		}
		out[n++] = c;
		path = str_skip(path, 1);
	}
	return (ptrdiff_t)n;
}

/* RFC 3986 section 5.2.4, to the letter; -1: above the root, which the RFC allows and we do not. */
static ptrdiff_t
remove_dot_segments(struct str in, char *out)
{
	size_t n = 0;

	while (in.n) {
		if (str_starts(in, STR("/./"))) {
			in = str_skip(in, 2);
		} else if (str_eq(in, STR("/."))) {
			in = STR("/");
		} else if (str_starts(in, STR("/../")) || str_eq(in, STR("/.."))) {
			if (n == 0)
				return -1;
			while (out[--n] != '/')
				;
			in = in.n == 3 ? STR("/") : str_skip(in, 3);
		} else {
			out[n++] = in.p[0];
			in = str_skip(in, 1);
			while (in.n && in.p[0] != '/') {
				out[n++] = in.p[0];
				in = str_skip(in, 1);
			}
		}
	}
	return (ptrdiff_t)n;
}

/* Checks it, and gives its spelling; empty: it has none. */
static struct str
spell(struct str target, char room[TARGET_MAX])
{
	char decoded[TARGET_MAX + 1], slow[TARGET_MAX + 1],
	    *exact = malloc(target.n ? target.n : 1), again[TARGET_MAX];
	struct str path = target_path(target), query = str_skip(target, path.n), out = { room, 0 };
	ptrdiff_t n = octets(path, decoded);
	struct target normal;

	if (!exact)
		abort();
	if (target.n)
		memcpy(exact, target.p, target.n);
	if (n >= 0)
		n = remove_dot_segments((struct str){ decoded, (size_t)n }, slow);
	switch (target_normalise((struct str){ exact, target.n }, room, &normal)) {
	case TARGET_BAD:
		if (n >= 0)
			fail("refused, and it can be spelt");
		break;
	case TARGET_NORMAL:
		memcpy(room, target.p, target.n);
		/* fall through */
	case TARGET_CHANGED:
		out.n = normal.whole.n;
		if (normal.path.p != normal.whole.p || normal.path.n != target_path(out).n)
			fail("has another path");
		if (n < 0 || (size_t)n + query.n != out.n || memcmp(room, slow, (size_t)n) != 0 ||
		    (query.n && memcmp(room + n, query.p, query.n) != 0))
			fail("not as the RFC has it");
		if (target_normalise(out, again, &normal) == TARGET_BAD)
			fail("its spelling has none");
		if (!str_eq(normal.whole, out))
			fail("its spelling has another one");
	}
	free(exact);
	return out;
}

/* --- rules --- */

struct rules {
	struct route_rule list[RULES_MAX];
	bool holds[RULES_MAX];
	uint32_t n;
};

static bool
accepts(void *arg, uint32_t rule)
{
	return ((const struct rules *)arg)->holds[rule];
}

static bool
host_valid(struct str host)
{
	if (str_starts(host, STR("*.")))
		host = str_skip(host, 2);
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] != '-' && host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9') &&
		    (host.p[i] < 'a' || host.p[i] > 'z'))
			return false;
	return host.n && host.p[0] != '.';
}

/* One that a configuration could hold, out of a line; or none. */
static void
rule_add(struct rules *r, struct arena *a, struct str line)
{
	char flags = line.n ? line.p[0] : 0, room[TARGET_MAX];
	struct target path;
	struct str host;

	line = str_skip(line, line.n ? 1 : 0);
	host = take(&line, ' ');
	if (r->n == RULES_MAX || (host.n && (host.n > HOST_MAX || !host_valid(host))))
		return;
	if (line.n > TARGET_MAX || (line.n && line.p[0] != '/') || target_path(line).n != line.n)
		return;
	if (target_normalise(line, room, &path) == TARGET_BAD)
		return;
	r->holds[r->n] = !(flags & 8);
	r->list[r->n++] = (struct route_rule){
		.host = arena_str(a, host),
		.path = arena_str(a, path.whole),
		.exact = path.whole.n && flags & 1,
		.n_conditions = flags >> 1 & 3,
	};
}

static bool
host_matches(struct str rule, struct str host)
{
	if (!str_starts(rule, STR("*.")))
		return rule.n == 0 || str_eq(rule, host);
	rule = str_skip(rule, 1);
	return host.n > rule.n && str_eq(str_skip(host, host.n - rule.n), rule);
}

static bool
path_matches(const struct route_rule *rule, struct str path)
{
	size_t n = rule->path.n;

	if (rule->exact)
		return str_eq(rule->path, path);
	return str_starts(path, rule->path) &&
	    (n == 0 || n == path.n || path.p[n] == '/' || path.p[n - 1] == '/');
}

/* Any host, then wildcards by length, then exact ones; an exact path, else the longest; conditions. */
static uint64_t
rank(const struct route_rule *r)
{
	bool pattern = r->host.n == 0 || str_starts(r->host, STR("*."));
	uint64_t host = pattern ? r->host.n : HOST_MAX + 1;

	return host << 32 | (uint64_t)r->exact << 24 | (uint64_t)r->path.n << 8 | r->n_conditions;
}

static int
search(const struct rules *r, struct str host, struct str path)
{
	int best = -1;

	for (uint32_t i = 0; i < r->n; i++)
		if (r->holds[i] && host_matches(r->list[i].host, host) &&
		    path_matches(&r->list[i], path) &&
		    (best < 0 || rank(&r->list[i]) > rank(&r->list[best])))
			best = (int)i;
	return best;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size }, first = take(&in, '\n');
	struct str host = take(&first, ' '), path;
	struct arena *a = arena_new();
	struct rules rules = { .n = 0 };
	struct router *r;
	char room[TARGET_MAX];

	if (!a)
		abort();
	while (in.n)
		rule_add(&rules, a, take(&in, '\n'));
	if (first.n && first.n <= TARGET_MAX && first.p[0] == '/' && host.n <= HOST_MAX &&
	    (host.n == 0 || host_valid(host))) {
		path = target_path(spell(first, room));
		r = router_new(a, rules.list, rules.n);
		if (r && path.n &&
		    router_find(r, host, path, accepts, &rules) != search(&rules, host, path))
			fail("another rule than a search of all of them finds");
	}
	arena_free(&a);
	return 0;
}
