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

static inline bool
piece_is(struct str piece, struct str name, struct str *value)
{
	while (piece.n && scan_is_blank(piece.p[0]))
		piece = str_skip(piece, 1);
	if (piece.n <= name.n || piece.p[name.n] != '=' || !str_starts(piece, name))
		return false;
	while (scan_is_blank(piece.p[piece.n - 1]))
		piece.n--;
	*value = str_skip(piece, name.n + 1);
	return true;
}

bool
cookie_find(struct str field, struct str name, struct str *value)
{
	struct str piece;

	while (piece_next(&field, &piece))
		if (piece_is(piece, name, value))
			return true;
	return false;
}

/* What separates cookies has no place before the first and behind the last. */
static bool
separates(char c)
{
	return c == ';' || scan_is_blank(c);
}

/* What stands from `kept` to `end`, behind what was kept before. */
static char *
keep(char *out, char *p, const char *kept, const char *end)
{
	while (p == out && kept < end && separates(*kept))
		kept++;
	if (kept < end)
		memcpy(p, kept, (size_t)(end - kept));
	return p + (end - kept);
}

unsigned
cookie_take(
    struct str field, struct str name, struct str values[COOKIE_VALUES], char *out, size_t *left)
{
	const char *kept = field.p;
	struct str piece, value;
	unsigned found = 0;
	char *p = out;

	while (piece_next(&field, &piece)) {
		if (!piece_is(piece, name, &value))
			continue;
		if (found < COOKIE_VALUES)
			values[found] = value;
		found++;
		p = keep(out, p, kept, piece.p);
		kept = field.p;
	}
	if (found == 0)
		return 0;
	p = keep(out, p, kept, field.p);
	while (p > out && separates(p[-1]))
		p--;
	*left = (size_t)(p - out);
	return found;
}

void
cookie_write(struct writer *w, struct str name, struct str value, const struct cookie_attributes *a)
{
	static const struct str same_site[] = {
		[SAME_SITE_LAX] = { "; SameSite=Lax", 14 },
		[SAME_SITE_STRICT] = { "; SameSite=Strict", 17 },
		[SAME_SITE_NONE] = { "; SameSite=None", 15 },
	};

	write_str(w, name);
	write_bytes(w, "=", 1);
	write_str(w, value);
	if (a->domain.n) {
		write_str(w, STR("; Domain="));
		write_str(w, a->domain);
	}
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
