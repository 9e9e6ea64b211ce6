/* admin_request.c - request line and a check of the fields; only Host and body framing mean anything. */
#include "common/admin_request.h"

size_t
admin_request_length(struct str input)
{
	const char *end = input.n ? memmem(input.p, input.n, "\r\n\r\n", 4) : NULL;

	return end ? (size_t)(end - input.p) + 4 : 0;
}

/* Cuts `s` at the first `c`: returns what is before it, leaves what is after.  Without one, all of it. */
static struct str
cut(struct str *s, char c)
{
	const char *at = s->n ? memchr(s->p, c, s->n) : NULL;
	struct str before = *s;

	if (!at) {
		*s = str_skip(*s, s->n);
		return before;
	}
	before.n = (size_t)(at - s->p);
	*s = str_skip(*s, before.n + 1);
	return before;
}

static bool
is_token(struct str s)
{
	static const char punctuation[] = "!#$%&'*+-.^_`|~";
	size_t i;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || !strchr(punctuation, c)))
			return false;
	}
	return s.n > 0;
}

static bool
is_visible(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

static bool
is_value(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' ? s.p[i] != '\t' : s.p[i] == 0x7f)
			return false;
	return true;
}

static struct str
trim(struct str s)
{
	while (s.n && (*s.p == ' ' || *s.p == '\t'))
		s = str_skip(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* One line without its CRLF; false at a bare CR or LF. */
static bool
line_take(struct str *rest, struct str *line)
{
	*line = cut(rest, '\n');
	if (!line->n || line->p[line->n - 1] != '\r')
		return false;
	line->n--;
	return !line->n || !memchr(line->p, '\r', line->n);
}

/* 0 for another major version, -1 when it is none; else 10 or 11 (1.2 and above are read as 1.1). */
static int
version_parse(struct str s)
{
	if (s.n != 8 || !str_starts(s, STR("HTTP/")) || s.p[6] != '.' || s.p[5] < '0' ||
	    s.p[5] > '9' || s.p[7] < '0' || s.p[7] > '9')
		return -1;
	if (s.p[5] != '1')
		return 0;
	return s.p[7] == '0' ? 10 : 11;
}

/* origin-form, or absolute-form whose authority is not looked at. */
static bool
target_parse(struct str target, struct admin_request *r)
{
	struct str scheme = STR("http://");

	if (!is_visible(target) || memchr(target.p, '#', target.n))
		return false;
	if (target.n >= scheme.n && str_eq_nocase((struct str){ target.p, scheme.n }, scheme)) {
		const char *slash;

		target = str_skip(target, scheme.n);
		slash = target.n ? memchr(target.p, '/', target.n) : NULL;
		target = slash ? str_skip(target, (size_t)(slash - target.p)) : STR("/");
	}
	if (target.p[0] != '/')
		return false;
	r->path = cut(&target, '?');
	r->query = target;
	return true;
}

/* False when the field is malformed or announces a body. */
static bool
field_check(struct str line, unsigned *hosts)
{
	struct str value = line;
	struct str name = cut(&value, ':');

	if (name.n == line.n || !is_token(name) || !is_value(value))
		return false;
	if (str_eq_nocase(name, STR("host")))
		++*hosts;
	if (str_eq_nocase(name, STR("content-length")))
		return str_eq(trim(value), STR("0"));
	return !str_eq_nocase(name, STR("transfer-encoding"));
}

static int
method_check(struct str method, struct admin_request *r)
{
	if (!is_token(method))
		return 400;
	r->head = str_eq(method, STR("HEAD"));
	return r->head || str_eq(method, STR("GET")) ? 200 : 405;
}

int
admin_request_parse(struct str head, struct admin_request *r)
{
	struct str line, method, target;
	int version, status;
	unsigned hosts = 0;

	*r = (struct admin_request){ 0 };
	if (!line_take(&head, &line))
		return 400;
	method = cut(&line, ' ');
	target = cut(&line, ' ');
	version = version_parse(line);
	if (version == 0)
		return 505;
	status = method_check(method, r);
	if (version < 0 || status == 400)
		return 400;
	if (status == 405)
		return 405;
	if (!target_parse(target, r))
		return 400;
	while (line_take(&head, &line) && line.n)
		if (!field_check(line, &hosts))
			return 400;
	if (head.n || line.n || hosts > 1 || (version == 11 && hosts == 0))
		return 400;
	return 200;
}
