/*
 * fuzz_cookie.c - the value of a Cookie field.
 *
 * What is left without the cookies of a name has the same others, in the same order, byte for byte, and none of
 * that name; and taking them out once more changes nothing.  Names are those that the input itself has.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lbd/http/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMES = 8 };

static void
must(bool true_claim)
{
	if (!true_claim)
		abort();
}

/* The next cookie of another name. */
static bool
next_other(struct str *left, struct str name, struct cookie *c)
{
	while (cookie_next(left, c))
		if (!str_eq(c->name, name))
			return true;
	return false;
}

static void
remove_and_compare(struct str field, struct str name)
{
	char *once = malloc(field.n ? field.n : 1), *twice;
	struct str left, before = field, after;
	struct cookie a, b;

	must(once != NULL);
	left = (struct str){ once, cookie_remove(field, name, once) };
	must(left.n <= field.n);
	after = left;
	while (next_other(&before, name, &a))
		must(cookie_next(&after, &b) && str_eq(a.name, b.name) && str_eq(a.value, b.value));
	must(!cookie_next(&after, &b));
	twice = malloc(left.n ? left.n : 1);
	must(twice != NULL);
	must(cookie_remove(left, name, twice) == left.n);
	must(left.n == 0 || memcmp(once, twice, left.n) == 0);
	free(once);
	free(twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1);
	struct str field = { exact, size }, left = field;
	struct cookie c;

	must(exact != NULL);
	if (size)
		memcpy(exact, data, size);
	for (int i = 0; i < NAMES && cookie_next(&left, &c); i++) {
		must(c.name.n > 0 && c.name.p >= exact && c.value.p + c.value.n <= exact + size);
		must(!memchr(c.name.p, '=', c.name.n) && !memchr(c.name.p, ';', c.name.n));
		must(c.value.n == 0 || !memchr(c.value.p, ';', c.value.n));
		remove_and_compare(field, c.name);
	}
	remove_and_compare(field, STR("SRV"));
	free(exact);
	return 0;
}
