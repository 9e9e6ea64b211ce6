/* history.c - a ring, and one JSON object a line. */
#include "hafailover/state/history.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/file.h"
#include "hafailover/state/wall_time.h"

enum { FILE_MAX = 1 << 22 };

void
history_add(struct history *h, const struct history_entry *e)
{
	h->ring[h->next] = *e;
	h->next = (h->next + 1) % HISTORY_MAX;
	h->n += h->n < HISTORY_MAX;
}

const struct history_entry *
history_at(const struct history *h, unsigned i)
{
	return &h->ring[(h->next + HISTORY_MAX - h->n + i) % HISTORY_MAX];
}

json_t *
history_json(const struct history_entry *e, const char *node)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "time",
	    wall_time_text(e->wall_ns).text, "node", node, "from", role_name(e->from), "to",
	    role_name(e->to), "cause", cause_name(e->cause), "term", (json_int_t)e->term);
	json_t *duration =
	    e->duration_ns < 0 ? json_null() : json_integer(e->duration_ns / NS_PER_MS);

	if (json_object_set_new(o, "duration_ms", duration) == 0)
		return o;
	json_decref(o);
	return NULL;
}

size_t
history_format(const struct history_entry *e, char line[HISTORY_LINE_MAX])
{
	int n = snprintf(line, HISTORY_LINE_MAX,
	    "{\"time\":\"%s\",\"wall_ns\":%lld,\"from\":\"%s\",\"to\":\"%s\",\"cause\":\"%s\","
	    "\"duration_ns\":%lld,\"term\":%llu}\n",
	    wall_time_text(e->wall_ns).text, (long long)e->wall_ns, role_name(e->from),
	    role_name(e->to), cause_name(e->cause), (long long)e->duration_ns,
	    (unsigned long long)e->term);

	return (size_t)n;
}

/* A name back to its number; -1 when there is none. */
static int
find(const char *name, unsigned n, const char *(*name_of)(unsigned))
{
	for (unsigned i = 0; name && i < n; i++)
		if (strcmp(name, name_of(i)) == 0)
			return (int)i;
	return -1;
}

static const char *
role_of(unsigned i)
{
	return role_name((enum role)i);
}

static const char *
cause_of(unsigned i)
{
	return cause_name((enum cause)i);
}

static bool
entry_parse(struct str line, struct history_entry *e)
{
	json_t *o = json_loadb(line.p, line.n, 0, NULL);
	int from = find(json_string_value(json_object_get(o, "from")), ROLE_N, role_of);
	int to = find(json_string_value(json_object_get(o, "to")), ROLE_N, role_of);
	int cause = find(json_string_value(json_object_get(o, "cause")), CAUSE_N, cause_of);
	json_int_t wall = json_integer_value(json_object_get(o, "wall_ns"));

	*e = (struct history_entry){
		.wall_ns = wall,
		.duration_ns = json_integer_value(json_object_get(o, "duration_ns")),
		.term = (uint64_t)json_integer_value(json_object_get(o, "term")),
		.from = from < 0 ? ROLE_INITIALIZE : (enum role)from,
		.to = to < 0 ? ROLE_INITIALIZE : (enum role)to,
		.cause = cause < 0 ? CAUSE_NONE : (enum cause)cause,
	};
	json_decref(o);
	return from >= 0 && to >= 0 && cause >= 0 && wall > 0;
}

int
history_load(struct history *h, const char *directory, struct err *err)
{
	char path[PATH_MAX], *text;
	struct history_entry e;
	struct str rest;
	int code;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, directory);
	code = file_read(path, FILE_MAX, &text, &rest.n, err);
	if (code)
		return code == -ENOENT ? 0 : code;
	rest.p = text;
	while (rest.n) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;

		if (entry_parse((struct str){ rest.p, n }, &e))
			history_add(h, &e);
		rest = str_skip(rest, end ? n + 1 : n);
	}
	free(text);
	return 0;
}
