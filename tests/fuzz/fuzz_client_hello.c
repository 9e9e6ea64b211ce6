/*
 * fuzz_client_hello.c - the first bytes of a connection whose ClientHello is looked at.
 *
 * A cut may only turn an answer into "need more"; a name that is found stands in the input, but for record headers.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lbd/tls/client_hello.h"
#include "lbd/tls/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct found {
	ssize_t verdict;
	size_t n;
	char name[TLS_NAME_MAX];
};

static struct found
look(const uint8_t *data, size_t n, char *room)
{
	struct found f = { .verdict = 0 };
	char *exact = malloc(n ? n : 1);
	struct str name;

	if (!exact)
		abort();
	if (n)
		memcpy(exact, data, n);
	f.verdict = client_hello_name((struct str){ exact, n }, room, &name);
	if (f.verdict > 0 && (size_t)f.verdict != n)
		abort();
	if (name.n > TLS_NAME_MAX || (name.n && f.verdict <= 0))
		abort();
	f.n = name.n;
	if (name.n)
		memcpy(f.name, name.p, name.n);
	free(exact);
	return f;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *room = malloc(CLIENT_HELLO_MAX);
	struct found whole, part;

	if (!room)
		abort();
	whole = look(data, size, room);
	for (size_t cut = 0; cut < size; cut += 1 + cut / 64) {
		part = look(data, cut, room);
		if (part.verdict == 0)
			continue;
		if ((part.verdict > 0) != (whole.verdict > 0))
			abort();
		if (part.n != whole.n || (part.n && memcmp(part.name, whole.name, part.n) != 0))
			abort();
	}
	free(room);
	return 0;
}
