/*
 * names.c - a search tree of names; each has an address, an error, or nothing yet.
 *
 * Lines: "NAME ADDRESS" or "NAME !REASON".
 */
#include "lbd/supervisor/names.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "lbd/config/config.h"

enum answer { ANSWER_NONE, ANSWER_ADDRESS, ANSWER_ERROR };

struct name {
	char name[256];
	enum answer answer;
	char text[ADDRESS_TEXT_MAX]; /* the address without port, or the reason */
};

static void *entries;
static size_t missing;

static int
entry_compare(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->name, ((const struct name *)b)->name);
}

/* The entry of that name, made if there is none.  NULL: out of memory. */
static struct name *
entry_find(const char *name)
{
	struct name *e = calloc(1, sizeof(*e));
	struct name **found;

	if (!e)
		return NULL;
	snprintf(e->name, sizeof(e->name), "%s", name);
	found = tsearch(e, &entries, entry_compare);
	if (!found || *found != e)
		free(e);
	if (found && *found == e)
		missing++;
	return found ? *found : NULL;
}

static void
entry_set(struct name *e, enum answer answer, struct str text)
{
	if (e->answer == ANSWER_NONE)
		missing--;
	e->answer = answer;
	snprintf(e->text, sizeof(e->text), "%.*s", STR_ARG(text));
}

void
names_clear(void)
{
	tdestroy(entries, free);
	entries = NULL;
	missing = 0;
}

size_t
names_missing(void)
{
	return missing;
}

/* An address without a port, as address_format_host writes it. */
static int
host_parse(const char *text, struct address *a, struct err *err)
{
	char any_port[ADDRESS_TEXT_MAX + 8];
	bool v6 = strchr(text, ':');
	int code;

	snprintf(any_port, sizeof(any_port), v6 ? "[%s]:1" : "%s:1", text);
	code = address_parse(a, str_of(any_port), err);
	if (!code)
		a->in.sin_port = 0; /* sin6_port lies at the same place */
	return code;
}

int
names_resolve(const char *name, struct address *a, struct err *err)
{
	const struct name *e = entry_find(name);

	if (!e)
		return err_set(err, -ENOMEM, "out of memory");
	switch (e->answer) {
	case ANSWER_ADDRESS:
		return host_parse(e->text, a, err);
	case ANSWER_ERROR:
		return err_set(err, -ENOENT, "%s", e->text);
	case ANSWER_NONE:
		break;
	}
	return err_set(err, -EAGAIN, "it was not looked up");
}

static void
entry_look_up(struct name *e)
{
	char text[ADDRESS_TEXT_MAX];
	struct address a;
	struct err err;

	if (config_resolve(e->name, &a, &err) < 0) {
		entry_set(e, ANSWER_ERROR, str_of(err.text));
		return;
	}
	address_format_host(&a, text);
	entry_set(e, ANSWER_ADDRESS, str_of(text));
}

static void
look_up_visit(const void *node, VISIT visit, void *data)
{
	struct name *e = *(struct name *const *)node;

	(void)data;
	if ((visit == postorder || visit == leaf) && e->answer == ANSWER_NONE)
		entry_look_up(e);
}

void
names_look_up(void)
{
	twalk_r(entries, look_up_visit, NULL);
}

static void
format_visit(const void *node, VISIT visit, void *data)
{
	const struct name *e = *(struct name *const *)node;

	if ((visit != postorder && visit != leaf) || e->answer == ANSWER_NONE)
		return;
	text_printf(data, "%s %s%s\n", e->name, e->answer == ANSWER_ERROR ? "!" : "", e->text);
}

void
names_format(struct text *t)
{
	twalk_r(entries, format_visit, t);
}

static void
line_take(struct str line)
{
	const char *space = line.n ? memchr(line.p, ' ', line.n) : NULL;
	struct str text;
	struct name *e;
	char name[256];

	if (!space)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(space - line.p), line.p);
	text = str_skip(line, (size_t)(space - line.p) + 1);
	e = entry_find(name);
	if (e && str_starts(text, STR("!")))
		entry_set(e, ANSWER_ERROR, str_skip(text, 1));
	else if (e)
		entry_set(e, ANSWER_ADDRESS, text);
}

void
names_take(struct str text)
{
	const char *end;

	names_clear();
	while (text.n && (end = memchr(text.p, '\n', text.n))) {
		struct str line = { text.p, (size_t)(end - text.p) };

		line_take(line);
		text = str_skip(text, line.n + 1);
	}
}
