/*
 * test_config_schema.c - docs/schema/lbd.schema.json says what the tables of
 * lbd/config/schema.c say.
 *
 * Walks both side by side: the same keys, required ones, defaults, ranges, choices and kinds.
 * What the schema adds in words and patterns is held to the decoder by
 * tests/golden/schema_check.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/daemon_kinds.h"
#include "lbd/config/schema.h"

static json_t *schema;
static int wrong, compared;

__attribute__((format(printf, 2, 3))) static void
complain(const char *path, const char *format, ...)
{
	va_list args;
	char text[256];

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	print_error("%s: %s\n", path, text);
	wrong++;
}

/* The schema that "$ref" names, if there is one. */
static json_t *
resolve(json_t *node)
{
	const char *ref = json_string_value(json_object_get(node, "$ref"));

	if (!ref)
		return node;
	assert_memory_equal(ref, "#/$defs/", 8);
	node = json_object_get(json_object_get(schema, "$defs"), ref + 8);
	assert_non_null(node);
	return node;
}

/* A keyword beside "$ref" or in what it names. */
static json_t *
keyword(json_t *node, const char *name)
{
	json_t *value = json_object_get(node, name);

	return value ? value : json_object_get(resolve(node), name);
}

static void
compare_number(const char *path, json_t *node, const char *name, int64_t expected)
{
	json_t *value = keyword(node, name);

	compared++;
	if (!json_is_integer(value) || json_integer_value(value) != expected)
		complain(path, "%s is not %lld", name, (long long)expected);
}

static void
compare_text(const char *path, json_t *node, const char *name, const char *expected)
{
	const char *value = json_string_value(keyword(node, name));

	compared++;
	if (!value || strcmp(value, expected) != 0)
		complain(path, "%s is not %s", name, expected);
}

static void
compare_statuses(const char *path, json_t *node)
{
	json_t *wanted = json_pack("[iiiii]", 301, 302, 303, 307, 308);

	compared++;
	if (!json_equal(keyword(node, "enum"), wanted))
		complain(path, "enum is not that of redirects");
	json_decref(wanted);
}

static void
compare_choices(const char *path, json_t *node, const struct json_choice *c)
{
	json_t *list = keyword(node, "enum"), *value;
	size_t i;

	compared++;
	json_array_foreach(list, i, value)
	{
		if (!c->name || strcmp(json_string_value(value), c->name) != 0)
			complain(path, "enum has %s", json_string_value(value));
		c += c->name != NULL;
	}
	if (c->name)
		complain(path, "enum lacks %s", c->name);
}

static void
compare_default(const char *path, json_t *node, const struct json_field *f)
{
	json_t *value = json_object_get(node, "default");
	json_t *expected = f->fallback ? json_loads(f->fallback, JSON_DECODE_ANY, NULL) : NULL;

	compared++;
	if (f->fallback && !expected)
		complain(path, "the table's default is not JSON");
	if (value != NULL && expected == NULL)
		complain(path, "has a default that the table has not");
	if (expected != NULL && !json_equal(value, expected))
		complain(path, "default is not %s", f->fallback);
	json_decref(expected);
}

static void compare_object(const char *path, json_t *node, const struct json_field *fields);
static void compare_field(const char *path, json_t *node, const struct json_field *f);

static void
compare_array(const char *path, json_t *node, const struct json_field *f)
{
	char element[256];

	compare_text(path, node, "type", "array");
	compare_number(path, node, "minItems", f->min);
	compare_number(path, node, "maxItems", f->max);
	snprintf(element, sizeof(element), "%s[]", path);
	compare_field(element, keyword(node, "items"), f->element);
}

/* A size is a number in a range, or a text that only lbd can judge. */
static void
compare_size(const char *path, json_t *node, const struct json_field *f)
{
	json_t *number = json_array_get(keyword(node, "anyOf"), 0);

	compare_text(path, number, "type", "integer");
	compare_number(path, number, "minimum", f->min);
	compare_number(path, number, "maximum", f->max);
}

static void
compare_kind(const char *path, json_t *node, const struct json_field *f)
{
	if (f->kind == &json_kind_object) {
		compare_object(path, resolve(node), f->object);
	} else if (f->kind == &json_kind_array) {
		compare_array(path, node, f);
	} else if (f->kind == &json_kind_integer) {
		compare_text(path, node, "type", "integer");
		compare_number(path, node, "minimum", f->min);
		compare_number(path, node, "maximum", f->max);
	} else if (f->kind == &json_kind_size) {
		compare_size(path, node, f);
	} else if (f->kind == &json_kind_string) {
		compare_text(path, node, "type", "string");
		compare_number(path, node, "minLength", f->min);
		compare_number(path, node, "maxLength", f->max);
	} else if (f->kind == &json_kind_bool) {
		compare_text(path, node, "type", "boolean");
	} else if (f->kind == &json_kind_choice) {
		compare_choices(path, node, f->choices);
	} else if (f->kind == &json_kind_choices) {
		compare_choices(path, keyword(node, "items"), f->choices);
	} else if (f->kind == &json_kind_duration) {
		compare_text(path, node, "$ref", "#/$defs/duration");
	} else if (f->kind == &json_kind_address) {
		compare_text(path, node, "$ref", "#/$defs/bindAddress");
	} else if (f->kind == &json_kind_network) {
		compare_text(path, node, "$ref", "#/$defs/network");
	} else if (f->kind == &config_kind_server_address) {
		compare_text(path, node, "$ref", "#/$defs/serverAddress");
	} else if (f->kind == &config_kind_hex) {
		compare_text(path, node, "$ref", "#/$defs/hex");
	} else if (f->kind == &config_kind_redirect_status) {
		compare_statuses(path, node);
	} else if (f->kind == &config_kind_alpn) {
		compare_number(path, keyword(node, "items"), "minLength", 1);
		compare_number(path, keyword(node, "items"), "maxLength", ALPN_NAME_MAX);
	} else if (f->kind == &config_kind_proxied) {
		node = keyword(node, "anyOf");
		compare_text(path, json_array_get(node, 0), "type", "boolean");
		compare_text(path, json_array_get(node, 1), "type", "array");
	} else if (f->kind == &config_kind_pages) {
		compare_text(path, node, "$ref", "#/$defs/pages");
	} else if (f->kind == &config_kind_page) {
		compare_text(path, node, "$ref", "#/$defs/page");
	} else if (f->kind == &config_kind_request_edits) {
		compare_text(path, node, "$ref", "#/$defs/requestFields");
	} else if (f->kind == &config_kind_response_edits) {
		compare_text(path, node, "$ref", "#/$defs/responseFields");
	} else if (f->kind == &json_kind_log_sink) {
		compare_text(path, node, "$ref", "#/$defs/logTarget");
	} else if (f->kind != &json_kind_listen_or_off) {
		complain(path, "a kind that this test does not know");
	}
}

static void
compare_field(const char *path, json_t *node, const struct json_field *f)
{
	if (!node) {
		complain(path, "is not in the schema");
		return;
	}
	compare_default(path, node, f);
	compare_kind(path, node, f);
}

static bool
is_required(json_t *node, const char *key)
{
	json_t *value;
	size_t i;

	json_array_foreach(json_object_get(node, "required"), i,
	    value) if (strcmp(json_string_value(value), key) == 0) return true;
	return false;
}

static const struct json_field *
find(const struct json_field *fields, const char *key)
{
	for (; fields->key; fields++)
		if (strcmp(fields->key, key) == 0)
			return fields;
	return NULL;
}

/* Keys that the schema has and the table has not. */
static void
compare_keys(const char *path, json_t *properties, const struct json_field *fields)
{
	json_t *value;
	const char *key;

	if (!json_object_get(properties, "comment"))
		complain(path, "has no comment");
	json_object_foreach(properties, key, value) if (strcmp(key, "comment") != 0 &&
	    strcmp(key, "$schema") != 0 && !find(fields, key))
	    complain(path, "the table has no key %s", key);
}

static void
compare_object(const char *path, json_t *node, const struct json_field *fields)
{
	json_t *properties = json_object_get(node, "properties");
	char inner[256];

	compare_text(path, node, "type", "object");
	if (!json_is_false(json_object_get(node, "additionalProperties")))
		complain(path, "lets unknown keys pass");
	compare_keys(path, properties, fields);
	for (const struct json_field *f = fields; f->key; f++) {
		snprintf(inner, sizeof(inner), "%s.%s", path, f->key);
		if (is_required(node, f->key) != f->required)
			complain(inner, "is required in one of them only");
		compare_field(inner, json_object_get(properties, f->key), f);
	}
}

static void
test_schema_and_tables(void **state)
{
	json_error_t e;

	(void)state;
	schema = json_load_file("docs/schema/lbd.schema.json", JSON_REJECT_DUPLICATES, &e);
	if (!schema)
		fail_msg("line %d: %s", e.line, e.text);
	compare_object("", schema, config_fields);
	print_message("%d facts compared\n", compared);
	assert_int_equal(wrong, 0);
	assert_true(compared > 150);
	json_decref(schema);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema_and_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
