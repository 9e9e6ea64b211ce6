/* status_view.c - from the general to the special; what is wrong stands last, where the eye ends. */
#include "hafailover/hactl/status_view.h"

#include "common/clock.h"
#include "hafailover/hactl/handover_view.h"
#include "hafailover/hactl/member.h"
#include "hafailover/hactl/servers_view.h"
#include "hafailover/hactl/table.h"
#include "hafailover/hactl/when.h"

static void
clean_member(struct text *out, const json_t *object, const char *key)
{
	struct str s = member_text(object, key);

	display_clean(out, s.n ? s : STR("-"));
}

static void
styled(struct text *out, struct look look, enum style style, const char *s)
{
	text_printf(out, "%s%s%s", style_on(style, look.colour), s, style_off(style, look.colour));
}

/* --- nodes --- */

static enum style
role_style(struct str role)
{
	if (str_eq(role, STR("active")))
		return STYLE_GOOD;
	if (str_eq(role, STR("backup")))
		return STYLE_PLAIN;
	return str_eq(role, STR("fault")) ? STYLE_BAD : STYLE_WARNING;
}

static void
cell_text(struct table *t, enum style style, struct str s)
{
	table_add(t, style, s.n ? s : STR("-"));
}

static void
cell_integer(struct table *t, const json_t *object, const char *key)
{
	if (json_is_integer(json_object_get(object, key)))
		table_printf(t, STYLE_PLAIN, "%lld", (long long)member_integer(object, key));
	else
		table_add(t, STYLE_PLAIN, STR("-"));
}

static void
cell_since(struct table *t, const json_t *node, int64_t now_wall_ns)
{
	struct when_text since = when_since(member_text(node, "since"), now_wall_ns);

	cell_text(t, STYLE_PLAIN, str_of(since.text));
}

/* Of no server anything is known while lbd is not heard. */
static void
cell_servers(struct table *t, const json_t *o)
{
	json_int_t up = member_integer(o, "servers_up"), total = member_integer(o, "servers_total");
	json_int_t unchecked = member_integer(o, "servers_unchecked");
	bool none = up == 0 && unchecked == 0;
	enum style style = none ? STYLE_BAD : up < total ? STYLE_WARNING : STYLE_PLAIN;

	if (member_has(o, "servers_total") && total == 0)
		table_add(t, STYLE_PLAIN, STR("-"));
	else if (unchecked)
		table_printf(t, style, "%lld of %lld up, %lld unchecked", (long long)up,
		    (long long)total, (long long)unchecked);
	else if (member_has(o, "servers_up") && member_has(o, "servers_total"))
		table_printf(t, style, "%lld of %lld up", (long long)up, (long long)total);
	else if (member_has(o, "servers_up"))
		table_printf(t, style, "%lld up", (long long)up);
	else
		table_add(t, STYLE_PLAIN, STR("-"));
}

static void
cell_ready(struct table *t, const json_t *o)
{
	if (member_is(o, "draining"))
		table_add(t, STYLE_WARNING, STR("draining"));
	else if (member_is(o, "ready"))
		table_add(t, STYLE_GOOD, STR("ready"));
	else if (json_is_null(json_object_get(o, "ready"))) /* nothing is known */
		table_add(t, STYLE_PLAIN, STR("-"));
	else
		table_add(t, STYLE_BAD, STR("not ready"));
}

static void
node_row(struct table *t, const struct status_view *v, const json_t *node, const json_t *lbd,
    const json_t *servers)
{
	struct str role = member_text(node, "role");

	cell_text(t, role_style(role), role);
	cell_since(t, node, v->now_wall_ns);
	cell_text(t, STYLE_PLAIN, member_text(node, "cause"));
	cell_integer(t, node, "priority");
	cell_integer(t, node, "term");
	cell_ready(t, lbd);
	cell_servers(t, servers);
}

static void
peer_row(struct table *t, const struct status_view *v, const json_t *peer)
{
	cell_text(t, STYLE_PLAIN, member_text(peer, "name"));
	if (member_is(peer, "reachable")) {
		const json_t *lbd = json_object_get(peer, "lbd");

		node_row(t, v, peer, lbd ? lbd : peer, peer);
		return;
	}
	if (str_eq(member_text(peer, "protocol"), STR("vrrp"))) /* only an Active is heard */
		table_add(t, STYLE_PLAIN, STR("unknown"));
	else
		table_add(t, STYLE_BAD, STR("unreachable"));
	for (int i = 0; i < 6; i++)
		table_add(t, STYLE_PLAIN, STR("-"));
}

static void
nodes_print(const struct status_view *v, struct text *out)
{
	static const struct table_column columns[] = {
		{ "NODE", false, 8 },
		{ "ROLE", false, 0 },
		{ "FOR", false, 0 },
		{ "CAUSE", false, 6 },
		{ "PRIORITY", true, 4 },
		{ "TERM", true, 0 },
		{ "LBD", false, 0 },
		{ "SERVERS", false, 0 },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));
	struct str node = member_text(v->ha, "node");
	struct text name;

	text_init(&name, 4096);
	text_append(&name, node.n ? node : STR("-"));
	text_append(&name, STR(" (here)"));
	cell_text(t, STYLE_BOLD, (struct str){ name.p, name.n });
	text_fini(&name);
	node_row(t, v, v->ha, json_object_get(v->ha, "lbd"), json_object_get(v->ha, "lbd"));
	if (json_is_object(json_object_get(v->ha, "peer")))
		peer_row(t, v, json_object_get(v->ha, "peer"));
	table_print(&t, out, v->look);
}

/* --- addresses and paths --- */

static void
vips_print(const struct status_view *v, struct text *out)
{
	static const struct table_column columns[] = {
		{ "VIRTUAL IP", false, 12 },
		{ "INTERFACE", false, 9 },
		{ "HELD", false, 0 },
	};
	const json_t *vips = json_object_get(v->ha, "vips"), *vip;
	struct table *t;
	size_t i;

	if (!json_array_size(vips))
		return;
	t = table_new(columns, sizeof(columns) / sizeof(*columns));
	json_array_foreach(vips, i, vip)
	{
		cell_text(t, STYLE_PLAIN, member_text(vip, "address"));
		cell_text(t, STYLE_PLAIN, member_text(vip, "interface"));
		if (member_is(vip, "held"))
			table_add(t, STYLE_GOOD, STR("here"));
		else
			table_add(t, STYLE_PLAIN, STR("no"));
	}
	text_append(out, STR("\n"));
	table_print(&t, out, v->look);
}

static const char *
hook_words(struct str state)
{
	if (str_eq(state, STR("done")))
		return "has succeeded";
	if (str_eq(state, STR("running")))
		return "runs";
	return str_eq(state, STR("waiting")) ? "has failed" : "waits for the end of another one";
}

/* The operator's command for the present role, if there is one. */
static void
hook_print(const struct status_view *v, struct text *out)
{
	const json_t *hook = json_object_get(v->ha, "hook");
	bool failing = member_is(hook, "failing");

	if (!member_has(hook, "name"))
		return;
	text_append(out, STR("\nhook of role "));
	clean_member(out, hook, "name");
	text_append(out, STR(": "));
	styled(out, v->look, failing ? STYLE_BAD : STYLE_PLAIN,
	    hook_words(member_text(hook, "state")));
	if (failing) {
		text_printf(out, ", try %lld (", (long long)member_integer(hook, "tries"));
		clean_member(out, hook, "reason");
		text_append(out, STR(")"));
	}
	if (member_has(hook, "again_in_ms"))
		text_printf(out, ", again in %s",
		    when_span(member_scaled(hook, "again_in_ms", NS_PER_MS)).text);
	text_append(out, STR("\n"));
}

static void
paths_print(const struct status_view *v, struct text *out)
{
	static const struct table_column columns[] = {
		{ "PATH TO THE PEER", false, 16 },
		{ "HEARTBEATS", false, 0 },
	};
	const json_t *paths = json_object_get(json_object_get(v->ha, "peer"), "paths"), *path;
	struct table *t;
	size_t i;

	if (!json_array_size(paths))
		return;
	t = table_new(columns, sizeof(columns) / sizeof(*columns));
	json_array_foreach(paths, i, path)
	{
		cell_text(t, STYLE_PLAIN, member_text(path, "address"));
		if (!member_is(path, "reachable"))
			table_add(t, STYLE_BAD, STR("missing"));
		else if (!member_is(path, "hears_us"))
			table_add(t, STYLE_WARNING, STR("from the peer only"));
		else
			table_add(t, STYLE_GOOD, STR("both ways"));
	}
	text_append(out, STR("\n"));
	table_print(&t, out, v->look);
}

/* Whose votes this node has; nobody is active with less than are needed. */
static void
vote_row(struct table *t, const char *of, const json_t *name, const json_t *votes, const char *key)
{
	struct text cell;

	text_init(&cell, 4096);
	text_append(&cell, str_of(of));
	if (json_is_string(name))
		text_append(
		    &cell, (struct str){ json_string_value(name), json_string_length(name) });
	cell_text(t, STYLE_PLAIN, (struct str){ cell.p, cell.n });
	text_fini(&cell);
	if (member_is(votes, key))
		table_add(t, STYLE_GOOD, STR("yes"));
	else
		table_add(t, STYLE_PLAIN, STR("no"));
}

static void
witness_print(const struct status_view *v, struct text *out)
{
	static const struct table_column columns[] = {
		{ "VOTE OF", false, 8 },
		{ "HERE", false, 0 },
		{ "IT SAYS", false, 0 },
	};
	const json_t *w = json_object_get(v->ha, "witness");
	const json_t *votes = json_object_get(w, "votes");
	const json_t *peer = json_object_get(json_object_get(v->ha, "peer"), "name");
	struct table *t;

	if (!json_is_object(w))
		return;
	t = table_new(columns, sizeof(columns) / sizeof(*columns));
	vote_row(t, "witness ", json_object_get(w, "address"), votes, "witness");
	if (member_is(w, "reachable"))
		cell_text(t, STYLE_PLAIN, member_text(w, "verdict"));
	else
		table_add(t, STYLE_BAD, STR("nothing"));
	vote_row(t, "peer ", peer, votes, "peer");
	table_add(t, STYLE_PLAIN, STR(""));
	vote_row(t, "this node", NULL, votes, "own");
	table_add(t, STYLE_PLAIN, STR(""));
	text_append(out, STR("\n"));
	table_print(&t, out, v->look);
}

static void
config_print(const struct status_view *v, struct text *out)
{
	const json_t *config = json_object_get(v->ha, "config");
	bool heard = member_is(json_object_get(v->ha, "peer"), "reachable");
	bool match = member_is(config, "match");
	enum style style = !heard ? STYLE_PLAIN : match ? STYLE_GOOD : STYLE_BAD;

	text_append(out, STR("\nconfiguration of hafailover: "));
	clean_member(out, config, "digest");
	text_append(out, STR(", "));
	if (!member_has(config, "match"))
		styled(out, v->look, STYLE_PLAIN, "the peer's is not known");
	else
		styled(out, v->look, style,
		    match ? "the same on both nodes" : "not the same on both nodes");
	if (member_has(config, "match") && !heard)
		text_append(out, STR(" when the peer was last heard"));
	if (member_has(config, "peer_digest") && !member_is(config, "match")) {
		text_append(out, STR(", the peer has "));
		clean_member(out, config, "peer_digest");
	}
	text_append(out, STR("\n"));
}

/* --- lbd --- */

static void
lbd_readiness(const struct status_view *v, struct text *out)
{
	if (member_is(v->lbd, "ready")) {
		styled(out, v->look, STYLE_GOOD, "ready");
	} else if (member_is(v->lbd, "draining")) {
		styled(out, v->look, STYLE_WARNING, "draining");
	} else {
		styled(out, v->look, STYLE_BAD, "not ready");
		text_append(out, STR(" ("));
		clean_member(out, v->lbd, "not_ready");
		text_append(out, STR(")"));
	}
}

/* What hafailover knows of the peer's lbd: nothing, where it was not heard yet. */
static void
lbd_match_print(const struct status_view *v, struct text *out)
{
	const json_t *config = json_object_get(json_object_get(v->ha, "lbd"), "config");
	bool heard = member_is(json_object_get(v->ha, "peer"), "reachable");
	bool match = member_is(config, "match");
	enum style style = !heard ? STYLE_PLAIN : match ? STYLE_GOOD : STYLE_BAD;

	if (!member_has(config, "match"))
		return;
	text_append(out, STR("the peer's lbd "));
	styled(out, v->look, style,
	    match ? "has the same configuration" : "has another configuration");
	if (!match) {
		text_append(out, STR(": "));
		clean_member(out, config, "peer_digest");
	}
	text_append(out, heard ? STR("\n") : STR(" when it was last heard\n"));
}

static void
lbd_print(const struct status_view *v, struct text *out)
{
	const json_t *config = json_object_get(v->lbd, "config");
	int64_t up_ns = member_scaled(v->lbd, "uptime_s", NS_PER_S);
	struct when_text loaded = when_since(member_text(config, "loaded_at"), v->now_wall_ns);

	text_append(out, STR("lbd "));
	clean_member(out, v->lbd, "version");
	text_append(out, STR(" on "));
	clean_member(out, v->lbd, "node");
	text_append(out, STR(": "));
	lbd_readiness(v, out);
	text_printf(out, ", up for %s, ", when_span(up_ns).text);
	servers_view_count(v->lbd, out);
	text_printf(out, ", %lld connections, %lld requests so far\n",
	    (long long)member_integer(v->lbd, "connections"),
	    (long long)member_integer(v->lbd, "requests_total"));
	if (member_integer(v->lbd, "generation") > 1)
		text_printf(out, "its proxy process was replaced %lld times\n",
		    (long long)member_integer(v->lbd, "generation") - 1);
	text_append(out, STR("configuration of lbd: "));
	clean_member(out, config, "digest");
	text_append(out, STR(" from "));
	clean_member(out, config, "file");
	text_printf(out, ", loaded %s ago\n", loaded.text[0] ? loaded.text : "some time");
	lbd_match_print(v, out);
}

static void
join(struct text *out, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *s = json_string_value(item);

		text_printf(out, "%s%s", i ? " " : "", s ? s : "");
	}
}

static void
listeners_print(const struct status_view *v, struct text *out)
{
	static const struct table_column columns[] = {
		{ "LISTENER", false, 8 },
		{ "BIND", false, 12 },
		{ "POOL", false, 6 },
		{ "CONNECTIONS", true, 5 },
	};
	const json_t *listeners = json_object_get(v->lbd, "listeners"), *l;
	struct table *t;
	struct text bind;
	size_t i;

	if (!json_array_size(listeners))
		return;
	t = table_new(columns, sizeof(columns) / sizeof(*columns));
	json_array_foreach(listeners, i, l)
	{
		text_init(&bind, 65536);
		join(&bind, json_object_get(l, "bind"));
		cell_text(t, STYLE_PLAIN, member_text(l, "name"));
		cell_text(t, STYLE_PLAIN, (struct str){ bind.p, bind.n });
		cell_text(t, STYLE_PLAIN, member_text(l, "pool"));
		cell_integer(t, l, "connections");
		text_fini(&bind);
	}
	text_append(out, STR("\n"));
	table_print(&t, out, v->look);
}

/* --- alarms --- */

static void
alarm_print(const json_t *alarm, struct text *out, struct look look)
{
	struct str text = member_text(alarm, "text"), name = member_text(alarm, "name");
	struct str pool = member_text(alarm, "pool");

	if (json_is_string(alarm))
		name = (struct str){ json_string_value(alarm), json_string_length(alarm) };
	text_append(out, STR("! "));
	text_append(out, str_of(style_on(STYLE_BAD, look.colour)));
	if (pool.n) {
		text_append(out, STR("pool "));
		display_clean(out, pool);
		text_append(out, STR(": "));
	}
	display_clean(out, text.n ? text : name);
	text_append(out, str_of(style_off(STYLE_BAD, look.colour)));
	if (text.n && name.n) {
		text_append(out, STR(" ("));
		display_clean(out, name);
		text_append(out, STR(")"));
	}
	text_append(out, STR("\n"));
}

void
status_view_alarms(const json_t *status, struct text *out, struct look look)
{
	const json_t *alarms = json_object_get(status, "alarms"), *alarm;
	size_t i;

	if (json_array_size(alarms))
		text_append(out, STR("\n"));
	json_array_foreach(alarms, i, alarm)
	{
		alarm_print(alarm, out, look);
	}
}

void
status_view_print(const struct status_view *v, struct text *out)
{
	if (v->ha) {
		nodes_print(v, out);
		vips_print(v, out);
		hook_print(v, out);
		paths_print(v, out);
		witness_print(v, out);
		config_print(v, out);
		handover_view_print(v->ha, out);
	} else {
		display_clean(out, str_of(v->ha_why));
		text_append(out, STR("\n\n"));
	}
	if (v->lbd) {
		lbd_print(v, out);
	} else {
		display_clean(out, str_of(v->lbd_why));
		text_append(out, STR("\n"));
	}
	if (!v->ha)
		listeners_print(v, out);
	status_view_alarms(v->ha, out, v->look);
	status_view_alarms(v->lbd, out, v->look);
}
