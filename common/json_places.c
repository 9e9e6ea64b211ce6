/* json_places.c - a walk over JSON text that counts lines and values, and trusts the rest. */
#include "common/json_places.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"

struct walk {
	const char *p, *end;
	uint32_t line;
	struct json_places *places;
};

static void
skip_blanks(struct walk *w)
{
	for (; w->p < w->end && strchr(" \t\r\n", *w->p); w->p++)
		w->line += *w->p == '\n';
}

static char
next(struct walk *w)
{
	skip_blanks(w);
	CHECK(w->p < w->end);
	return *w->p;
}

static void
skip_string(struct walk *w)
{
	for (w->p++; *w->p != '"'; w->p++) {
		w->p += *w->p == '\\';
		CHECK(w->p + 1 < w->end);
	}
	w->p++;
}

static int
note(struct json_places *places, uint32_t line, uint32_t *at)
{
	struct json_place *list;
	uint32_t size = places->size ? 2 * places->size : 64;

	if (places->n == places->size) {
		list = realloc(places->list, size * sizeof(*list));
		if (!list)
			return -ENOMEM;
		places->list = list;
		places->size = size;
	}
	*at = places->n++;
	places->list[*at] = (struct json_place){ line, places->n };
	return 0;
}

static int walk_value(struct walk *, uint32_t line);

/* Members or elements up to the closing bracket. */
static int
walk_children(struct walk *w, char close)
{
	uint32_t line;
	int rc;

	w->p++;
	while (next(w) != close) {
		if (*w->p == ',') {
			w->p++;
			continue;
		}
		line = w->line;
		if (close == '}') {
			skip_string(w);
			CHECK(next(w) == ':');
			w->p++;
			next(w);
		}
		if ((rc = walk_value(w, line)) < 0)
			return rc;
	}
	w->p++;
	return 0;
}

/* As deep as jansson's own recursion, which has a limit. */
static int
walk_value(struct walk *w, uint32_t line)
{
	uint32_t at;
	int rc;

	if ((rc = note(w->places, line, &at)) < 0)
		return rc;
	switch (*w->p) {
	case '{':
		rc = walk_children(w, '}');
		break;
	case '[':
		rc = walk_children(w, ']');
		break;
	case '"':
		skip_string(w);
		break;
	default: /* a number or a word */
		while (w->p < w->end && !strchr(" \t\r\n,]}", *w->p))
			w->p++;
	}
	w->places->list[at].after = w->places->n;
	return rc;
}

int
json_places_init(struct json_places *places, struct str valid)
{
	struct walk w = { valid.p, valid.p + valid.n, 1, places };
	int rc;

	*places = (struct json_places){ 0 };
	next(&w);
	rc = walk_value(&w, w.line);
	if (rc < 0)
		json_places_fini(places);
	return rc;
}

void
json_places_fini(struct json_places *places)
{
	free(places->list);
	*places = (struct json_places){ 0 };
}
