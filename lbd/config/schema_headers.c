/* schema_headers.c - the tables of request_headers and response_headers: fields by name, values with variables. */
#include "lbd/config/schema.h"
#include "lbd/http/authority.h"
#include "lbd/http/field.h"
#include "lbd/http/scan.h"

#include <stdio.h>

enum { VALUE_MAX = 4096, EDITS_MAX = 32 };

/* Those of framing and of the connection are between two hops; others say what lbd alone knows. */
static const char *
name_problem(struct str name, uint32_t allowed)
{
	enum field_id id = field_id_of(name);

	if (name.n == 0 || name.n > 128 || !scan_all(name, SCAN_TOKEN))
		return "is not the name of a header field";
	return id == FIELD_OTHER || field_among(id, allowed) ? NULL
							     : "is a field that lbd writes itself";
}

/* What may be said of a request, and of a response. */
static const struct side {
	uint32_t names; /* FIELD_BIT of known fields that may be edited as others */
	unsigned variables;
} requests = { FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_COOKIE) | FIELD_BIT(FIELD_USER_AGENT) |
	    FIELD_BIT(FIELD_REFERER),
	VARIABLES_BEFORE_SERVER },
  responses = { FIELD_BIT(FIELD_RETRY_AFTER) | FIELD_BIT(FIELD_DATE), VARIABLES_ALL };

static bool
is_value(struct str s)
{
	if (s.n == 0)
		return true;
	return s.n <= VALUE_MAX && scan_all(s, SCAN_VALUE) && s.p[0] > ' ' && s.p[s.n - 1] > ' ';
}

static bool
edit_read(
    struct json_decoder *d, const struct json_at *at, const struct side *side, struct field_edit *e)
{
	const struct str value = { json_string_value(at->value), json_string_length(at->value) };
	const char *wrong = name_problem(str_of(at->key), side->names);
	struct err err;

	if (wrong) {
		json_config_complain(d, at, "%s", wrong);
		return false;
	}
	if (!value.p || !is_value(value)) {
		json_config_complain(d, at, "is not the value of a header field");
		return false;
	}
	e->name = arena_str(d->arena, str_of(at->key));
	e->value = arena_str(d->arena, value);
	if (field_id_of(e->name) == FIELD_HOST) {
		if (!authority_valid(value))
			json_config_complain(d, at, "is not a host: variables have no place here");
	} else if (template_new(d->arena, e->value, side->variables, &e->template, &err) < 0) {
		json_config_complain(d, at, "%s", err.text);
	}
	return true;
}

static void
edits_decode(struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to,
    const struct side *side)
{
	uint32_t *n = json_config_beside(f, to);
	struct field_edit *list;
	const char *key;
	json_t *value;

	if (!json_is_object(at->value) || json_object_size(at->value) > EDITS_MAX) {
		json_config_mistyped(d, at, f);
		return;
	}
	list = arena_alloc(d->arena, json_object_size(at->value) * sizeof(*list));
	if (!list)
		return;
	*(const struct field_edit **)to = list;
	json_object_foreach(at->value, key, value)
	{
		const struct json_at one = { at, key, 0, value, at->place, at->is_default };

		*n += edit_read(d, &one, side, &list[*n]);
	}
}

static void
request_edits_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	edits_decode(d, at, f, to, &requests);
}

static void
response_edits_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	edits_decode(d, at, f, to, &responses);
}

static json_t *
edits_encode(const struct json_field *f, const void *from)
{
	const struct field_edit *list = *(const struct field_edit *const *)from;
	uint32_t n = *(const uint32_t *)json_config_beside_const(f, from);
	json_t *object = json_object();

	for (uint32_t i = 0; object && i < n; i++)
		if (json_object_set_new(object, list[i].name.p,
			json_stringn(list[i].value.p, list[i].value.n)) < 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static void
edits_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "an object of up to %d header fields and their values", EDITS_MAX);
}

const struct json_kind config_kind_request_edits = { request_edits_decode, edits_encode,
	edits_describe };
const struct json_kind config_kind_response_edits = { response_edits_decode, edits_encode,
	edits_describe };

static const char *
check_request_name(struct str s)
{
	return name_problem(s, requests.names & ~FIELD_BIT(FIELD_HOST));
}

static const char *
check_response_name(struct str s)
{
	return name_problem(s, responses.names);
}

static const struct json_field request_name = {
	.kind = &json_kind_string,
	.size = sizeof(struct str),
	.min = 1,
	.max = 128,
	.check = check_request_name,
};

static const struct json_field response_name = {
	.kind = &json_kind_string,
	.size = sizeof(struct str),
	.min = 1,
	.max = 128,
	.check = check_response_name,
};

const struct json_field config_request_edit_fields[] = {
	{ JSON_ROW("set", config_kind_request_edits, struct header_edits, set),
	    .beside = offsetof(struct header_edits, n_set) },
	{ JSON_ROW("add", config_kind_request_edits, struct header_edits, add),
	    .beside = offsetof(struct header_edits, n_add) },
	{ JSON_ROW("remove", json_kind_array, struct header_edits, remove),
	    .beside = offsetof(struct header_edits, n_remove), .max = EDITS_MAX,
	    .element = &request_name, .expects = "an array of names of header fields" },
	{ 0 },
};

const struct json_field config_response_edit_fields[] = {
	{ JSON_ROW("set", config_kind_response_edits, struct header_edits, set),
	    .beside = offsetof(struct header_edits, n_set) },
	{ JSON_ROW("add", config_kind_response_edits, struct header_edits, add),
	    .beside = offsetof(struct header_edits, n_add) },
	{ JSON_ROW("remove", json_kind_array, struct header_edits, remove),
	    .beside = offsetof(struct header_edits, n_remove), .max = EDITS_MAX,
	    .element = &response_name, .expects = "an array of names of header fields" },
	{ 0 },
};
