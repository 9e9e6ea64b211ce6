/* display.c - a UTF-8 decoder that never reads beyond its slice, and what it does with each character. */
#include "hafailover/hactl/display.h"

#include <wchar.h>

static const char *const styles[] = {
	[STYLE_PLAIN] = "",
	[STYLE_BOLD] = "\033[1m",
	[STYLE_DIM] = "\033[2m",
	[STYLE_GOOD] = "\033[32m",
	[STYLE_WARNING] = "\033[33m",
	[STYLE_BAD] = "\033[31m",
};

const char *
style_on(enum style style, bool colour)
{
	return colour ? styles[style] : "";
}

const char *
style_off(enum style style, bool colour)
{
	return colour && style != STYLE_PLAIN ? "\033[0m" : "";
}

struct character {
	uint32_t code;
	size_t n; /* its bytes; 0: not UTF-8 */
};

/* How many bytes a sequence has that begins so; 0: none begins so. */
static size_t
sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

static struct character
character_decode(struct str s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s.p[0];
	size_t n = sequence_length(first);
	uint32_t code = n == 1 ? first : first & (0x7fu >> n);

	if (n == 0 || n > s.n)
		return (struct character){ 0, 0 };
	for (size_t i = 1; i < n; i++) {
		unsigned char next = (unsigned char)s.p[i];

		if ((next & 0xc0) != 0x80)
			return (struct character){ 0, 0 };
		code = code << 6 | (next & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return (struct character){ 0, 0 };
	return (struct character){ code, n };
}

/* Takes no room, or changes where the following goes. */
static bool
is_invisible(uint32_t code)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad }, /* soft hyphen */
		{ 0x061c, 0x061c }, { 0x180e, 0x180e },
		{ 0x200b, 0x200f }, /* zero width, direction marks */
		{ 0x2028, 0x202e }, /* line ends, direction overrides */
		{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
		{ 0xe0000, 0xe0fff }, /* tags */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		if (code >= ranges[i].from && code <= ranges[i].to)
			return true;
	return code >= 0x80 && wcwidth((wchar_t)code) < 0;
}

void
display_clean(struct text *out, struct str s)
{
	size_t plain = 0;

	for (size_t i = 0; i < s.n;) {
		struct character c = character_decode(str_skip(s, i));

		if (c.n > 0 && !is_invisible(c.code)) {
			i += c.n;
			continue;
		}
		text_append(out, (struct str){ s.p + plain, i - plain });
		if (c.n <= 1)
			text_printf(out, "\\x%02x", (unsigned char)s.p[i]);
		else
			text_printf(out, "\\u{%04x}", c.code);
		i += c.n ? c.n : 1;
		plain = i;
	}
	text_append(out, str_skip(s, plain));
}

/* Bytes of the escape sequence of style_on() at the beginning, if one is there. */
static size_t
sequence_skip(struct str s)
{
	const char *end = s.n > 1 && s.p[0] == '\033' ? memchr(s.p, 'm', s.n) : NULL;

	return end ? (size_t)(end - s.p) + 1 : 0;
}

static size_t
column_count(struct character c)
{
	int width = c.n && c.code >= 0x80 ? wcwidth((wchar_t)c.code) : 1;

	return width > 0 ? (size_t)width : 0;
}

size_t
display_width(struct str clean)
{
	struct str s = clean;
	size_t width = 0;

	while (s.n) {
		size_t skip = sequence_skip(s);
		struct character c = character_decode(s);

		if (!skip) {
			width += column_count(c);
			skip = c.n ? c.n : 1;
		}
		s = str_skip(s, skip);
	}
	return width;
}

struct str
display_cut(struct str clean, size_t width)
{
	size_t i = 0;

	while (i < clean.n) {
		struct str rest = str_skip(clean, i);
		size_t skip = sequence_skip(rest);
		struct character c = character_decode(rest);

		if (!skip) {
			size_t columns = column_count(c);

			if (columns > width)
				break;
			width -= columns;
			skip = c.n ? c.n : 1;
		}
		i += skip;
	}
	return (struct str){ clean.p, i };
}
