/* history_view.c - the newest change last, next to the prompt. */
#include "hafailover/hactl/history_view.h"

#include "common/clock.h"
#include "hafailover/hactl/member.h"
#include "hafailover/hactl/table.h"
#include "hafailover/hactl/when.h"

static void
cell(struct table *t, const json_t *change, const char *key)
{
	struct str s = member_text(change, key);

	table_add(t, STYLE_PLAIN, s.n ? s : STR("-"));
}

static void
change_row(struct table *t, const json_t *change)
{
	struct when_text span = when_span(member_scaled(change, "duration_ms", NS_PER_MS));
	struct str to = member_text(change, "to");
	bool active = str_eq(to, STR("active"));

	cell(t, change, "time");
	cell(t, change, "node");
	cell(t, change, "from");
	table_add(t, active ? STYLE_GOOD : STYLE_PLAIN, to.n ? to : STR("-"));
	cell(t, change, "cause");
	if (member_has(change, "term"))
		table_printf(t, STYLE_PLAIN, "%lld", (long long)member_integer(change, "term"));
	else
		table_add(t, STYLE_PLAIN, STR("-"));
	table_add(t, STYLE_PLAIN, member_has(change, "duration_ms") ? str_of(span.text) : STR("-"));
}

void
history_view_print(const json_t *answer, struct look look, struct text *out)
{
	static const struct table_column columns[] = {
		{ "TIME", false, 19 },
		{ "NODE", false, 6 },
		{ "FROM", false, 0 },
		{ "TO", false, 0 },
		{ "CAUSE", false, 8 },
		{ "TERM", true, 0 },
		{ "AFTER", false, 0 },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));
	const json_t *change;
	size_t i;

	json_array_foreach(json_object_get(answer, "history"), i, change)
	{
		change_row(t, change);
	}
	table_print(&t, out, look);
}
