/* problems.c - a list of lines that grows up to PROBLEMS_MAX. */
#include "common/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
problems_init(struct problems *p)
{
	*p = (struct problems){ 0 };
}

void
problems_fini(struct problems *p)
{
	for (size_t i = 0; i < p->kept; i++)
		free(p->list[i].text);
	free(p->list);
	problems_init(p);
}

/* Room for one more: doubled at powers of two. */
static int
grow(struct problems *p)
{
	struct problem *list;

	if (p->kept & (p->kept - 1) || p->kept == 1)
		return 0;
	list = realloc(p->list, (p->kept ? 2 * p->kept : 2) * sizeof(*list));
	if (!list)
		return -1;
	p->list = list;
	return 0;
}

void
problems_add(struct problems *p, unsigned line, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	p->n++;
	if (problems_full(p) || grow(p) < 0)
		return;
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n >= 0)
		p->list[p->kept++] = (struct problem){ line, text };
}

/* By insertion: there are few, and they are nearly sorted. */
void
problems_sort(struct problems *p)
{
	for (size_t i = 1; i < p->kept; i++) {
		struct problem moved = p->list[i];
		size_t j = i;

		for (; j > 0 && p->list[j - 1].line > moved.line; j--)
			p->list[j] = p->list[j - 1];
		p->list[j] = moved;
	}
}
