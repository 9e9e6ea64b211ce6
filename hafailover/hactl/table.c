/* table.c - all cells in one list, row after row. */
#include "hafailover/hactl/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"

enum { TABLE_COLUMNS_MAX = 12, TABLE_GAP = 2, CELL_MAX = 4096 };

struct cell {
	char *text;
	size_t n, width;
	enum style style;
};

struct table {
	const struct table_column *columns;
	unsigned n_columns;
	struct cell *cells;
	size_t n, size;
	bool failed;
};

struct table *
table_new(const struct table_column *columns, unsigned n)
{
	struct table *t = calloc(1, sizeof(*t));

	CHECK(n > 0 && n <= TABLE_COLUMNS_MAX);
	if (!t)
		return NULL;
	t->columns = columns;
	t->n_columns = n;
	return t;
}

void
table_free(struct table **tp)
{
	struct table *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

static bool
cells_reserve(struct table *t)
{
	size_t size = t->size ? 2 * t->size : 64;
	struct cell *cells;

	if (t->n < t->size)
		return true;
	cells = realloc(t->cells, size * sizeof(*cells));
	if (!cells)
		return false;
	t->cells = cells;
	t->size = size;
	return true;
}

void
table_add(struct table *t, enum style style, struct str s)
{
	struct text clean;
	struct cell cell = { .style = style };

	if (!t || t->failed)
		return;
	text_init(&clean, 10 * CELL_MAX);
	if (s.n > CELL_MAX)
		s.n = CELL_MAX;
	display_clean(&clean, s);
	cell.text = text_take(&clean, &cell.n);
	text_fini(&clean);
	if (!cell.text || !cells_reserve(t)) {
		free(cell.text);
		t->failed = true;
		return;
	}
	cell.width = display_width((struct str){ cell.text, cell.n });
	t->cells[t->n++] = cell;
}

void
table_printf(struct table *t, enum style style, const char *format, ...)
{
	char line[CELL_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	table_add(t, style, n < 0 ? STR("") : str_of(line));
}

/* --- widths --- */

static void
widths_natural(const struct table *t, size_t widths[TABLE_COLUMNS_MAX])
{
	for (unsigned c = 0; c < t->n_columns; c++)
		widths[c] = strlen(t->columns[c].title);
	for (size_t i = 0; i < t->n; i++)
		if (t->cells[i].width > widths[i % t->n_columns])
			widths[i % t->n_columns] = t->cells[i].width;
}

/* The flexible column with the most to give; n_columns: none has any more. */
static unsigned
column_widest(const struct table *t, const size_t *widths)
{
	unsigned found = t->n_columns;

	for (unsigned c = 0; c < t->n_columns; c++) {
		unsigned least = t->columns[c].least;

		if (least && widths[c] > least &&
		    (found == t->n_columns || widths[c] > widths[found]))
			found = c;
	}
	return found;
}

static void
widths_fit(const struct table *t, size_t *widths, size_t limit)
{
	size_t total = (size_t)TABLE_GAP * (t->n_columns - 1);
	unsigned c;

	for (c = 0; c < t->n_columns; c++)
		total += widths[c];
	for (; total > limit; total--) {
		c = column_widest(t, widths);
		if (c == t->n_columns)
			return;
		widths[c]--;
	}
}

/* --- output --- */

/* `last`: nothing follows, so nothing is padded. */
static void
cell_print(struct text *out, const struct table_column *column, const struct cell *cell,
    size_t width, bool last, bool colour)
{
	struct str s = { cell->text, cell->n };
	size_t used = cell->width;
	bool cut = used > width;

	if (cut) {
		s = display_cut(s, width - 1);
		used = display_width(s) + 1;
	}
	if (column->right)
		text_printf(out, "%*s", (int)(width - used), "");
	text_printf(out, "%s%.*s%s%s", style_on(cell->style, colour), STR_ARG(s), cut ? "…" : "",
	    style_off(cell->style, colour));
	if (!column->right && !last)
		text_printf(out, "%*s", (int)(width - used), "");
	text_printf(out, "%*s", last ? 0 : TABLE_GAP, "");
}

static void
title_print(const struct table *t, unsigned c, const size_t *widths, struct text *out, bool colour)
{
	char title[64];
	struct cell cell = { .text = title, .style = STYLE_BOLD };

	cell.n = (size_t)snprintf(title, sizeof(title), "%s", t->columns[c].title);
	cell.width = cell.n;
	cell_print(out, &t->columns[c], &cell, widths[c], c + 1 == t->n_columns, colour);
}

static void
row_print(const struct table *t, size_t row, const size_t *widths, struct text *out, bool colour)
{
	const struct cell *cells = t->cells + row * t->n_columns;
	unsigned n = t->n_columns;

	while (n > 1 && !cells[n - 1].n)
		n--; /* no blanks at the end of a line */
	for (unsigned c = 0; c < n; c++)
		cell_print(out, &t->columns[c], &cells[c], widths[c], c + 1 == n, colour);
	text_append(out, STR("\n"));
}

static void
rows_print(const struct table *t, struct text *out, struct look look)
{
	size_t widths[TABLE_COLUMNS_MAX];

	CHECK(t->n_columns > 0);
	widths_natural(t, widths);
	if (look.width)
		widths_fit(t, widths, look.width);
	for (unsigned c = 0; c < t->n_columns; c++)
		title_print(t, c, widths, out, look.colour);
	text_append(out, STR("\n"));
	for (size_t row = 0; row < t->n / t->n_columns; row++)
		row_print(t, row, widths, out, look.colour);
}

void
table_print(struct table **tp, struct text *out, struct look look)
{
	if (!*tp || (*tp)->failed)
		out->failed = true;
	else
		rows_print(*tp, out, look);
	table_free(tp);
}
