/*
 * fuzz_proxy_protocol.c - a PROXY header.
 *
 * In whatever pieces it comes the answer is the same; nothing but the header is eaten, and what it says is read again
 * from what is written of it, in either version.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lbd/http/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a block of exactly its size. */
static ssize_t
parse(const void *data, size_t n, struct proxy_header *h)
{
	char *exact = malloc(n ? n : 1);
	ssize_t eaten;

	if (!exact)
		abort();
	if (n)
		memcpy(exact, data, n);
	eaten = proxy_header_parse((struct str){ exact, n }, h);
	free(exact);
	if (eaten < -(ssize_t)PROXY_FAULTS || eaten > (ssize_t)n || eaten > PROXY_HEADER_MAX)
		abort();
	if (eaten == 0 && n >= PROXY_HEADER_MAX)
		abort();
	return eaten;
}

static bool
same_end(const struct proxy_end *a, const struct proxy_end *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->port == b->port;
}

/* Where there are no addresses, none are written. */
static void
check_written(const struct proxy_header *h, unsigned version, const struct proxy_tls *tls)
{
	char room[PROXY_FORMAT_MAX];
	size_t n = proxy_header_format(h, version, tls, room);
	struct proxy_header again;

	if (parse(room, n, &again) != (ssize_t)n)
		abort();
	if ((again.kind == PROXY_TCP) != (h->kind == PROXY_TCP))
		abort();
	if (!same_end(&again.source, &h->source) || !same_end(&again.destination, &h->destination))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct proxy_tls tls = {
		.version = STR("TLSv1.3"),
		.common_name = { (const char *)data, size },
		.certificate = true,
	};
	struct proxy_header h, part;
	ssize_t whole = parse(data, size, &h), got;

	for (size_t n = 0; n < size; n++) {
		got = parse(data, n, &part);
		if (got != 0 && got != whole)
			abort();
		if (whole > 0 && (got != 0) != ((ssize_t)n >= whole))
			abort();
	}
	if (whole > 0) {
		check_written(&h, 1, NULL);
		check_written(&h, 2, NULL);
		check_written(&h, 2, &tls);
	}
	return 0;
}
