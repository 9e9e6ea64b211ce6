/* servers_view.c - one server, one line, with the reason of the last check's verdict. */
#include "hafailover/hactl/servers_view.h"

#include "hafailover/hactl/member.h"
#include "hafailover/hactl/table.h"
#include "hafailover/hactl/when.h"

/* What the operator set goes before what checks found, and that before what requests met with. */
struct server_state
servers_view_state(const json_t *server)
{
	struct str admin = member_text(server, "admin"), health = member_text(server, "health");
	struct str circuit = member_text(server, "circuit");

	if (str_eq(admin, STR("maintenance")))
		return (struct server_state){ "maintenance", STYLE_WARNING };
	if (str_eq(admin, STR("drain")))
		return (struct server_state){ member_is(server, "drained") ? "drained" : "drain",
			STYLE_WARNING };
	if (str_eq(health, STR("unresolved")))
		return (struct server_state){ "unresolved", STYLE_BAD };
	if (str_eq(health, STR("down")))
		return (struct server_state){ "down", STYLE_BAD };
	if (member_has(server, "reachable") && !member_is(server, "reachable"))
		return (struct server_state){ "unreachable", STYLE_BAD };
	if (str_eq(circuit, STR("open")))
		return (struct server_state){ "circuit open", STYLE_BAD };
	if (str_eq(circuit, STR("half_open")))
		return (struct server_state){ "half-open", STYLE_WARNING };
	if (str_eq(health, STR("up")))
		return (struct server_state){ member_is(server, "backup") ? "backup" : "up",
			STYLE_GOOD };
	return (struct server_state){ str_eq(health, STR("new")) ? "new" : "unknown", STYLE_PLAIN };
}

void
servers_view_count(const json_t *status, struct text *out)
{
	json_int_t unchecked = member_integer(status, "servers_unchecked");

	text_printf(out, "%lld of %lld servers up", (long long)member_integer(status, "servers_up"),
	    (long long)member_integer(status, "servers_total"));
	if (unchecked)
		text_printf(out, ", %lld not checked yet", (long long)unchecked);
}

static void
name_append(struct text *out, const json_t *server)
{
	text_append(out, member_text(server, "pool"));
	text_append(out, STR("/"));
	text_append(out, member_text(server, "name"));
}

static void
name_print(const json_t *server, struct text *out)
{
	struct text name;

	text_init(&name, 65536);
	name_append(&name, server);
	display_clean(out, (struct str){ name.p, name.n });
	text_fini(&name);
}

static void
cell_name(struct table *t, const json_t *server)
{
	struct text name;

	text_init(&name, 65536);
	name_append(&name, server);
	table_add(t, STYLE_PLAIN, (struct str){ name.p, name.n });
	text_fini(&name);
}

static void
cell_weight(struct table *t, const json_t *server)
{
	json_int_t now = member_integer(server, "weight");
	json_int_t configured = member_integer(server, "configured_weight");

	if (now == configured)
		table_printf(t, STYLE_PLAIN, "%lld", (long long)now);
	else
		table_printf(
		    t, STYLE_WARNING, "%lld (of %lld)", (long long)now, (long long)configured);
}

static void
server_row(struct table *t, const json_t *server, int64_t now_wall_ns)
{
	struct server_state state = servers_view_state(server);
	struct when_text since = when_since(member_text(server, "changed_at"), now_wall_ns);

	cell_name(t, server);
	table_add(t, STYLE_PLAIN, member_text(server, "address"));
	table_add(t, state.style, str_of(state.word));
	table_add(t, STYLE_PLAIN, str_of(since.text[0] ? since.text : "-"));
	cell_weight(t, server);
	table_printf(t, STYLE_PLAIN, "%lld", (long long)member_integer(server, "active"));
	table_printf(t, STYLE_PLAIN, "%lld", (long long)member_integer(server, "connections"));
	table_add(t, STYLE_PLAIN, member_text(server, "reason"));
}

void
servers_view_print(const json_t *answer, int64_t now_wall_ns, struct look look, struct text *out)
{
	static const struct table_column columns[] = {
		{ "SERVER", false, 12 },
		{ "ADDRESS", false, 12 },
		{ "STATE", false, 0 },
		{ "FOR", false, 0 },
		{ "WEIGHT", true, 0 },
		{ "ACTIVE", true, 0 },
		{ "CONNECTIONS", true, 5 },
		{ "LAST CHECK", false, 10 },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));
	const json_t *server;
	size_t i;

	json_array_foreach(json_object_get(answer, "servers"), i, server)
	{
		server_row(t, server, now_wall_ns);
	}
	table_print(&t, out, look);
}

static void
names_print(const json_t *list, struct text *out)
{
	const json_t *server;
	size_t i;

	json_array_foreach(list, i, server)
	{
		name_print(server, out);
		text_append(out, STR("\n"));
	}
}

void
servers_view_names(const json_t *answer, struct text *out)
{
	names_print(json_object_get(answer, "servers"), out);
	names_print(json_object_get(answer, "names"), out);
}

void
servers_view_change(const json_t *server, bool changed, struct text *out)
{
	name_print(server, out);
	text_append(out, changed ? STR(": now ") : STR(": was already so: "));
	display_clean(out, member_text(server, "admin"));
	text_printf(out, ", weight %lld, %lld requests active\n",
	    (long long)member_integer(server, "weight"),
	    (long long)member_integer(server, "active"));
}

static bool
is_called(const json_t *server, const char *name)
{
	struct text text;
	bool is;

	text_init(&text, 65536);
	name_append(&text, server);
	is = str_eq((struct str){ text.p, text.n }, str_of(name));
	text_fini(&text);
	return is;
}

const json_t *
servers_view_find(const json_t *answer, const char *name)
{
	static const char *const lists[] = { "servers", "names" };
	const json_t *server;
	size_t i, k;

	for (k = 0; k < sizeof(lists) / sizeof(*lists); k++)
		json_array_foreach(json_object_get(answer, lists[k]), i, server)
		{
			if (is_called(server, name))
				return server;
		}
	return NULL;
}

void
servers_view_drain(const json_t *server, struct text *out)
{
	name_print(server, out);
	if (member_is(server, "drained"))
		text_append(out, STR(": nothing is left\n"));
	else
		text_printf(out, ": %lld requests, %lld connections left\n",
		    (long long)member_integer(server, "active"),
		    (long long)member_integer(server, "connections"));
}
