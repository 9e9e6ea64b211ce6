/*
 * display.h - text as it may stand on a terminal: clean, and measured in columns.
 *
 * Names come from files and from other machines.  Valid UTF-8 that can be seen is printed as it is; control
 * characters, invisible and direction-changing ones, and what is not UTF-8 are shown as \xNN or \u{NNNN},
 * so that no name can move the cursor or pretend to be another.  Pure, apart from the locale: wide
 * characters are known after setlocale(LC_CTYPE, "C.UTF-8"); without it they are escaped.
 */
#ifndef HAFAILOVER_HACTL_DISPLAY_H
#define HAFAILOVER_HACTL_DISPLAY_H

#include "common/text.h"

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARNING, STYLE_BAD };

/* What the reader's side can show. */
struct look {
	unsigned width; /* 0: any */
	bool colour;
};

/* Escape sequences; "" without colour. */
const char *style_on(enum style, bool colour);
const char *style_off(enum style, bool colour);

/* Appends what may be seen of it. */
void display_clean(struct text *, struct str);

/* Columns that a cleaned text takes; escape sequences of style_on() take none. */
size_t display_width(struct str clean);

/* So much of a cleaned text as fits into that many columns; escape sequences are kept. */
struct str display_cut(struct str clean, size_t width);

#endif
