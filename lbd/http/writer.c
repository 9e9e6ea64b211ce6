/* writer.c - the part of struct writer that is not inline. */
#include "lbd/http/h1_format.h"

void
write_uint(struct writer *w, uint64_t v)
{
	char text[20], *p = text + sizeof(text);

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	write_bytes(w, p, (size_t)(text + sizeof(text) - p));
}

void
write_field(struct writer *w, struct str name, struct str value)
{
	char *p = w->p;

	if ((size_t)(w->end - p) < name.n + value.n + 4) {
		w->overflow = true;
		return;
	}
	memcpy(p, name.p, name.n);
	p += name.n;
	memcpy(p, ": ", 2);
	p += 2;
	if (value.n)
		memcpy(p, value.p, value.n);
	p += value.n;
	memcpy(p, "\r\n", 2);
	w->p = p + 2;
}
