/* hex.c - bytes as pairs of hex digits, with or without blanks between the pairs. */
#include "lbd/config/schema.h"

#include <stdio.h>

enum { HEX_MAX = 1024 };

static int
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* How many bytes; -1: that is no hex; more than HEX_MAX: too long. */
static int
hex_parse(struct str s, char bytes[HEX_MAX])
{
	int n = 0, high, low;

	for (size_t i = 0; i < s.n && n <= HEX_MAX; i += 2, n++) {
		while (i < s.n && s.p[i] == ' ')
			i++;
		high = i + 1 < s.n ? digit_of(s.p[i]) : -1;
		low = i + 1 < s.n ? digit_of(s.p[i + 1]) : -1;
		if (high < 0 || low < 0)
			return -1;
		if (n < HEX_MAX)
			bytes[n] = (char)(high * 16 + low);
	}
	return n;
}

static void
hex_decode(struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	struct str s = { json_string_value(at->value), json_string_length(at->value) };
	char bytes[HEX_MAX], quoted[JSON_SHOWN_MAX];
	struct str out;
	int n;

	if (!s.p) {
		json_config_mistyped(d, at, f);
		return;
	}
	n = hex_parse(s, bytes);
	if (n <= 0) {
		json_config_quote(s, quoted);
		json_config_complain(d, at, "%s is not pairs of hex digits", quoted);
	} else if (n > HEX_MAX) {
		json_config_complain(d, at, "has more than %d bytes", HEX_MAX);
	} else {
		out = arena_str(d->arena, (struct str){ bytes, (size_t)n });
		memcpy(to, &out, sizeof(out));
	}
}

static json_t *
hex_encode(const struct json_field *f, const void *from)
{
	const struct str *s = from;
	char text[2 * HEX_MAX + 1];

	(void)f;
	for (size_t i = 0; i < s->n; i++)
		snprintf(text + 2 * i, 3, "%02x", (unsigned char)s->p[i]);
	return json_stringn(text, 2 * s->n);
}

static void
hex_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "bytes as pairs of hex digits");
}

const struct json_kind config_kind_hex = { hex_decode, hex_encode, hex_describe };
