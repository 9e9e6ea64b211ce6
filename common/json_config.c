/*
 * json_config.c - walks a document along a table of rows, and a table along a struct.
 *
 * The decoder carries a chain of json_at on its stack: it is the path of a message, and it
 * holds the index into the places list, so that a message costs nothing until there is one.
 */
#include "common/json_config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/suggest.h"

enum { FIELDS_MAX = 64 };

/* Which rows of a table the text gave, and where. */
struct given {
	uint64_t rows;
	uint32_t place[FIELDS_MAX];
};

static void
complain_unknown(struct json_decoder *d, const struct json_at *at, const struct json_field *fields)
{
	char names[512] = "";
	struct suggestion s = { 0 };
	size_t n = 0;

	for (const struct json_field *f = fields; f->key && n < sizeof(names); f++) {
		suggest_offer(&s, str_of(at->key), str_of(f->key));
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s, ", f->key);
	}
	if (s.word.p)
		json_config_complain(d, at, "is not known; did you mean \"%s\"?", s.word.p);
	else
		json_config_complain(d, at, "is not known; allowed here: %scomment", names);
}

static void
decode_default(
    struct json_decoder *d, const struct json_at *up, const struct json_field *f, void *to)
{
	struct json_at at = { up, f->key, 0, NULL, up->place, true };

	if (!f->fallback)
		return;
	at.value = json_loads(f->fallback, JSON_DECODE_ANY, NULL);
	if (at.value)
		f->kind->decode(d, &at, f, (char *)to + f->offset);
	else
		problems_add(d->problems, 0, "%s: out of memory", d->file);
	json_decref(at.value);
}

static size_t
field_find(const struct json_field *fields, const char *key)
{
	size_t i = 0;

	while (fields[i].key && strcmp(fields[i].key, key) != 0)
		i++;
	return i;
}

static bool
is_ignored(const struct json_at *at)
{
	return strcmp(at->key, "comment") == 0 || (!at->up->up && strcmp(at->key, "$schema") == 0);
}

static struct given
decode_members(
    struct json_decoder *d, const struct json_at *up, const struct json_field *fields, void *to)
{
	struct json_at at = { .up = up, .place = up->place, .is_default = up->is_default };
	struct given given = { 0 };
	size_t i;

	if (!up->is_default)
		at.place++;
	json_object_foreach(up->value, at.key, at.value)
	{
		i = field_find(fields, at.key);
		CHECK(i < FIELDS_MAX);
		if (fields[i].key) {
			given.rows |= UINT64_C(1) << i;
			given.place[i] = at.place;
			fields[i].kind->decode(d, &at, &fields[i], (char *)to + fields[i].offset);
		} else if (!is_ignored(&at)) {
			complain_unknown(d, &at, fields);
		}
		if (!up->is_default)
			at.place = d->places.list[at.place].after;
	}
	return given;
}

static void
complain_missing(struct json_decoder *d, const struct json_at *up, const struct json_field *f)
{
	struct json_at at = { up, f->key, 0, NULL, up->place, true };
	char expected[512];

	json_config_describe(f, expected, sizeof(expected));
	json_config_complain(d, &at, "is missing, expected %s", expected);
}

/* A key that this object must not have, because of the others. */
static void
check_barred(struct json_decoder *d, const struct json_at *up, const struct json_field *f,
    const void *object, uint32_t place)
{
	const struct json_at at = { up, f->key, 0, NULL, place, up->is_default };
	const char *why = f->barred ? f->barred(object) : NULL;

	if (why)
		json_config_complain(d, &at, "%s", why);
}

static void
decode_fields(
    struct json_decoder *d, const struct json_at *at, const struct json_field *fields, void *to)
{
	struct given given = decode_members(d, at, fields, to);

	for (size_t i = 0; fields[i].key; i++) {
		if (given.rows & UINT64_C(1) << i)
			continue;
		if (fields[i].required)
			complain_missing(d, at, &fields[i]);
		else
			decode_default(d, at, &fields[i], to);
	}
	for (size_t i = 0; fields[i].key; i++)
		if (given.rows & UINT64_C(1) << i)
			check_barred(d, at, &fields[i], to, given.place[i]);
}

static void
object_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	if (json_is_object(at->value))
		decode_fields(d, at, f->object, to);
	else
		json_config_mistyped(d, at, f);
}

static json_t *
object_encode(const struct json_field *f, const void *from)
{
	return json_config_encode(f->object, from);
}

static void
object_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "an object");
}

const struct json_kind json_kind_object = { object_decode, object_encode, object_describe };

static void
array_decode(struct json_decoder *d, const struct json_at *up, const struct json_field *f, void *to)
{
	size_t n = json_array_size(up->value);
	struct json_at at = { .up = up, .place = up->place, .is_default = up->is_default };
	char *elements;

	if (!json_is_array(up->value)) {
		json_config_mistyped(d, up, f);
		return;
	}
	if ((int64_t)n < f->min || (int64_t)n > f->max) {
		json_config_complain(d, up, "has %zu elements, allowed are %lld..%lld", n,
		    (long long)f->min, (long long)f->max);
		return;
	}
	if (n == 0 || !(elements = arena_alloc(d->arena, n * f->element->size)))
		return;
	if (!up->is_default)
		at.place++;
	for (; at.index < n; at.index++) {
		at.value = json_array_get(up->value, at.index);
		f->element->kind->decode(
		    d, &at, f->element, elements + at.index * f->element->size);
		if (!up->is_default)
			at.place = d->places.list[at.place].after;
	}
	memcpy(to, &elements, sizeof(elements));
	*(uint32_t *)json_config_beside(f, to) = (uint32_t)n;
}

static json_t *
array_encode(const struct json_field *f, const void *from)
{
	uint32_t n = *(const uint32_t *)json_config_beside_const(f, from);
	json_t *array = json_array(), *value;
	const char *elements;

	memcpy(&elements, from, sizeof(elements));
	for (uint32_t i = 0; array && i < n; i++) {
		value = f->element->kind->encode(f->element, elements + i * f->element->size);
		if (json_array_append_new(array, value) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static void
array_describe(const struct json_field *f, char *text, size_t size)
{
	char each[256];

	json_config_describe(f->element, each, sizeof(each));
	snprintf(text, size, "an array, each element %s", each);
}

const struct json_kind json_kind_array = { array_decode, array_encode, array_describe };

/* A key stands twice in one object.  `position` is just behind its second time. */
static void
complain_duplicate(struct json_decoder *d, struct str text, const json_error_t *e)
{
	size_t end = (size_t)e->position, start = end - 1;
	char quoted[JSON_SHOWN_MAX];

	CHECK(end >= 2 && end <= text.n && text.p[start] == '"');
	do
		start--;
	while (start > 0 && (text.p[start] != '"' || text.p[start - 1] == '\\'));
	json_config_quote((struct str){ text.p + start + 1, end - start - 2 }, quoted);
	problems_add(d->problems, (unsigned)e->line,
	    "%s:%d: the key %s is given twice in one object", d->file, e->line, quoted);
}

/* jansson's words, made presentable: they quote the text. */
static void
complain_syntax(struct json_decoder *d, struct str text, json_error_t *e)
{
	for (char *p = e->text; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	switch (json_error_code(e)) {
	case json_error_duplicate_key:
		complain_duplicate(d, text, e);
		return;
	case json_error_out_of_memory:
		problems_add(d->problems, 0, "%s: out of memory", d->file);
		return;
	case json_error_null_character:
		snprintf(e->text, sizeof(e->text), "a string must not hold \\u0000");
		break;
	default:
		break;
	}
	problems_add(
	    d->problems, (unsigned)e->line, "%s:%d: syntax error: %s", d->file, e->line, e->text);
}

int
json_config_open(struct json_decoder *d, struct str text)
{
	json_error_t e = { .line = 1 };

	d->places = (struct json_places){ 0 };
	if (text.n && memchr(text.p, 0, text.n)) { /* jansson overlooks some of them */
		problems_add(
		    d->problems, 0, "%s: holds a NUL byte: it is not a JSON text", d->file);
		return -EINVAL;
	}
	d->root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &e);
	if (!d->root) {
		complain_syntax(d, text, &e);
		return -EINVAL;
	}
	if (json_places_init(&d->places, text) < 0) {
		problems_add(d->problems, 0, "%s: out of memory", d->file);
		return -ENOMEM;
	}
	return 0;
}

void
json_config_close(struct json_decoder *d)
{
	json_places_fini(&d->places);
	json_decref(d->root);
	d->root = NULL;
}

void
json_config_decode(struct json_decoder *d, const struct json_field *fields, void *to)
{
	const struct json_field document = { .kind = &json_kind_object, .object = fields };
	struct json_at at = { .value = d->root };

	object_decode(d, &at, &document, to);
}

/* Rows without a default stand for "absent" when they are all zero. */
static bool
is_absent(const struct json_field *f, const char *member)
{
	for (size_t i = 0; i < f->size; i++)
		if (member[i])
			return false;
	return !f->fallback && !f->required;
}

json_t *
json_config_encode(const struct json_field *fields, const void *from)
{
	json_t *object = json_object();

	for (const struct json_field *f = fields; object && f->key; f++) {
		const char *member = (const char *)from + f->offset;

		if (is_absent(f, member) || (f->barred && f->barred(from)))
			continue;
		if (json_object_set_new(object, f->key, f->kind->encode(f, member)) < 0) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}
