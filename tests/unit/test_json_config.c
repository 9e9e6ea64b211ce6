/*
 * test_json_config.c - the table-driven decoder with tables of its own, so that nothing here
 * knows lbd.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/json_config.h"

enum colour { RED = 1, GREEN = 2, BLUE = 4 };

struct leaf {
	struct str name;
	uint32_t weight;
};

struct tree {
	struct str text, optional;
	bool flag;
	uint16_t small;
	uint32_t number;
	uint64_t large;
	int64_t wait;
	uint32_t room;
	enum colour colour;
	unsigned colours;
	struct address address;
	const struct network *networks;
	uint32_t n_networks;
	struct leaf only;
	struct leaf *leaves;
	uint32_t n_leaves;
	bool secret_allowed;
	uint32_t secret;
};

static const char *
check_lower(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 'a' || s.p[i] > 'z')
			return "is not in lower case";
	return NULL;
}

static const char *
barred_secret(const void *object)
{
	return ((const struct tree *)object)->secret_allowed ? NULL : "is secret";
}

static const struct json_choice colours[] = { { "red", RED }, { "green", GREEN },
	{ "verdant", GREEN }, { "blue", BLUE }, { NULL, 0 } };

static const struct json_field leaf_fields[] = {
	{ JSON_ROW("name", json_kind_string, struct leaf, name), .required = true, .min = 1,
	    .max = 5, .check = check_lower },
	{ JSON_ROW("weight", json_kind_integer, struct leaf, weight), .fallback = "7", .max = 9 },
	{ 0 },
};

static const struct json_field leaf_element = {
	.kind = &json_kind_object, .size = sizeof(struct leaf), .object = leaf_fields
};

static const struct json_field network_element = { .kind = &json_kind_network,
	.size = sizeof(struct network) };

static const struct json_field tree_fields[] = {
	{ JSON_ROW("text", json_kind_string, struct tree, text), .fallback = "\"dflt\"",
	    .max = 10 },
	{ JSON_ROW("optional", json_kind_string, struct tree, optional), .max = 10 },
	{ JSON_ROW("flag", json_kind_bool, struct tree, flag), .fallback = "true" },
	{ JSON_ROW("small", json_kind_integer, struct tree, small), .fallback = "2", .max = 65535 },
	{ JSON_ROW("number", json_kind_integer, struct tree, number), .fallback = "3", .min = 1,
	    .max = UINT32_MAX },
	{ JSON_ROW("large", json_kind_integer, struct tree, large), .fallback = "4",
	    .max = INT64_MAX },
	{ JSON_ROW("wait", json_kind_duration, struct tree, wait), .fallback = "\"5s\"",
	    .min = NS_PER_MS, .max = 60 * NS_PER_S },
	{ JSON_ROW("room", json_kind_size, struct tree, room), .fallback = "\"6k\"",
	    .max = 1 << 20 },
	{ JSON_ROW("colour", json_kind_choice, struct tree, colour), .fallback = "\"green\"",
	    .choices = colours },
	{ JSON_ROW("colours", json_kind_choices, struct tree, colours),
	    .fallback = "[\"red\", \"blue\"]", .choices = colours },
	{ JSON_ROW("address", json_kind_address, struct tree, address),
	    .fallback = "\"192.0.2.1:80\"" },
	{ JSON_ROW("networks", json_kind_array, struct tree, networks),
	    .beside = offsetof(struct tree, n_networks), .fallback = "[]", .max = 4,
	    .element = &network_element },
	{ JSON_ROW("only", json_kind_object, struct tree, only),
	    .fallback = "{ \"name\": \"oak\" }", .object = leaf_fields },
	{ JSON_ROW("leaves", json_kind_array, struct tree, leaves),
	    .beside = offsetof(struct tree, n_leaves), .fallback = "[{ \"name\": \"elm\" }]",
	    .max = 3, .element = &leaf_element },
	{ JSON_ROW("secret_allowed", json_kind_bool, struct tree, secret_allowed),
	    .fallback = "false" },
	{ JSON_ROW("secret", json_kind_integer, struct tree, secret), .fallback = "1", .max = 9,
	    .barred = barred_secret },
	{ 0 },
};

struct fixture {
	struct tree tree;
	struct problems problems;
	struct json_decoder d;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->d = (struct json_decoder){ .file = "f", .problems = &f->problems, .arena = arena_new() };
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	json_config_close(&f->d);
	arena_free(&f->d.arena);
	problems_fini(&f->problems);
	free(f);
	return 0;
}

/* From an exact-size block that is gone before anyone looks: nothing may borrow from the text. */
static void
decode(struct fixture *f, const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);

	json_config_close(&f->d);
	problems_fini(&f->problems);
	f->tree = (struct tree){ 0 };
	memcpy(copy, text, n);
	if (json_config_open(&f->d, (struct str){ copy, n }) == 0)
		json_config_decode(&f->d, tree_fields, &f->tree);
	free(copy);
}

/* The text has exactly this problem. */
static void
expect(struct fixture *f, const char *text, const char *problem)
{
	decode(f, text);
	assert_int_equal(f->problems.n, 1);
	assert_string_equal(f->problems.list[0].text, problem);
}

static void
test_defaults(void **state)
{
	struct fixture *f = *state;
	const struct tree *t = &f->tree;
	char text[ADDRESS_TEXT_MAX];

	decode(f, "{}");
	assert_int_equal(f->problems.n, 0);
	assert_true(str_eq(t->text, STR("dflt")));
	assert_true(t->optional.n == 0 && t->flag && t->small == 2 && t->number == 3);
	assert_true(t->large == 4 && t->wait == 5 * NS_PER_S && t->room == 6144);
	assert_true(t->colour == GREEN && t->colours == (RED | BLUE));
	address_format(&t->address, text);
	assert_string_equal(text, "192.0.2.1:80");
	assert_true(t->n_networks == 0 && t->networks == NULL);
	assert_true(str_eq(t->only.name, STR("oak")) && t->only.weight == 7);
	assert_int_equal(t->n_leaves, 1);
	assert_true(str_eq(t->leaves[0].name, STR("elm")) && t->leaves[0].weight == 7);
	assert_int_equal(t->secret, 1);
}

static void
test_values(void **state)
{
	struct fixture *f = *state;
	const struct tree *t = &f->tree;

	decode(f,
	    "{ \"text\": \"\", \"optional\": \"x\", \"flag\": false, \"small\": 65535,"
	    " \"number\": 4294967295, \"large\": 9223372036854775807, \"wait\": \"60s\","
	    " \"room\": 1048576, \"colour\": \"verdant\", \"colours\": [\"blue\", \"verdant\"],"
	    " \"address\": \"unix:/a\", \"networks\": [\"::/0\", \"10.0.0.0/8\"],"
	    " \"only\": { \"name\": \"ash\", \"weight\": 0 },"
	    " \"leaves\": [ { \"name\": \"a\" }, { \"weight\": 9, \"name\": \"b\" } ],"
	    " \"secret\": 5, \"secret_allowed\": true }");
	assert_int_equal(f->problems.n, 0);
	assert_true(t->text.n == 0 && str_eq(t->optional, STR("x")) && !t->flag);
	assert_true(t->small == 65535 && t->number == UINT32_MAX && t->large == INT64_MAX);
	assert_true(t->wait == 60 * NS_PER_S && t->room == 1 << 20);
	assert_true(t->colour == GREEN && t->colours == (GREEN | BLUE));
	assert_int_equal(t->address.sa.sa_family, AF_UNIX);
	assert_true(t->n_networks == 2 && t->networks[1].prefix == 104);
	assert_true(str_eq(t->only.name, STR("ash")) && t->only.weight == 0);
	assert_true(t->n_leaves == 2 && t->leaves[0].weight == 7 && t->leaves[1].weight == 9);
	assert_int_equal(t->secret, 5);
}

static void
test_wrong_types(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"text\": 1}", "f:1: text: found 1, expected a string" },
		{ "{\"flag\": 0}", "f:1: flag: found 0, expected true or false" },
		{ "{\"small\": \"2\"}",
		    "f:1: small: found \"2\", expected an integer in 0..65535" },
		{ "{\"small\": 2.0}", "f:1: small: found 2, expected an integer in 0..65535" },
		{ "{\"wait\": null}",
		    "f:1: wait: found null, expected a duration in 1ms..1m, such as "
		    "\"200ms\", \"5s\", \"1m\" or \"1h\"" },
		{ "{\"room\": []}",
		    "f:1: room: found an array, expected a size in 0..1m: a number of "
		    "bytes, or \"32k\", \"1m\", \"1g\"" },
		{ "{\"colour\": {}}",
		    "f:1: colour: found an object, expected \"red\", \"green\", "
		    "\"verdant\" or \"blue\"" },
		{ "{\"colours\": \"red\"}",
		    "f:1: colours: found \"red\", expected an array of \"red\", "
		    "\"green\", \"verdant\" or \"blue\"" },
		{ "{\"address\": true}",
		    "f:1: address: found true, expected \"ADDRESS:PORT\", "
		    "\"[IPV6]:PORT\" or \"unix:/PATH\"" },
		{ "{\"networks\": {}}",
		    "f:1: networks: found an object, expected an array, each element a "
		    "network such as \"10.0.0.0/8\" or \"2001:db8::/32\"" },
		{ "{\"networks\": [1]}",
		    "f:1: networks[0]: found 1, expected a network such as "
		    "\"10.0.0.0/8\" or \"2001:db8::/32\"" },
		{ "{\"only\": []}", "f:1: only: found an array, expected an object" },
		{ "{\"leaves\": [{\"name\":\"a\"}, 1]}",
		    "f:1: leaves[1]: found 1, expected an object" },
		{ "[]", "f:1: found an array, expected an object" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(*state, rows[i][0], rows[i][1]);
}

static void
test_out_of_range(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"text\": \"12345678901\"}", "f:1: text: has 11 bytes, allowed are 0..10" },
		{ "{\"small\": 65536}", "f:1: small: 65536 is outside 0..65535" },
		{ "{\"number\": 0}", "f:1: number: 0 is outside 1..4294967295" },
		{ "{\"large\": -1}", "f:1: large: -1 is outside 0..9223372036854775807" },
		{ "{\"wait\": \"0s\"}", "f:1: wait: \"0s\" is outside 1ms..1m" },
		{ "{\"wait\": \"61s\"}", "f:1: wait: \"61s\" is outside 1ms..1m" },
		{ "{\"wait\": \"999999999999h\"}",
		    "f:1: wait: \"999999999999h\" is outside 1ms..1m" },
		{ "{\"room\": 1048577}", "f:1: room: 1048577 is outside 0..1m" },
		{ "{\"room\": \"2m\"}", "f:1: room: \"2m\" is outside 0..1m" },
		{ "{\"room\": -1}", "f:1: room: -1 is outside 0..1m" },
		{ "{\"networks\": [\"::\",\"::\",\"::\",\"::\",\"::\"]}",
		    "f:1: networks: has 5 elements, allowed are 0..4" },
		{ "{\"only\": {\"name\": \"Oak\"}}",
		    "f:1: only.name: \"Oak\" is not in lower case" },
		{ "{\"colours\": [\"red\", \"red\"]}",
		    "f:1: colours[1]: \"red\" is there already" },
		{ "{\"colours\": [\"green\", \"verdant\"]}",
		    "f:1: colours[1]: \"verdant\" is there already" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(*state, rows[i][0], rows[i][1]);
}

static void
test_keys(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"flga\": true}", "f:1: flga: is not known; did you mean \"flag\"?" },
		{ "{\"only\": {\"name\": \"a\", \"zzz\": 1}}",
		    "f:1: only.zzz: is not known; allowed here: name, weight, comment" },
		{ "{\"only\": {}}", "f:1: only.name: is missing, expected a string" },
		{ "{\"secret\": 1}", "f:1: secret: is secret" },
		{ "{\"flag\": true, \"flag\": true}",
		    "f:1: the key \"flag\" is given twice in one object" },
		{ "{\"\\\"\": 1, \"\\\"\": 2}",
		    "f:1: the key \"\\\\\\\"\" is given twice in one object" },
		{ "{\"only\": {\"name\": \"a\", \"$schema\": 1}}",
		    "f:1: only.$schema: is not known; allowed here: name, weight, comment" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(*state, rows[i][0], rows[i][1]);
	decode(*state,
	    "{\"$schema\": 1, \"comment\": {\"x\": []}, \"only\": {\"comment\": 5, \"name\": "
	    "\"a\"}}");
	assert_int_equal(((struct fixture *)*state)->problems.n, 0);
}

/* Keys that would make a path ambiguous, or a terminal unhappy, are quoted. */
static void
test_odd_keys(void **state)
{
	struct fixture *f = *state;
	const char *end = ": is not known";

	decode(f,
	    "{\"a.b\": 1, \"c\\u001b[0m\": 2, \"\": 3, \"\\u00e4\": 4, \"only\": "
	    "{\"name\":\"a\",\"[\":1}}");
	assert_int_equal(f->problems.n, 5);
	assert_memory_equal(f->problems.list[0].text, "f:1: [\"a.b\"]", 12);
	assert_memory_equal(f->problems.list[1].text, "f:1: [\"c\\u001b[0m\"]", 18);
	assert_memory_equal(f->problems.list[2].text, "f:1: [\"\"]", 9);
	assert_memory_equal(f->problems.list[3].text, "f:1: [\"\xc3\xa4\"]", 11);
	assert_memory_equal(f->problems.list[4].text, "f:1: only[\"[\"]", 14);
	for (size_t i = 0; i < 5; i++)
		assert_non_null(strstr(f->problems.list[i].text, end));
}

static void
test_lines_and_all_at_once(void **state)
{
	struct fixture *f = *state;
	static const char *const want[] = {
		"f:2: text: found 1, expected a string",
		"f:4: only.weight: 10 is outside 0..9",
		"f:3: only.name: is missing, expected a string",
		"f:6: leaves[0].name: has 6 bytes, allowed are 1..5",
		"f:8: leaves[1].weight: found \"]\\\"\", expected an integer in 0..9",
		"f:7: leaves[1].name: is missing, expected a string",
		"f:11: flag: found null, expected true or false",
	};

	decode(f,
	    "{\n\"text\": 1,\n\"only\": {\n\"weight\": 10 },\n\"leaves\": [ {\n\"name\": "
	    "\"abcdef\" },\n"
	    "{\n\"weight\": \"]\\\"\" }\n],\n\"comment\": [ 1, { \"x\": [ 2 ] } ],\n\"flag\": null "
	    "}");
	assert_int_equal(f->problems.n, 7);
	for (size_t i = 0; i < 7; i++)
		assert_string_equal(f->problems.list[i].text, want[i]);
}

static void
test_cross_checks_find_their_line(void **state)
{
	struct fixture *f = *state;
	static const char *const want[] = {
		"f:5: leaves[1].name: a",
		"f:4: leaves[0].weight: b", /* a default: where its object is */
		"f:3: leaves: c",
		"f:2: wait: d",
		"f:1: room: e",
	};

	decode(f,
	    "{\n\"wait\": \"5s\",\n\"leaves\": [\n { \"name\": \"x\" }, {\n \"name\": \"y\" } ] }");
	assert_int_equal(f->problems.n, 0);
	json_config_problem(&f->d, "leaves[%d].name: a", 1);
	json_config_problem(&f->d, "leaves[0].weight: b");
	json_config_problem(&f->d, "leaves: c");
	json_config_problem(&f->d, "wait: d");
	json_config_problem(&f->d, "room: e");
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(f->problems.list[i].text, want[i]);
}

static void
test_syntax(void **state)
{
	static const char *const rows[][2] = {
		{ "", "f:1: syntax error: '[' or '{' expected near end of file" },
		{ "{\n\"flag\": tru }", "f:2: syntax error: invalid token near 'tru'" },
		{ "{} {}", "f:1: syntax error: end of file expected near '{'" },
		{ "{\n\n\"flag\": true,\n}", "f:4: syntax error: string or '}' expected near '}'" },
		{ "{\n\x7f\x1b[1m }", "f:2: syntax error: string or '}' expected near '?'" },
		{ "{\"text\": \"\\u0000\"}", "f:1: syntax error: a string must not hold \\u0000" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(*state, rows[i][0], rows[i][1]);
}

static void
test_long_values_are_cut(void **state)
{
	struct fixture *f = *state;
	char text[400] = "{\"colour\": \"", shown[JSON_SHOWN_MAX];

	memset(text + 12, 'x', 300);
	memcpy(text + 312, "\"}", 3);
	decode(f, text);
	assert_int_equal(f->problems.n, 1);
	assert_non_null(strstr(f->problems.list[0].text, "xxx...\" is not known"));
	assert_true(strlen(f->problems.list[0].text) < 200);
	json_config_quote(STR("\x7f\xc2\x9b\xc2\xa0\n"), shown);
	assert_string_equal(shown, "\"\\u007f\\u009b\xc2\xa0\\u000a\"");
	memset(text, '\1', sizeof(text)); /* the worst that can be escaped */
	json_config_quote((struct str){ text, sizeof(text) }, shown);
	assert_true(strlen(shown) < JSON_SHOWN_MAX);
}

/* What is printed decodes to the same struct and prints the same. */
static void
test_encode(void **state)
{
	struct fixture *f = *state;
	json_t *first, *second;
	char *text;

	decode(f,
	    "{ \"colour\": \"verdant\", \"room\": 2048, \"wait\": \"1000ms\", \"optional\": \"\","
	    " \"leaves\": [], \"networks\": [\"10.0.0.0/8\"] }");
	first = json_config_encode(tree_fields, &f->tree);
	assert_string_equal(json_string_value(json_object_get(first, "colour")), "green");
	assert_string_equal(json_string_value(json_object_get(first, "room")), "2k");
	assert_string_equal(json_string_value(json_object_get(first, "wait")), "1s");
	assert_null(json_object_get(first, "secret")); /* barred */
	assert_int_equal(json_array_size(json_object_get(first, "leaves")), 0);
	text = json_dumps(first, 0);
	decode(f, text);
	assert_int_equal(f->problems.n, 0);
	second = json_config_encode(tree_fields, &f->tree);
	assert_true(json_equal(first, second));
	free(text);
	json_decref(first);
	json_decref(second);
}

static void
test_absent_is_not_printed(void **state)
{
	struct fixture *f = *state;
	json_t *printed;

	decode(f, "{}");
	printed = json_config_encode(tree_fields, &f->tree);
	assert_null(json_object_get(printed, "optional"));
	assert_non_null(
	    json_object_get(printed, "secret_allowed")); /* false, but it has a default */
	json_decref(printed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines_and_all_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cross_checks_find_their_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_syntax, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_values_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent_is_not_printed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
