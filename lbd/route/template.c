/* template.c - pieces: a text, then perhaps a variable. */
#include "lbd/route/template.h"

#include <errno.h>

#include "common/suggest.h"

struct piece {
	struct str text; /* before the variable */
	int variable; /* -1: none */
};

struct template
{
	const struct piece *pieces;
	uint32_t n;
};

static const char *const names[VARIABLE_COUNT] = {
	[VARIABLE_CLIENT_IP] = "client_ip",
	[VARIABLE_HOST] = "host",
	[VARIABLE_HOSTNAME] = "hostname",
	[VARIABLE_LISTENER] = "listener",
	[VARIABLE_METHOD] = "method",
	[VARIABLE_NODE] = "node",
	[VARIABLE_PATH] = "path",
	[VARIABLE_QUERY] = "query",
	[VARIABLE_REQUEST_ID] = "request_id",
	[VARIABLE_SCHEME] = "scheme",
	[VARIABLE_SERVER] = "server",
	[VARIABLE_TLS_VERSION] = "tls_version",
	[VARIABLE_URI] = "uri",
};

static int
variable_find(struct str name, unsigned known, struct err *err)
{
	struct suggestion close = { 0 };

	for (int v = 0; v < VARIABLE_COUNT; v++) {
		if (!(known & VARIABLE_BIT(v)))
			continue;
		if (str_eq(name, str_of(names[v])))
			return v;
		suggest_offer(&close, name, str_of(names[v]));
	}
	if (close.word.p)
		return err_set(err, -EINVAL, "has no variable {%.*s}; did you mean {%.*s}?",
		    STR_ARG(name), STR_ARG(close.word));
	return err_set(err, -EINVAL, "has no variable {%.*s}", STR_ARG(name));
}

/* The next piece; what it takes of the text, or -EINVAL. */
static ptrdiff_t
piece_read(struct str text, unsigned known, struct piece *piece, struct err *err)
{
	const char *brace = memchr(text.p, '{', text.n), *end;
	size_t before = brace ? (size_t)(brace - text.p) : text.n;

	*piece = (struct piece){ { text.p, before }, -1 };
	if (!brace)
		return (ptrdiff_t)text.n;
	if (before + 1 < text.n && brace[1] == '{') {
		piece->text.n++;
		return (ptrdiff_t)before + 2;
	}
	end = memchr(brace, '}', text.n - before);
	if (!end)
		return err_set(err, -EINVAL, "has a brace that is not closed (\"{{\" is a brace)");
	piece->variable =
	    variable_find((struct str){ brace + 1, (size_t)(end - brace - 1) }, known, err);
	return piece->variable < 0 ? -EINVAL : end + 1 - text.p;
}

int
template_new(struct arena *a, struct str text, unsigned known, const struct template **result,
    struct err *err)
{
	struct template *t = arena_alloc(a, sizeof(*t));
	struct piece *pieces;
	uint32_t most = 1;

	for (size_t i = 0; i < text.n; i++)
		most += text.p[i] == '{';
	pieces = arena_alloc(a, most * sizeof(*pieces));
	if (!t || !pieces)
		return err_set(err, -ENOMEM, "out of memory");
	for (t->pieces = pieces; text.n; t->n++) {
		ptrdiff_t taken = piece_read(text, known, &pieces[t->n], err);

		if (taken < 0)
			return (int)taken;
		text = str_skip(text, (size_t)taken);
	}
	*result = t;
	return 0;
}

bool
template_has(const struct template *t, unsigned variables)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->pieces[i].variable >= 0 && variables & VARIABLE_BIT(t->pieces[i].variable))
			return true;
	return false;
}

void
template_write(const struct template *t, const struct str values[VARIABLE_COUNT],
    void (*write)(struct writer *, struct str), struct writer *out)
{
	for (uint32_t i = 0; i < t->n; i++) {
		write_str(out, t->pieces[i].text);
		if (t->pieces[i].variable >= 0)
			write(out, values[t->pieces[i].variable]);
	}
}
