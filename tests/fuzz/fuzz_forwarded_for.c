/*
 * fuzz_forwarded_for.c - X-Forwarded-For, of which clients write the beginning.
 *
 * However the list is divided into fields, the answer is the same; and one more trusted proxy on the way changes it
 * only where nobody was named.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd/http/forwarded_for.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct network trust;

static struct http_field
field_of(const char *p, size_t n)
{
	return (struct http_field){ .value = { p, n }, .id = FIELD_X_FORWARDED_FOR };
}

static void
must_be_alike(bool named, const struct address *a, bool again, const struct address *b)
{
	if (named != again || (named && !address_equal(a, b)))
		abort();
}

/* At each comma. */
static void
divide(const char *p, size_t n, bool named, const struct address *client)
{
	struct http_head head = { .n_fields = 2 };

	for (size_t i = 0; i < n; i++) {
		struct address a = { 0 };
		bool again;

		if (p[i] != ',')
			continue;
		head.fields[0] = field_of(p, i);
		head.fields[1] = field_of(p + i + 1, n - i - 1);
		again = forwarded_for(&head, &trust, 1, &a);
		must_be_alike(named, client, again, &a);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char hop[] = "10.0.0.1";
	char *exact = malloc(size ? size : 1);
	struct http_head head = { .n_fields = 1 };
	struct address client = { 0 }, again = { 0 };
	struct err err;
	bool named;

	if (!exact || network_parse(&trust, STR("10.0.0.0/8"), &err) < 0)
		abort();
	if (size)
		memcpy(exact, data, size);
	head.fields[0] = field_of(exact, size);
	named = forwarded_for(&head, &trust, 1, &client);
	divide(exact, size, named, &client);
	head.fields[head.n_fields++] = field_of(hop, sizeof(hop) - 1);
	if (!forwarded_for(&head, &trust, 1, &again))
		abort();
	if (named)
		must_be_alike(named, &client, true, &again);
	free(exact);
	return 0;
}
