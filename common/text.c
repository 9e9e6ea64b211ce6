/* text.c - doubling buffer with an upper bound; one byte is always kept for the NUL. */
#include "common/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_FIRST = 512 };

void
text_init(struct text *t, size_t limit)
{
	*t = (struct text){ .limit = limit };
}

void
text_fini(struct text *t)
{
	free(t->p);
	text_init(t, t->limit);
}

/* Makes room for n more bytes and a NUL. */
static bool
text_reserve(struct text *t, size_t n)
{
	size_t size = t->size ? t->size : TEXT_FIRST;
	char *p;

	if (t->failed || n > t->limit || t->n > t->limit - n) {
		t->failed = true;
		return false;
	}
	if (t->p && t->size - t->n > n)
		return true;
	while (size - t->n <= n)
		size *= 2;
	p = realloc(t->p, size);
	if (!p) {
		t->failed = true;
		return false;
	}
	t->p = p;
	t->size = size;
	return true;
}

void
text_append(struct text *t, struct str s)
{
	if (!text_reserve(t, s.n))
		return;
	if (s.n)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
	t->p[t->n] = '\0';
}

void
text_printf(struct text *t, const char *format, ...)
{
	va_list args, again;
	size_t room = t->failed ? 0 : t->size - t->n;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(room ? t->p + t->n : NULL, room, format, args);
	va_end(args);
	if (n < 0 || !text_reserve(t, (size_t)n)) {
		t->failed = true;
		if (t->p)
			t->p[t->n] = '\0';
	} else {
		if ((size_t)n >= room)
			vsnprintf(t->p + t->n, (size_t)n + 1, format, again);
		t->n += (size_t)n;
	}
	va_end(again);
}

void
text_drop(struct text *t, size_t n)
{
	if (!n)
		return;
	t->n -= n;
	memmove(t->p, t->p + n, t->n + 1);
}

char *
text_take(struct text *t, size_t *n)
{
	char *p = t->failed ? NULL : t->p;

	*n = p ? t->n : 0;
	if (p)
		t->p = NULL;
	text_fini(t);
	return p;
}
