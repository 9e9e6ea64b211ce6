/*
 * fuzz_forwarded_for.c - X-Forwarded-For and Forwarded, of which clients write the beginning.
 *
 * However X-Forwarded-For is divided into fields, it names the same ones.  What a proxy adds to either, as a member or
 * as a field, is named first, whatever stands before it, and then the same ones as without it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd/http/forwarded_for.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMED_MAX = 64 };

struct named {
	uint8_t ip[NAMED_MAX][16];
	unsigned n;
};

static struct named
walk(const struct http_head *head, enum field_id id)
{
	struct forwarded_walk w = forwarded_walk(head, id);
	struct named named = { .n = 0 };

	while (named.n < NAMED_MAX && forwarded_next(&w, named.ip[named.n]))
		named.n++;
	return named;
}

static struct named
walk_fields(struct str a, struct str b, enum field_id id)
{
	struct http_head head = { .n_fields = 2 };

	head.fields[0] = (struct http_field){ .value = a, .id = id };
	head.fields[1] = (struct http_field){ .value = b, .id = id };
	return walk(&head, id);
}

static void
must_be_alike(const uint8_t (*a)[16], unsigned n, const uint8_t (*b)[16], unsigned m)
{
	if (n != m || memcmp(a, b, n * sizeof(*a)) != 0)
		abort();
}

/* At each comma. */
static void
divide(struct str list, const struct named *whole)
{
	for (size_t i = 0; i < list.n; i++) {
		struct named parts;

		if (list.p[i] != ',')
			continue;
		parts = walk_fields(
		    (struct str){ list.p, i }, str_skip(list, i + 1), FIELD_X_FORWARDED_FOR);
		must_be_alike(whole->ip, whole->n, parts.ip, parts.n);
	}
}

static void
must_follow(const struct named *all, const struct named *before)
{
	static const uint8_t hop[16] = { [10] = 0xff, 0xff, 10, 0, 0, 1 };
	unsigned n = before->n < NAMED_MAX ? before->n : NAMED_MAX - 1;

	if (all->n == 0 || memcmp(all->ip[0], hop, sizeof(hop)) != 0)
		abort();
	must_be_alike(all->ip + 1, all->n - 1, before->ip, n);
}

static void
add_hop(struct str list, const struct named *before, enum field_id id)
{
	struct str hop = id == FIELD_FORWARDED ? STR("for=10.0.0.1;host=\"a,b\"") : STR("10.0.0.1");
	char *longer = malloc(list.n + 2 + hop.n);
	struct named all = walk_fields(list, hop, id);

	if (!longer)
		abort();
	must_follow(&all, before);
	if (list.n)
		memcpy(longer, list.p, list.n);
	memcpy(longer + list.n, ", ", 2);
	memcpy(longer + list.n + 2, hop.p, hop.n);
	all = walk_fields((struct str){ longer, list.n + 2 + hop.n }, STR(""), id);
	must_follow(&all, before);
	free(longer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum field_id ids[] = { FIELD_X_FORWARDED_FOR, FIELD_FORWARDED };
	char *exact = malloc(size ? size : 1);
	struct str list = { exact, size };

	if (!exact)
		abort();
	if (size)
		memcpy(exact, data, size);
	for (int i = 0; i < 2; i++) {
		struct named named = walk_fields(list, STR(""), ids[i]);

		if (ids[i] == FIELD_X_FORWARDED_FOR)
			divide(list, &named);
		add_hop(list, &named, ids[i]);
	}
	free(exact);
	return 0;
}
