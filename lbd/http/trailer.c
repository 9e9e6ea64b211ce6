/* trailer.c - trailer fields: same syntax as in heads, only some names. */
#include "lbd/http/trailer.h"

#include "lbd/http/field.h"
#include "lbd/http/h1_fields.h"
#include "lbd/http/word.h"

ssize_t
trailer_check(struct str in)
{
	bool more = in.n >= TRAILER_MAX;
	const char *start = in.p;
	struct http_field f;
	ssize_t r;

	if (more)
		in.n = TRAILER_MAX;
	do {
		if ((r = h1_field_parse(in, &f)) < 0 || (r == 0 && more))
			return -REFUSE_TRAILER;
		if (r == 0)
			return 0;
		in = str_skip(in, (size_t)r);
	} while (r != H1_EMPTY_LINE);
	return in.p - start;
}

/* One blank after the colon if there was any: written so, a line never grows. */
static char *
line_write(char *out, struct str name, struct str value)
{
	bool blank = value.p > name.p + name.n + 1;

	memmove(out, name.p, name.n);
	out += name.n;
	*out++ = ':';
	if (blank)
		*out++ = ' ';
	memmove(out, value.p, value.n);
	out += value.n;
	*out++ = '\r';
	*out++ = '\n';
	return out;
}

size_t
trailer_rewrite(char *out, struct str in, const struct str *reserved, uint32_t n_reserved)
{
	const char *start = out;
	struct http_field f;

	for (;;) {
		ssize_t r = h1_field_parse(in, &f);

		if (r <= H1_EMPTY_LINE)
			return (size_t)(out - start);
		in = str_skip(in, (size_t)r);
		if (field_in_trailer(f.name) && !word_resembles_any(f.name, reserved, n_reserved))
			out = line_write(out, f.name, f.value);
	}
}
