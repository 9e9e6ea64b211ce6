/* names.c - host names, sorted; an exact one is looked for first, then the wildcard for it. */
#include "lbd/tls/names.h"

#include <errno.h>
#include <stdlib.h>

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int
compare(struct str a, struct str b)
{
	int rc = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return rc ? rc : (a.n > b.n) - (a.n < b.n);
}

/* A star is a whole first label or none; labels are not empty; nothing but visible ASCII. */
static bool
is_name(struct str s)
{
	bool star = str_starts(s, STR("*."));
	size_t i;

	if (s.n == 0 || s.n > TLS_NAME_MAX || s.p[s.n - 1] == '.')
		return false;
	for (i = star ? 2 : 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '*')
			return false;
		if (s.p[i] == '.' && (i == 0 || s.p[i - 1] == '.'))
			return false;
	}
	return !star || memchr(s.p + 2, '.', s.n - 2);
}

int
tls_names_add(struct tls_names *names, struct str text, uint32_t value)
{
	struct tls_name *grown;
	char *copy;

	if (!is_name(text))
		return -EINVAL;
	if (names->n == names->size) {
		names->size = names->size ? 2 * names->size : 8;
		grown = realloc(names->list, names->size * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		names->list = grown;
	}
	copy = malloc(text.n);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < text.n; i++)
		copy[i] = lower(text.p[i]);
	names->list[names->n++] = (struct tls_name){ { copy, text.n }, value };
	return 0;
}

static int
name_compare(const void *a, const void *b)
{
	const struct tls_name *x = a, *y = b;
	int rc = compare(x->text, y->text);

	return rc ? rc : (x->value > y->value) - (x->value < y->value);
}

void
tls_names_sort(struct tls_names *names)
{
	uint32_t kept = 0;

	if (names->n)
		qsort(names->list, names->n, sizeof(*names->list), name_compare);
	for (uint32_t i = 0; i < names->n; i++) {
		if (kept && str_eq(names->list[kept - 1].text, names->list[i].text))
			free((void *)(uintptr_t)names->list[i].text.p);
		else
			names->list[kept++] = names->list[i];
	}
	names->n = kept;
}

void
tls_names_fini(struct tls_names *names)
{
	for (uint32_t i = 0; i < names->n; i++)
		free((void *)(uintptr_t)names->list[i].text.p);
	free(names->list);
	*names = (struct tls_names){ 0 };
}

static int64_t
find(const struct tls_names *names, struct str name)
{
	uint32_t from = 0, to = names->n;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		int rc = compare(name, names->list[middle].text);

		if (rc == 0)
			return names->list[middle].value;
		if (rc < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return -1;
}

int64_t
tls_names_find(const struct tls_names *names, struct str host)
{
	char text[TLS_NAME_MAX];
	const char *dot;
	int64_t value;

	if (host.n && host.p[host.n - 1] == '.') /* the root */
		host.n--;
	if (host.n == 0 || host.n > sizeof(text))
		return -1;
	for (size_t i = 0; i < host.n; i++)
		text[i] = lower(host.p[i]);
	value = text[0] == '*' ? -1 : find(names, (struct str){ text, host.n });
	dot = memchr(text, '.', host.n);
	if (value >= 0 || !dot || dot == text)
		return value;
	text[dot - text - 1] = '*';
	return find(names, (struct str){ dot - 1, host.n - (size_t)(dot - 1 - text) });
}
