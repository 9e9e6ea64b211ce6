/* schema_alpn.c - listeners[].tls.alpn: an array of protocols, kept as RFC 7301 has them on the wire. */
#include "lbd/config/schema.h"

#include <stdio.h>

struct alpn_list {
	char wire[ALPN_MAX];
	size_t n;
};

static bool
list_holds(const struct alpn_list *l, struct str name)
{
	return alpn_holds((struct str){ l->wire, l->n }, name);
}

static void
list_add(struct alpn_list *l, struct str name)
{
	l->wire[l->n++] = (char)name.n;
	memcpy(l->wire + l->n, name.p, name.n);
	l->n += name.n;
}

static void
element_decode(struct json_decoder *d, const struct json_at *at, struct alpn_list *l)
{
	struct str name = { json_string_value(at->value), json_string_length(at->value) };
	char quoted[JSON_SHOWN_MAX];

	json_config_show(at->value, quoted);
	if (!name.p || name.n == 0 || name.n > ALPN_NAME_MAX)
		json_config_complain(d, at, "found %s, expected a protocol's name, of 1..%d bytes",
		    quoted, ALPN_NAME_MAX);
	else if (list_holds(l, name))
		json_config_complain(d, at, "%s is there already", quoted);
	else if (l->n + 1 + name.n > sizeof(l->wire))
		json_config_complain(
		    d, at, "is one too many: all have more than %d bytes", ALPN_MAX);
	else
		list_add(l, name);
}

static void
alpn_decode(struct json_decoder *d, const struct json_at *up, const struct json_field *f, void *to)
{
	struct json_at at = { .up = up, .place = up->place, .is_default = up->is_default };
	struct alpn_config *alpn = to;
	struct alpn_list list = { .n = 0 };

	if (!json_is_array(up->value)) {
		json_config_mistyped(d, up, f);
		return;
	}
	for (; at.index < json_array_size(up->value); at.index++) {
		at.place += !at.is_default;
		at.value = json_array_get(up->value, at.index);
		element_decode(d, &at, &list);
	}
	alpn->wire = arena_str(d->arena, (struct str){ list.wire, list.n });
	alpn->given = !up->is_default;
}

static json_t *
alpn_encode(const struct json_field *f, const void *from)
{
	struct str left = ((const struct alpn_config *)from)->wire, name;
	json_t *array = json_array();

	(void)f;
	while (array && alpn_next(&left, &name)) {
		if (json_array_append_new(array, json_stringn(name.p, name.n)) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static void
alpn_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "an array of protocols such as \"h2\"");
}

const struct json_kind config_kind_alpn = { alpn_decode, alpn_encode, alpn_describe };
