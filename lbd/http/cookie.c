/* cookie.c - pieces between semicolons. */
#include "lbd/http/cookie.h"

#include "lbd/http/scan.h"

/* Cuts what stands before the next semicolon off, blanks included.  False at the end. */
static bool
piece_next(struct str *left, struct str *piece)
{
	const char *end;

	if (left->n == 0)
		return false;
	end = memchr(left->p, ';', left->n);
	*piece = (struct str){ left->p, end ? (size_t)(end - left->p) : left->n };
	*left = str_skip(*left, piece->n + (end != NULL));
	return true;
}

/* False: it has no name. */
static bool
piece_read(struct str piece, struct cookie *c)
{
	const char *sign;

	piece = scan_trim(piece);
	sign = piece.n ? memchr(piece.p, '=', piece.n) : NULL;
	if (!sign)
		return false;
	c->name = (struct str){ piece.p, (size_t)(sign - piece.p) };
	c->value = str_skip(piece, c->name.n + 1);
	return c->name.n > 0;
}

bool
cookie_next(struct str *left, struct cookie *c)
{
	struct str piece;

	while (piece_next(left, &piece))
		if (piece_read(piece, c))
			return true;
	return false;
}

size_t
cookie_remove(struct str field, struct str name, char *out)
{
	struct str piece;
	struct cookie c;
	char *p = out;

	while (piece_next(&field, &piece)) {
		if (piece_read(piece, &c) && str_eq(c.name, name))
			continue;
		if (p > out)
			*p++ = ';';
		else
			piece = scan_trim(piece);
		if (piece.n)
			memcpy(p, piece.p, piece.n);
		p += piece.n;
	}
	while (p > out && (scan_is_blank(p[-1]) || p[-1] == ';'))
		p--;
	return (size_t)(p - out);
}

void
cookie_write(struct writer *w, const struct cookie *c, const struct cookie_attributes *a)
{
	static const struct str same_site[] = {
		[SAME_SITE_LAX] = { "; SameSite=Lax", 14 },
		[SAME_SITE_STRICT] = { "; SameSite=Strict", 17 },
		[SAME_SITE_NONE] = { "; SameSite=None", 15 },
	};

	write_str(w, c->name);
	write_bytes(w, "=", 1);
	write_str(w, c->value);
	write_str(w, STR("; Path="));
	write_str(w, a->path);
	if (a->max_age_s) {
		write_str(w, STR("; Max-Age="));
		write_uint(w, (uint64_t)a->max_age_s);
	}
	if (a->secure)
		write_str(w, STR("; Secure"));
	if (a->http_only)
		write_str(w, STR("; HttpOnly"));
	if (a->secure || a->same_site != SAME_SITE_NONE)
		write_str(w, same_site[a->same_site]);
}
