/*
 * fuzz_cookie.c - the value of a Cookie field.
 *
 * The first byte says how many of the next are a name, the rest is the field.  What is found under that name is what a
 * slower reader finds, which splits at semicolons first; and what is left without it has the same others, in the same
 * order, byte for byte, and none of that name.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lbd/http/cookie.h"
#include "lbd/http/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool claim)
{
	if (!claim)
		abort();
}

/* The next piece that is not empty, without the blanks around it. */
static bool
next_piece(struct str *left, struct str *piece)
{
	while (left->n) {
		size_t n = 0;

		while (n < left->n && left->p[n] != ';')
			n++;
		*piece = scan_trim((struct str){ left->p, n });
		*left = str_skip(*left, n < left->n ? n + 1 : n);
		if (piece->n)
			return true;
	}
	return false;
}

/* What is before its first '=' is that name. */
static bool
is_named(struct str piece, struct str name)
{
	size_t n = 0;

	while (n < piece.n && piece.p[n] != '=')
		n++;
	return n < piece.n && str_eq((struct str){ piece.p, n }, name);
}

static bool
next_named(struct str *left, struct str name, bool named, struct str *piece)
{
	while (next_piece(left, piece))
		if (is_named(*piece, name) == named)
			return true;
	return false;
}

/* As cookie_take, into a block of just the size. */
static unsigned
take(struct str field, struct str name, struct str values[COOKIE_VALUES], struct str *left)
{
	char *out = malloc(field.n + (field.n == 0));
	unsigned n;

	must(out != NULL);
	n = cookie_take(field, name, values, out, &left->n);
	left->p = out;
	return n;
}

static void
compare(struct str field, struct str name)
{
	struct str values[COOKIE_VALUES], slow = field, left, piece, kept, value;
	unsigned n = take(field, name, values, &left), k;

	must(cookie_find(field, name, &value) == (n > 0));
	for (k = 0; next_named(&slow, name, true, &piece); k++) {
		if (k == 0)
			must(value.p == values[0].p && value.n == values[0].n);
		if (k < COOKIE_VALUES)
			must(str_eq(values[k], str_skip(piece, name.n + 1)));
	}
	must(k == n);
	if (n) {
		must(left.n <= field.n && !cookie_find(left, name, &value));
		slow = field;
		kept = left;
		while (next_named(&slow, name, false, &piece))
			must(next_piece(&kept, &value) && str_eq(value, piece));
		must(!next_piece(&kept, &value));
	}
	free((void *)(uintptr_t)left.p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str name, field;
	char *exact;

	if (size < 2 || data[0] == 0 || data[0] >= size)
		return 0;
	name = (struct str){ (const char *)data + 1, data[0] };
	if (!scan_all(name, SCAN_TOKEN)) /* as names in a configuration are */
		return 0;
	field.n = size - 1 - name.n;
	field.p = exact = malloc(field.n + (field.n == 0));
	must(exact != NULL);
	memcpy(exact, data + 1 + name.n, field.n);
	compare(field, name);
	free(exact);
	return 0;
}
