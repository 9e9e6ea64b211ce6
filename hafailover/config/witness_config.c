/* witness_config.c - the tables of witness.json, and what one row cannot say. */
#include "hafailover/config/witness_config.h"

#include "common/clock.h"
#include "common/daemon_kinds.h"
#include "hafailover/config/config_schema.h"
#include "hafailover/peer/witness_table.h"

static const struct json_field listen_element = {
	.kind = &json_kind_address,
	.size = sizeof(struct address),
};

static const struct json_field pair_fields[] = {
	{ JSON_ROW("name", json_kind_string, struct witness_pair_config, name), .required = true,
	    .expects = "a name", .min = 1, .max = HA_NODE_NAME_MAX, .check = ha_check_name },
	{ JSON_ROW("secret_file", json_kind_string, struct witness_pair_config, secret_file),
	    .required = true, .min = 2, .max = 1024, .expects = "an absolute path",
	    .check = check_absolute_path },
	{ 0 },
};

static const struct json_field pair_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct witness_pair_config),
	.object = pair_fields,
};

static const struct json_field admin_fields[] = {
	{ JSON_ROW("http", json_kind_listen_or_off, struct witness_config, http),
	    .beside = offsetof(struct witness_config, http_on), .fallback = "\"127.0.0.1:9103\"" },
	{ 0 },
};

static const struct json_field fields[] = {
	{ JSON_ROW("listen", json_kind_array, struct witness_config, listen),
	    .beside = offsetof(struct witness_config, n_listen), .min = 1,
	    .max = WITNESS_LISTEN_MAX, .element = &listen_element,
	    .fallback = "[\"0.0.0.0:5406\", \"[::]:5406\"]",
	    .expects = "an array of addresses with ports" },
	{ JSON_ROW("pairs", json_kind_array, struct witness_config, pairs),
	    .beside = offsetof(struct witness_config, n_pairs), .required = true, .min = 1,
	    .max = WITNESS_PAIRS_MAX, .element = &pair_element, .expects = "an array of pairs" },
	{ JSON_ROW("lease", json_kind_duration, struct witness_config, lease), .fallback = "\"1s\"",
	    .min = NS_PER_S, .max = 60 * NS_PER_S },
	{ .key = "admin", .kind = &json_kind_object, .fallback = "{}", .object = admin_fields },
	{ JSON_ROW("log", json_kind_object, struct witness_config, log), .fallback = "{}",
	    .object = ha_log_fields },
	{ 0 },
};

/* --- what one row cannot say --- */

static void
check_listen(const struct witness_config *c, struct json_decoder *d)
{
	for (uint32_t i = 0; i < c->n_listen; i++) {
		const struct address *a = &c->listen[i];

		if (a->len == 0) /* said already */
			continue;
		if (a->sa.sa_family == AF_UNIX)
			json_config_problem(d, "listen[%u]: witnesses are asked by UDP", i);
		else if (a->in.sin_port == 0) /* sin6_port lies at the same place */
			json_config_problem(d, "listen[%u]: port 0 is outside 1..65535", i);
		for (uint32_t j = 0; j < i; j++)
			if (address_equal(a, &c->listen[j]))
				json_config_problem(
				    d, "listen[%u]: is there already, as listen[%u]", i, j);
	}
}

static void
check_pairs(const struct witness_config *c, struct json_decoder *d)
{
	for (uint32_t i = 0; i < c->n_pairs; i++)
		for (uint32_t j = 0; c->pairs[i].name.n && j < i; j++)
			if (str_eq(c->pairs[i].name, c->pairs[j].name))
				json_config_problem(d,
				    "pairs[%u].name: \"%.*s\" is the name of pairs[%u] already", i,
				    STR_ARG(c->pairs[i].name), j);
}

static void
validate(const struct witness_config *c, struct json_decoder *d)
{
	check_listen(c, d);
	check_pairs(c, d);
	if (c->http_on && c->http.len && c->http.sa.sa_family != AF_UNIX &&
	    c->http.in.sin_port == 0)
		json_config_problem(d, "admin.http: port 0 is outside 1..65535");
}

/* --- load and print --- */

static struct witness_config *
config_new(void)
{
	struct arena *a = arena_new();
	struct witness_config *c = a ? arena_alloc(a, sizeof(*c)) : NULL;

	if (!c) {
		arena_free(&a);
		return NULL;
	}
	c->arena = a;
	return c;
}

void
witness_config_free(struct witness_config **cp)
{
	struct witness_config *c = *cp;
	struct arena *a = c ? c->arena : NULL;

	*cp = NULL;
	arena_free(&a);
}

static void
decode(struct witness_config *c, struct str text, const char *file, struct problems *problems)
{
	struct json_decoder d = { .file = file, .problems = problems, .arena = c->arena };

	if (json_config_open(&d, text) == 0) {
		json_config_decode(&d, fields, c);
		if (!arena_failed(c->arena))
			validate(c, &d);
	}
	json_config_close(&d);
	problems_sort(problems);
}

struct witness_config *
witness_config_load(struct str text, const char *file, struct problems *problems)
{
	struct witness_config *c = config_new();
	size_t before = problems->n;

	if (c)
		decode(c, text, file, problems);
	if (problems->n == before && (!c || arena_failed(c->arena)))
		problems_add(problems, 0, "%s: out of memory", file);
	if (problems->n > before)
		witness_config_free(&c);
	return c;
}

char *
witness_config_print(const struct witness_config *c)
{
	json_t *document = json_config_encode(fields, c);
	char *text = document ? json_text(document, JSON_INDENT(2), "\n") : NULL;

	json_decref(document);
	return text;
}
