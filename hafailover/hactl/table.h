/*
 * table.h - rows of cells with a heading, as wide as they need to be and as the terminal allows.
 *
 * Cells are cleaned (display.h) as they come.  Where a table is too wide, its widest flexible columns
 * are cut, marked by an ellipsis.  Out of memory is remembered: the text that it prints to is marked
 * failed then.  Pure.
 */
#ifndef HAFAILOVER_HACTL_TABLE_H
#define HAFAILOVER_HACTL_TABLE_H

#include "hafailover/hactl/display.h"

struct table;

struct table_column {
	const char *title;
	bool right; /* numbers */
	unsigned least; /* flexible, down to so many columns; 0: never cut */
};

/* `columns` are borrowed.  NULL: out of memory. */
struct table *table_new(const struct table_column *columns, unsigned n);
void table_free(struct table **);

/* The next cell, row by row.  A NULL table is allowed. */
void table_add(struct table *, enum style, struct str);
__attribute__((format(printf, 3, 4))) void
table_printf(struct table *, enum style, const char *format, ...);

/* Only whole rows are printed.  Frees the table. */
void table_print(struct table **, struct text *, struct look);

#endif
