/*
 * test_admin_commands.c - what an operator does: servers, reload, connections; answers that come later,
 * and refusals to the letter.
 */
#include "tests/unit/admin_client.h"

static void
assert_refused(struct admin_client *t, const char *line, const char *error)
{
	json_t *answer = ask(t, line);

	assert_false(truth_of(answer, "ok"));
	assert_string_equal(text_of(answer, "error"), error);
	json_decref(answer);
}

/* --- server --- */

static void
test_a_server_is_administered(void **state)
{
	static const struct {
		const char *action;
		enum server_admin admin;
		bool changes;
	} rows[] = {
		{ "ready", ADMIN_READY, false },
		{ "drain", ADMIN_DRAIN, true },
		{ "drain", ADMIN_DRAIN, false },
		{ "maintenance", ADMIN_MAINTENANCE, true },
		{ "ready", ADMIN_READY, true },
	};
	struct admin_client *t = *state;
	uint32_t slot = t->f->web[1].slot;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t version = atomic_load(&t->f->servers.version);
		char line[256];
		json_t *answer;

		snprintf(line, sizeof(line),
		    "{\"command\":\"server\",\"name\":\"web/unix:/run/b.sock\",\"action\":\"%s\"}",
		    rows[i].action);
		answer = ask(t, line);
		assert_true(truth_of(answer, "ok"));
		assert_int_equal(truth_of(answer, "changed"), rows[i].changes);
		assert_string_equal(text_of(json_object_get(answer, "server"), "admin"),
		    server_admin_name(rows[i].admin));
		assert_int_equal(atomic_load(&t->f->servers.shared[slot].admin), rows[i].admin);
		assert_int_equal(atomic_load(&t->f->servers.version) > version, rows[i].changes);
		json_decref(answer);
	}
	assert_int_equal(t->f->idle_closed, 2); /* what changed, and took it out */
	assert_int_equal(t->f->idle_closed_slot, slot);
}

/* Who watches is told when the last connection is gone. */
static void
test_a_server_is_drained(void **state)
{
	struct admin_client *t = *state;
	uint32_t slot = t->f->web[0].slot;
	json_t *answer;

	atomic_store(&t->f->servers.load[slot].connections, 1);
	answer = ask(t, "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"drain\"}");
	assert_false(truth_of(json_object_get(answer, "server"), "drained"));
	json_decref(answer);
	assert_true(atomic_load(&t->f->servers.load[slot].drains));
	atomic_store(&t->f->servers.load[slot].connections, 0);
	admin_servers_drained(t->admin);
	assert_false(atomic_load(&t->f->servers.load[slot].drains));
	answer = ask(t, "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"drain\"}");
	assert_true(truth_of(json_object_get(answer, "server"), "drained"));
	json_decref(answer);
}

static void
test_a_server_is_weighed(void **state)
{
	struct admin_client *t = *state;
	uint32_t slot = t->f->web[0].slot;
	json_t *answer = ask(
	    t, "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":42}");

	assert_true(truth_of(answer, "changed"));
	assert_int_equal(number_of(json_object_get(answer, "server"), "weight"), 42);
	assert_int_equal(server_weight(&t->f->servers, slot, 1), 42);
	json_decref(answer);
	answer = ask(
	    t, "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":null}");
	assert_int_equal(number_of(json_object_get(answer, "server"), "weight"), 1);
	assert_int_equal(server_weight(&t->f->servers, slot, 7), 7);
	json_decref(answer);
}

/* All of its members, and what comes later; told when the last connection of the last one is gone. */
static void
test_a_name_is_administered(void **state)
{
	struct admin_client *t = *state;
	struct server_table *servers = &t->f->servers;
	json_t *answer, *row;
	int slot;

	t->f->web[0].of = t->f->web[1].of = STR("app");
	atomic_store(&servers->load[t->f->web[0].slot].connections, 1);
	atomic_store(&servers->load[t->f->web[1].slot].connections, 2);
	answer = ask(t, "{\"command\":\"server\",\"name\":\"web/app\",\"action\":\"drain\"}");
	row = json_object_get(answer, "server");
	assert_true(truth_of(answer, "changed"));
	assert_string_equal(text_of(row, "name"), "app");
	assert_string_equal(text_of(row, "admin"), "drain");
	assert_int_equal(number_of(row, "members"), 2);
	assert_int_equal(number_of(row, "connections"), 3);
	assert_false(truth_of(row, "drained"));
	json_decref(answer);
	assert_int_equal(t->f->idle_closed, 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(servers->shared[t->f->web[i].slot].admin, ADMIN_DRAIN);
		atomic_store(&servers->load[t->f->web[i].slot].connections, 0);
		admin_servers_drained(t->admin);
		slot = server_table_find(servers, STR("web"), STR("app"));
		assert_int_equal(atomic_load(&servers->load[slot].drains), i == 0);
	}
	answer = ask(t, "{\"command\":\"servers\"}");
	row = json_array_get(json_object_get(answer, "names"), 0);
	assert_true(truth_of(row, "drained"));
	assert_int_equal(json_array_size(json_object_get(answer, "names")), 1);
	json_decref(answer);
	answer = ask(
	    t, "{\"command\":\"server\",\"name\":\"web/app\",\"action\":\"weight\",\"value\":9}");
	assert_int_equal(number_of(json_object_get(answer, "server"), "weight"), 9);
	assert_int_equal(server_weight(servers, t->f->web[1].slot, 5), 9);
	json_decref(answer);
	answer = ask(t, "{\"command\":\"server\",\"name\":\"web/app\",\"action\":\"ready\"}");
	assert_true(truth_of(answer, "changed"));
	assert_true(server_operating(servers, t->f->web[0].slot));
	json_decref(answer);
	assert_refused(t, "{\"command\":\"server\",\"name\":\"web/s9\",\"action\":\"drain\"}",
	    "no server web/s9; known: web/app, web/a, web/unix:/run/b.sock");
}

/* One that DNS knows nothing of is administered for the time when it does. */
static void
test_a_name_without_an_address_is_administered(void **state)
{
	static const struct server_config unresolved = {
		.name = { "later", 5 }, .address_text = { "later:80", 8 }, .weight = 1
	};
	static const struct server_config *list[] = { &unresolved };
	struct admin_client *t = *state;
	json_t *answer;

	t->f->pools[0].unresolved = list;
	t->f->pools[0].n_unresolved = 1;
	answer =
	    ask(t, "{\"command\":\"server\",\"name\":\"web/later\",\"action\":\"maintenance\"}");
	assert_true(truth_of(json_object_get(answer, "server"), "drained"));
	assert_int_equal(number_of(json_object_get(answer, "server"), "members"), 0);
	json_decref(answer);
	assert_int_equal(t->f->servers
			     .shared[server_table_member(
				 &t->f->servers, STR("web"), STR("later#1"), STR("later"))]
			     .admin,
	    ADMIN_MAINTENANCE);
}

static void
test_refusals_are_precise(void **state)
{
	static const struct {
		const char *request, *error;
	} rows[] = {
		{ "{\"command\":\"server\"}", "\"name\" must be a text POOL/NAME" },
		{ "{\"command\":\"server\",\"name\":7}", "\"name\" must be a text POOL/NAME" },
		{ "{\"command\":\"server\",\"name\":\"web\"}",
		    "\"name\" must be a text POOL/NAME" },
		{ "{\"command\":\"server\",\"name\":\"nosuch/s9\",\"action\":\"drain\"}",
		    "no pool nosuch; known: web, " FIXTURE_ODD },
		{ "{\"command\":\"server\",\"name\":\"web/s9\",\"action\":\"drain\"}",
		    "no server web/s9; known: web/a, web/unix:/run/b.sock" },
		{ "{\"command\":\"server\",\"name\":\"web/a\"}",
		    "\"action\" must be ready, drain, maintenance or weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"up\"}",
		    "\"action\" must be ready, drain, maintenance or weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\"}",
		    "\"value\" must be an integer in 0..256, or null for the configured weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":257}",
		    "\"value\" must be an integer in 0..256, or null for the configured weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":-1}",
		    "\"value\" must be an integer in 0..256, or null for the configured weight" },
		{ "{\"command\":\"server\",\"name\":\"web/a\",\"action\":\"weight\",\"value\":1.5}",
		    "\"value\" must be an integer in 0..256, or null for the configured weight" },
		{ "{\"command\":\"connections\",\"limit\":0}",
		    "\"limit\" must be an integer in 1..20000" },
		{ "{\"command\":\"connections\",\"limit\":\"9\"}",
		    "\"limit\" must be an integer in 1..20000" },
	};
	struct admin_client *t = *state;
	uint64_t version = atomic_load(&t->f->servers.version);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_refused(t, rows[i].request, rows[i].error);
	assert_int_equal(atomic_load(&t->f->servers.version), version);
}

static void
test_many_servers_are_not_all_named(void **state)
{
	enum { MANY = 100 };
	static char names[MANY][16];
	static struct server_config many[MANY];
	struct admin_client *t = *state;
	json_t *answer;
	const char *error;

	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "s%d", i);
		many[i].name = str_of(names[i]);
	}
	t->f->pools[0].servers = many;
	t->f->pools[0].n_servers = MANY;
	answer = ask(t, "{\"command\":\"server\",\"name\":\"web/x\",\"action\":\"drain\"}");
	error = text_of(answer, "error");
	assert_non_null(strstr(error, "known: web/s0, web/s1, "));
	assert_non_null(strstr(error, "web/s19, ... (100 in all)"));
	assert_null(strstr(error, "s20"));
	json_decref(answer);
}

/* --- answers that come later --- */

static void
test_reload_answers_when_it_is_done(void **state)
{
	struct admin_client *t = *state;
	json_t *answer;

	request(t, "{\"command\":\"reload\"}");
	assert_null(line_within(t, 30));
	assert_non_null(t->f->reload);
	assert_false(t->f->renew);
	admin_reload_answer(t->f->reload, NULL);
	answer = line_within(t, 5000);
	assert_true(truth_of(answer, "ok"));
	json_decref(answer);
	request(t, "{\"command\":\"renew\"}");
	assert_null(line_within(t, 30));
	assert_true(t->f->renew);
	admin_reload_answer(t->f->reload, "lbd.json: pools: missing\nlbd.json: 100 % bad");
	answer = line_within(t, 5000);
	assert_string_equal(
	    text_of(answer, "error"), "lbd.json: pools: missing\nlbd.json: 100 % bad");
	json_decref(answer);
}

static void
test_connections_are_listed(void **state)
{
	struct admin_client *t = *state;
	struct admin_connection c = {
		.client = STR("192.0.2.1:5000"),
		.listener = STR("front"),
		.state = STR("exchange"),
		.pool = STR("web"),
		.server = STR("a"),
		.worker = 1,
		.age_ns = 2500 * NS_PER_MS,
		.requests = 17,
		.bytes_in = 1000,
		.bytes_out = UINT64_C(5000000000),
	};
	const json_t *row;
	json_t *answer;

	counter_add(&stats_listener(t->f->stats[0], 0)->connections, 9);
	request(t, "{\"command\":\"connections\",\"limit\":2}");
	assert_null(line_within(t, 30));
	assert_int_equal(admin_listing_wants(t->f->listing), 2);
	admin_listing_add(t->f->listing, &c);
	c.state = STR("idle");
	c.pool = c.server = (struct str){ NULL, 0 };
	admin_listing_add(t->f->listing, &c);
	assert_int_equal(admin_listing_wants(t->f->listing), 0);
	admin_listing_add(t->f->listing, &c); /* from a worker that did not know */
	admin_listing_answer(&t->f->listing);
	assert_null(t->f->listing);
	answer = line_within(t, 5000);
	assert_int_equal(number_of(answer, "total"), 9);
	assert_int_equal(json_array_size(json_object_get(answer, "connections")), 2);
	row = json_array_get(json_object_get(answer, "connections"), 0);
	assert_string_equal(text_of(row, "client"), "192.0.2.1:5000");
	assert_string_equal(text_of(row, "state"), "exchange");
	assert_string_equal(text_of(row, "server"), "a");
	assert_true(json_real_value(json_object_get(row, "age_s")) == 2.5);
	assert_int_equal(number_of(row, "requests"), 17);
	assert_int_equal(number_of(row, "bytes_out"), 5000000000);
	row = json_array_get(json_object_get(answer, "connections"), 1);
	assert_string_equal(text_of(row, "server"), "");
	json_decref(answer);
}

static void
test_the_client_leaves_before_its_answer(void **state)
{
	struct admin_client *t = *state;

	request(t, "{\"command\":\"connections\"}");
	assert_null(line_within(t, 30));
	close(t->client);
	for (int i = 0; i < 20; i++)
		ev_run(t->loop, EVRUN_NOWAIT);
	admin_listing_answer(&t->f->listing);
	t->client = client_connect(t);
	json_decref(ask(t, "{\"command\":\"status\"}"));
}

static void
test_connections_are_yielded(void **state)
{
	static const char *const wrong[] = { "\"on\":1", "\"on\":true", "\"idle_ms\":5",
		"\"on\":true,\"idle_ms\":5", "\"on\":true,\"idle_ms\":0,\"for_ms\":5",
		"\"on\":true,\"idle_ms\":5,\"for_ms\":3600001",
		"\"on\":true,\"idle_ms\":\"5\",\"for_ms\":5" };
	struct admin_client *t = *state;
	char line[200];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		json_t *answer;

		snprintf(line, sizeof(line), "{\"command\":\"yield\",%s}", wrong[i]);
		answer = ask(t, line);
		assert_false(truth_of(answer, "ok"));
		json_decref(answer);
	}
	assert_int_equal(t->f->yield.times, 0);
	json_decref(
	    ask(t, "{\"command\":\"yield\",\"on\":true,\"idle_ms\":1500,\"for_ms\":3600000}"));
	assert_true(t->f->yield.on && t->f->yield.times == 1);
	assert_true(
	    t->f->yield.idle_ns == 1500 * NS_PER_MS && t->f->yield.for_ns == 3600 * NS_PER_S);
	json_decref(ask(t, "{\"command\":\"yield\",\"on\":false}"));
	assert_true(!t->f->yield.on && t->f->yield.times == 2);
}

static void
test_help_names_the_commands(void **state)
{
	static const char *const names[] = { "status", "servers", "server", "reload",
		"certificates", "renew", "connections", "yield", "metrics", "watch" };
	json_t *answer = ask(*state, "{\"command\":\"help\"}");
	const json_t *list = json_object_get(answer, "commands");

	assert_int_equal(json_array_size(list), sizeof(names) / sizeof(*names));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const json_t *row = json_array_get(list, i);

		assert_string_equal(text_of(row, "name"), names[i]);
		assert_int_equal(truth_of(row, "read_only"), i != 2 && i != 3 && i != 5 && i != 7);
		assert_true(strlen(text_of(row, "help")) > 10);
	}
	json_decref(answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(test_a_server_is_administered),
		WITH_CLIENT(test_a_server_is_drained),
		WITH_CLIENT(test_a_server_is_weighed),
		WITH_CLIENT(test_a_name_is_administered),
		WITH_CLIENT(test_a_name_without_an_address_is_administered),
		WITH_CLIENT(test_refusals_are_precise),
		WITH_CLIENT(test_many_servers_are_not_all_named),
		WITH_CLIENT(test_reload_answers_when_it_is_done),
		WITH_CLIENT(test_connections_are_listed),
		WITH_CLIENT(test_the_client_leaves_before_its_answer),
		WITH_CLIENT(test_connections_are_yielded),
		WITH_CLIENT(test_help_names_the_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
