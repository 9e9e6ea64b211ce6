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
