/* exposition.c - NAME{KEY="VALUE",...} NUMBER, with comment lines between. */
#include "hafailover/hactl/exposition.h"

#include <stdlib.h>

enum { NUMBER_MAX = 64 };

static struct str
line_take(struct str *text)
{
	const char *end = memchr(text->p, '\n', text->n);
	struct str line = { text->p, end ? (size_t)(end - text->p) : text->n };

	*text = str_skip(*text, line.n + (end ? 1 : 0));
	return line;
}

/* Up to the quote that ends a value: one behind a backslash does not.  s.n: there is none. */
static size_t
value_length(struct str s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] != '"')
		i += s.p[i] == '\\' ? 2 : 1;
	return i < s.n ? i : s.n;
}

/* The closing brace, which may also stand in a value.  s.n: there is none. */
static size_t
labels_length(struct str s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] != '}') {
		if (s.p[i] == '"')
			i += 1 + value_length(str_skip(s, i + 1));
		i++;
	}
	return i < s.n ? i : s.n;
}

static bool
number_parse(struct str s, double *value)
{
	char number[NUMBER_MAX], *end;

	if (s.n == 0 || s.n >= sizeof(number))
		return false;
	memcpy(number, s.p, s.n);
	number[s.n] = '\0';
	*value = strtod(number, &end);
	return *end == '\0';
}

static bool
sample_parse(struct str line, struct sample *sample)
{
	size_t n = 0;

	while (n < line.n && line.p[n] != '{' && line.p[n] != ' ')
		n++;
	if (n == 0 || n == line.n || line.p[0] == '#')
		return false;
	sample->name = (struct str){ line.p, n };
	sample->labels = (struct str){ "", 0 };
	line = str_skip(line, n);
	if (line.p[0] == '{') {
		n = labels_length(str_skip(line, 1));
		if (n + 1 >= line.n)
			return false;
		sample->labels = (struct str){ line.p + 1, n };
		line = str_skip(line, n + 2);
	}
	return line.n > 1 && line.p[0] == ' ' && number_parse(str_skip(line, 1), &sample->value);
}

bool
exposition_next(struct str *text, struct sample *sample)
{
	while (text->n)
		if (sample_parse(line_take(text), sample))
			return true;
	return false;
}

struct str
sample_label(const struct sample *sample, const char *key)
{
	struct str rest = sample->labels;

	while (rest.n) {
		const char *quote = memchr(rest.p, '"', rest.n);
		struct str name = { rest.p, quote ? (size_t)(quote - rest.p) : 0 };
		struct str value;

		if (name.n < 2 || name.p[name.n - 1] != '=')
			break;
		name.n--;
		rest = str_skip(rest, name.n + 2);
		value = (struct str){ rest.p, value_length(rest) };
		if (str_eq(name, str_of(key)))
			return value;
		rest = str_skip(rest, value.n);
		for (int i = 0; i < 2 && rest.n; i++)
			rest = str_skip(rest, 1); /* the quote, the comma */
	}
	return (struct str){ NULL, 0 };
}
