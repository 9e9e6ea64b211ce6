/* json_kinds.c - the kinds of value that every daemon's tables use. */
#include "common/json_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/address.h"
#include "common/check.h"
#include "common/suggest.h"
#include "common/units.h"

static struct str
value_str(const json_t *value)
{
	return (struct str){ json_string_value(value), json_string_length(value) };
}

static json_t *
str_json(struct str s)
{
	return json_stringn(s.p ? s.p : "", s.n);
}

/* Unsigned members of any width. */
static void
store(const struct json_field *f, uint64_t v, void *to)
{
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;

	switch (f->size) {
	case 2:
		memcpy(to, &v16, 2);
		return;
	case 4:
		memcpy(to, &v32, 4);
		return;
	case 8:
		memcpy(to, &v, 8);
		return;
	}
	CHECK_NEVER();
}

static uint64_t
fetch(const struct json_field *f, const void *from)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (f->size) {
	case 2:
		memcpy(&v16, from, 2);
		return v16;
	case 4:
		memcpy(&v32, from, 4);
		return v32;
	case 8:
		memcpy(&v64, from, 8);
		return v64;
	}
	CHECK_NEVER();
}

static bool
in_range(const struct json_field *f, int64_t v)
{
	return v >= f->min && v <= f->max;
}

static void
string_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	struct str s = value_str(at->value);
	char quoted[JSON_SHOWN_MAX];
	const char *wrong;

	if (!json_is_string(at->value)) {
		json_config_mistyped(d, at, f);
	} else if (!in_range(f, (int64_t)s.n)) {
		json_config_complain(
		    d, at, "has %zu bytes, allowed are %" PRId64 "..%" PRId64, s.n, f->min, f->max);
	} else if (f->check && (wrong = f->check(s))) {
		json_config_quote(s, quoted);
		json_config_complain(d, at, "%s %s", quoted, wrong);
	} else {
		s = arena_str(d->arena, s);
		memcpy(to, &s, sizeof(s));
	}
}

static json_t *
string_encode(const struct json_field *f, const void *from)
{
	(void)f;
	return str_json(*(const struct str *)from);
}

static void
string_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "a string");
}

static void
bool_decode(struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	if (json_is_boolean(at->value))
		*(bool *)to = json_boolean_value(at->value);
	else
		json_config_mistyped(d, at, f);
}

static json_t *
bool_encode(const struct json_field *f, const void *from)
{
	(void)f;
	return json_boolean(*(const bool *)from);
}

static void
bool_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "true or false");
}

static void
integer_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	json_int_t v = json_integer_value(at->value);

	if (!json_is_integer(at->value))
		json_config_mistyped(d, at, f);
	else if (!in_range(f, v))
		json_config_complain(d, at,
		    "%" JSON_INTEGER_FORMAT " is outside %" PRId64 "..%" PRId64, v, f->min, f->max);
	else
		store(f, (uint64_t)v, to);
}

static json_t *
integer_encode(const struct json_field *f, const void *from)
{
	return json_integer((json_int_t)fetch(f, from));
}

static void
integer_describe(const struct json_field *f, char *text, size_t size)
{
	snprintf(text, size, "an integer in %" PRId64 "..%" PRId64, f->min, f->max);
}

static void
duration_range(const struct json_field *f, char *text, size_t size)
{
	char min[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX];

	duration_format(f->min, min);
	duration_format(f->max, max);
	snprintf(text, size, "%s..%s", min, max);
}

static void
duration_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	char range[2 * UNITS_TEXT_MAX + 3], quoted[JSON_SHOWN_MAX];
	int64_t v = 0;
	int rc = json_is_string(at->value) ? duration_parse(value_str(at->value), &v) : -EINVAL;

	if (rc == -EINVAL) {
		json_config_mistyped(d, at, f);
	} else if (rc < 0 || !in_range(f, v)) {
		duration_range(f, range, sizeof(range));
		json_config_quote(value_str(at->value), quoted);
		json_config_complain(d, at, "%s is outside %s", quoted, range);
	} else {
		memcpy(to, &v, sizeof(v));
	}
}

static json_t *
duration_encode(const struct json_field *f, const void *from)
{
	char text[UNITS_TEXT_MAX];

	(void)f;
	duration_format(*(const int64_t *)from, text);
	return json_string(text);
}

static void
duration_describe(const struct json_field *f, char *text, size_t size)
{
	char range[2 * UNITS_TEXT_MAX + 3];

	duration_range(f, range, sizeof(range));
	snprintf(
	    text, size, "a duration in %s, such as \"200ms\", \"5s\", \"1m\" or \"1h\"", range);
}

static void
size_range(const struct json_field *f, char *text, size_t size)
{
	char min[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX];

	size_format((uint64_t)f->min, min);
	size_format((uint64_t)f->max, max);
	snprintf(text, size, "%s..%s", min, max);
}

static int
size_value(const json_t *value, uint64_t *v)
{
	if (json_is_string(value))
		return size_parse(value_str(value), v);
	if (!json_is_integer(value))
		return -EINVAL;
	*v = (uint64_t)json_integer_value(value);
	return json_integer_value(value) < 0 ? -ERANGE : 0;
}

static void
size_decode(struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	char range[2 * UNITS_TEXT_MAX + 3], shown[JSON_SHOWN_MAX];
	uint64_t v = 0;
	int rc = size_value(at->value, &v);

	if (rc == -EINVAL) {
		json_config_mistyped(d, at, f);
	} else if (rc < 0 || v > INT64_MAX || !in_range(f, (int64_t)v)) {
		size_range(f, range, sizeof(range));
		json_config_show(at->value, shown);
		json_config_complain(d, at, "%s is outside %s", shown, range);
	} else {
		store(f, v, to);
	}
}

static json_t *
size_encode(const struct json_field *f, const void *from)
{
	uint64_t v = fetch(f, from);
	char text[UNITS_TEXT_MAX];

	size_format(v, text);
	return v % 1024 || v == 0 ? json_integer((json_int_t)v) : json_string(text);
}

static void
size_describe(const struct json_field *f, char *text, size_t size)
{
	char range[2 * UNITS_TEXT_MAX + 3];

	size_range(f, range, sizeof(range));
	snprintf(text, size, "a size in %s: a number of bytes, or \"32k\", \"1m\", \"1g\"", range);
}

/* "a", "b" or "c" */
static void
choice_describe(const struct json_field *f, char *text, size_t size)
{
	size_t n = 0;

	for (const struct json_choice *c = f->choices; c->name && n < size; c++)
		n += (size_t)snprintf(text + n, size - n, "%s\"%s\"",
		    c == f->choices ? ""
			: c[1].name ? ", "
				    : " or ",
		    c->name);
}

static const struct json_choice *
choice_find(struct json_decoder *d, const struct json_at *at, const struct json_field *f)
{
	struct str s = value_str(at->value);
	char quoted[JSON_SHOWN_MAX], allowed[512];
	struct suggestion close = { 0 };

	if (!json_is_string(at->value)) {
		json_config_mistyped(d, at, f);
		return NULL;
	}
	for (const struct json_choice *c = f->choices; c->name; c++) {
		if (str_eq(str_of(c->name), s))
			return c;
		suggest_offer(&close, s, str_of(c->name));
	}
	json_config_quote(s, quoted);
	json_config_describe(f, allowed, sizeof(allowed));
	if (close.word.p && f->choices[1].name)
		json_config_complain(d, at, "%s is not known, expected %s; did you mean \"%s\"?",
		    quoted, allowed, close.word.p);
	else
		json_config_complain(d, at, "%s is not known, expected %s", quoted, allowed);
	return NULL;
}

static void
choice_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	const struct json_choice *c = choice_find(d, at, f);

	if (c)
		memcpy(to, &c->value, sizeof(c->value));
}

static json_t *
choice_encode(const struct json_field *f, const void *from)
{
	const struct json_choice *c = f->choices;
	int v;

	memcpy(&v, from, sizeof(v));
	while (c->name && c->value != v)
		c++;
	CHECK(c->name);
	return json_string(c->name);
}

static void
choices_decode(
    struct json_decoder *d, const struct json_at *up, const struct json_field *f, void *to)
{
	const struct json_field each = { .kind = &json_kind_choice, .choices = f->choices };
	struct json_at at = { .up = up, .place = up->place, .is_default = up->is_default };
	const struct json_choice *c;
	unsigned bits = 0;

	if (!json_is_array(up->value)) {
		json_config_mistyped(d, up, f);
		return;
	}
	for (; at.index < json_array_size(up->value); at.index++) {
		at.place += !at.is_default;
		at.value = json_array_get(up->value, at.index);
		c = choice_find(d, &at, &each);
		if (c && bits & (unsigned)c->value)
			json_config_complain(d, &at, "\"%s\" is there already", c->name);
		bits |= c ? (unsigned)c->value : 0;
	}
	memcpy(to, &bits, sizeof(bits));
}

static json_t *
choices_encode(const struct json_field *f, const void *from)
{
	json_t *array = json_array();
	unsigned bits;

	memcpy(&bits, from, sizeof(bits));
	for (const struct json_choice *c = f->choices; array && c->name; c++) {
		if (!(bits & (unsigned)c->value))
			continue;
		if (json_array_append_new(array, json_string(c->name)) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static void
choices_describe(const struct json_field *f, char *text, size_t size)
{
	char each[384];

	choice_describe(f, each, sizeof(each));
	snprintf(text, size, "an array of %s", each);
}

static void
address_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	char quoted[JSON_SHOWN_MAX];
	struct err err;

	if (!json_is_string(at->value)) {
		json_config_mistyped(d, at, f);
		return;
	}
	if (address_parse(to, value_str(at->value), &err) == 0)
		return;
	memset(to, 0, f->size);
	json_config_quote(value_str(at->value), quoted);
	json_config_complain(d, at, "%s is not an address: %s", quoted, err.text);
}

static json_t *
address_encode(const struct json_field *f, const void *from)
{
	char text[ADDRESS_TEXT_MAX];

	(void)f;
	return json_stringn(text, address_format(from, text));
}

static void
address_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "\"ADDRESS:PORT\", \"[IPV6]:PORT\" or \"unix:/PATH\"");
}

static void
network_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	char quoted[JSON_SHOWN_MAX];
	struct err err;

	if (!json_is_string(at->value)) {
		json_config_mistyped(d, at, f);
		return;
	}
	if (network_parse(to, value_str(at->value), &err) == 0)
		return;
	json_config_quote(value_str(at->value), quoted);
	json_config_complain(d, at, "%s is not a network: %s", quoted, err.text);
}

static json_t *
network_encode(const struct json_field *f, const void *from)
{
	char text[ADDRESS_TEXT_MAX];

	(void)f;
	return json_stringn(text, network_format(from, text));
}

static void
network_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"");
}

const struct json_kind json_kind_string = { string_decode, string_encode, string_describe };
const struct json_kind json_kind_bool = { bool_decode, bool_encode, bool_describe };
const struct json_kind json_kind_integer = { integer_decode, integer_encode, integer_describe };
const struct json_kind json_kind_duration = { duration_decode, duration_encode, duration_describe };
const struct json_kind json_kind_size = { size_decode, size_encode, size_describe };
const struct json_kind json_kind_choice = { choice_decode, choice_encode, choice_describe };
const struct json_kind json_kind_choices = { choices_decode, choices_encode, choices_describe };
const struct json_kind json_kind_address = { address_decode, address_encode, address_describe };
const struct json_kind json_kind_network = { network_decode, network_encode, network_describe };
