/* json_show.c - values of a document as messages show them: never raw, never long. */
#include "common/json_config.h"

#include <stdio.h>

/* Long values are cut here; each byte may need six. */
enum { SHOWN_BYTES = 80 };

/* Where to cut so that no UTF-8 character is split. */
static size_t
cut_length(struct str s)
{
	size_t n = s.n;

	if (n <= SHOWN_BYTES)
		return n;
	n = SHOWN_BYTES;
	while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* C1 controls, which terminals obey: U+0080 to U+009F, two bytes in UTF-8. */
static bool
is_c1(struct str s, size_t i)
{
	return s.p[i] == '\xc2' && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0;
}

void
json_config_quote(struct str s, char text[JSON_SHOWN_MAX])
{
	size_t n = 0, cut = cut_length(s);

	text[n++] = '"';
	for (size_t i = 0; i < cut && n < JSON_SHOWN_MAX - 12; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			n += (size_t)sprintf(text + n, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			n += (size_t)sprintf(text + n, "\\u%04x", c);
		else if (is_c1(s, i))
			n += (size_t)sprintf(text + n, "\\u%04x", (unsigned char)s.p[++i]);
		else
			text[n++] = (char)c;
	}
	memcpy(text + n, cut < s.n ? "...\"" : "\"", cut < s.n ? 5 : 2);
}

void
json_config_show(const json_t *value, char text[JSON_SHOWN_MAX])
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		json_config_quote(
		    (struct str){ json_string_value(value), json_string_length(value) }, text);
		break;
	case JSON_INTEGER:
		snprintf(text, JSON_SHOWN_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		snprintf(text, JSON_SHOWN_MAX, "%g", json_real_value(value));
		break;
	case JSON_OBJECT:
		snprintf(text, JSON_SHOWN_MAX, "an object");
		break;
	case JSON_ARRAY:
		snprintf(text, JSON_SHOWN_MAX, "an array");
		break;
	case JSON_TRUE:
		snprintf(text, JSON_SHOWN_MAX, "true");
		break;
	case JSON_FALSE:
		snprintf(text, JSON_SHOWN_MAX, "false");
		break;
	case JSON_NULL:
		snprintf(text, JSON_SHOWN_MAX, "null");
		break;
	}
}
