/*
 * json_message.c - where a value stands, in words: its path, its line, what was found, what is
 * allowed.
 *
 * While decoding the way to a value is at hand as a chain of json_at.  Afterwards cross-checks
 * name a path as text, and the document is walked along it to find the line.
 */
#include "common/json_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"

enum { PATH_TEXT_MAX = 512 };

struct text {
	char *p;
	size_t n, size;
};

__attribute__((format(printf, 2, 3))) static void
text_add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->p + t->n, t->size - t->n, format, args);
	va_end(args);
	t->n += n < 0 ? 0 : (size_t)n;
	if (t->n >= t->size)
		t->n = t->size - 1;
}

static bool
is_plain_key(const char *key)
{
	size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$-");

	return n > 0 && n <= 64 && !key[n];
}

static void
path_add(struct text *t, const struct json_at *at)
{
	char quoted[JSON_SHOWN_MAX];

	if (!at->up)
		return;
	path_add(t, at->up);
	if (!at->key) {
		text_add(t, "[%zu]", at->index);
	} else if (is_plain_key(at->key)) {
		text_add(t, "%s%s", at->up->up ? "." : "", at->key);
	} else {
		json_config_quote(str_of(at->key), quoted);
		text_add(t, "[%s]", quoted);
	}
}

/* One line of the list.  The path may be empty. */
__attribute__((format(printf, 4, 0))) static void
report(struct json_decoder *d, uint32_t place, const char *path, const char *format, va_list args)
{
	unsigned line = d->places.list[place].line;
	char *text;

	if (vasprintf(&text, format, args) < 0) {
		problems_add(d->problems, 0, "%s: out of memory", d->file);
		return;
	}
	problems_add(
	    d->problems, line, "%s:%u: %s%s%s", d->file, line, path, *path ? ": " : "", text);
	free(text);
}

void
json_config_complain(struct json_decoder *d, const struct json_at *at, const char *format, ...)
{
	char path[PATH_TEXT_MAX] = "";
	va_list args;

	path_add(&(struct text){ path, 0, sizeof(path) }, at);
	va_start(args, format);
	report(d, at->place, path, format, args);
	va_end(args);
}

/* Steps into a member or element; false when it is not there. */
static bool
at_member(const struct json_decoder *d, struct json_at *at, const char *key, size_t n)
{
	uint32_t place = at->place + 1;
	const char *name;
	json_t *value;

	json_object_foreach(at->value, name, value)
	{
		if (strlen(name) == n && memcmp(name, key, n) == 0) {
			at->value = value;
			at->place = place;
			return true;
		}
		place = d->places.list[place].after;
	}
	return false;
}

static bool
at_element(const struct json_decoder *d, struct json_at *at, size_t index)
{
	uint32_t place = at->place + 1;

	if (index >= json_array_size(at->value))
		return false;
	for (size_t i = 0; i < index; i++)
		place = d->places.list[place].after;
	at->value = json_array_get(at->value, index);
	at->place = place;
	return true;
}

/* The place of "pools[0].name", or of as much of it as the text has. */
static uint32_t
place_of(const struct json_decoder *d, const char *path, const char *end)
{
	struct json_at at = { .value = d->root };
	bool found = true;
	size_t n;

	while (found && path < end) {
		if (*path == '[') {
			found = at_element(d, &at, strtoul(path + 1, NULL, 10));
			path = strchr(path, ']') + 1;
		} else {
			path += *path == '.';
			n = strcspn(path, ".[:");
			found = at_member(d, &at, path, n);
			path += n;
		}
	}
	return at.place;
}

void
json_config_problem(struct json_decoder *d, const char *format, ...)
{
	const char *end;
	unsigned line;
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		problems_add(d->problems, 0, "%s: out of memory", d->file);
		return;
	}
	end = strstr(text, ": ");
	CHECK(end);
	/* the search is slow, and beyond the maximum nobody reads it */
	line = problems_full(d->problems) ? 0 : d->places.list[place_of(d, text, end)].line;
	problems_add(d->problems, line, "%s:%u: %s", d->file, line, text);
	free(text);
}

void
json_config_mistyped(struct json_decoder *d, const struct json_at *at, const struct json_field *f)
{
	char shown[JSON_SHOWN_MAX], expected[512];

	json_config_show(at->value, shown);
	json_config_describe(f, expected, sizeof(expected));
	json_config_complain(d, at, "found %s, expected %s", shown, expected);
}

void
json_config_describe(const struct json_field *f, char *text, size_t size)
{
	if (f->expects)
		snprintf(text, size, "%s", f->expects);
	else
		f->kind->describe(f, text, size);
}
