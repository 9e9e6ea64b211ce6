/*
 * text.h - a text that grows: for metrics, status replies, pages.  Not for the request path.
 *
 * Bounded by `limit` bytes; over it, or out of memory, the text is marked failed and everything that
 * follows is dropped, so that a writer checks once, at its end.  The text is always NUL-terminated.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include "common/str.h"

struct text {
	char *p; /* NULL while nothing was appended */
	size_t n, size, limit;
	bool failed;
};

void text_init(struct text *, size_t limit);
void text_fini(struct text *);

void text_append(struct text *, struct str);
__attribute__((format(printf, 2, 3))) void text_printf(struct text *, const char *format, ...);

/* Forgets the first n bytes. */
void text_drop(struct text *, size_t n);

/* Hands the buffer over to the caller, who frees it, and starts anew.  NULL when failed or empty. */
char *text_take(struct text *, size_t *n);

#endif
