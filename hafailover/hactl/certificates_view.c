/* certificates_view.c - one pair of files, one line. */
#include "hafailover/hactl/certificates_view.h"

#include "hafailover/hactl/member.h"
#include "hafailover/hactl/table.h"

enum { SOON_DAYS = 14 }; /* as lbd's alarms have it */

static void
cell_list(struct table *t, const json_t *texts)
{
	struct text all;
	const json_t *text;
	size_t i;

	text_init(&all, 65536);
	json_array_foreach(texts, i, text)
	{
		text_append(&all, i ? STR(" ") : STR(""));
		if (json_is_string(text))
			text_append(&all,
			    (struct str){ json_string_value(text), json_string_length(text) });
	}
	table_add(t, STYLE_PLAIN, all.n ? (struct str){ all.p, all.n } : STR(""));
	text_fini(&all);
}

static void
cell_days(struct table *t, json_int_t days)
{
	enum style style = days < 0 ? STYLE_BAD : days < SOON_DAYS ? STYLE_WARNING : STYLE_PLAIN;

	if (days < 0)
		table_add(t, style, STR("expired"));
	else
		table_printf(t, style, "%lld", (long long)days);
}

/* Of lists that have an end. */
static void
cell_until(struct table *t, const json_t *row)
{
	json_int_t days = member_integer(row, "days");

	if (!member_has(row, "days"))
		table_add(t, STYLE_PLAIN, STR("-"));
	else if (days < 0)
		table_add(t, STYLE_BAD, STR("expired"));
	else
		table_printf(t, member_is(row, "alarm") ? STYLE_WARNING : STYLE_PLAIN, "%lld",
		    (long long)days);
}

static void
revocations_print(const json_t *list, struct look look, struct text *out)
{
	static const struct table_column columns[] = {
		{ "REVOCATION LIST", false, 12 },
		{ "DAYS", true, 0 },
		{ "LISTENERS", false, 8 },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));
	const json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		table_add(t, STYLE_PLAIN, member_text(row, "file"));
		cell_until(t, row);
		cell_list(t, json_object_get(row, "listeners"));
	}
	text_append(out, STR("\n"));
	table_print(&t, out, look);
}

void
certificates_view_print(const json_t *answer, struct look look, struct text *out)
{
	static const struct table_column columns[] = {
		{ "CERTIFICATE", false, 12 },
		{ "DAYS", true, 0 },
		{ "KIND", false, 0 },
		{ "NAMES", false, 12 },
		{ "ISSUER", false, 8 },
		{ "LISTENERS", false, 8 },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "certificates"), i, row)
	{
		table_add(t, STYLE_PLAIN, member_text(row, "certificate"));
		cell_days(t, member_integer(row, "days"));
		table_add(t, STYLE_PLAIN, member_text(row, "kind"));
		cell_list(t, json_object_get(row, "names"));
		table_add(t, STYLE_PLAIN, member_text(row, "issuer"));
		cell_list(t, json_object_get(row, "listeners"));
	}
	table_print(&t, out, look);
	if (json_array_size(json_object_get(answer, "revocations")))
		revocations_print(json_object_get(answer, "revocations"), look, out);
}

const json_t *
certificates_view_find(const json_t *answer, const char *certificate)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "certificates"), i, row)
	{
		if (str_eq(member_text(row, "certificate"), str_of(certificate)))
			return row;
	}
	return NULL;
}
