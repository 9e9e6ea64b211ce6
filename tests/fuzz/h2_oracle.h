/*
 * h2_oracle.h - an HTTP/2 session is given bytes in pieces; hashes of all that comes of them.  For both roles.
 */
#ifndef TESTS_FUZZ_H2_ORACLE_H
#define TESTS_FUZZ_H2_ORACLE_H

#include <stdio.h>
#include <stdlib.h>

#include "lbd/http/h2_session.h"

enum { OUTPUT = 1 << 16 };

static inline void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static inline void
note(uint64_t *hash, const void *p, size_t n)
{
	const unsigned char *bytes = p;

	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ bytes[i]) * UINT64_C(1099511628211);
}

static inline void
note_number(uint64_t *hash, uint64_t v)
{
	note(hash, &v, sizeof(v));
}

/* What the session has to send. */
static inline void
note_output(uint64_t *hash, struct h2_session *s)
{
	static char room[OUTPUT];
	size_t n;

	while ((n = h2_session_output(s, room, sizeof(room))) > 0)
		note(hash, room, n);
}

/* In pieces of `piece` bytes; how many of them it took until the connection was over. */
static inline size_t
feed_in_pieces(struct h2_session *s, const uint8_t *data, size_t size, size_t piece)
{
	bool goes_on = true;
	size_t at, n;
	char *exact;

	for (at = 0; at < size && goes_on; at += n) {
		n = size - at < piece ? size - at : piece;
		exact = malloc(n);
		if (!exact)
			fail("out of memory");
		memcpy(exact, data + at, n);
		n = h2_session_feed(s, exact, n, 0);
		goes_on = h2_session_reads(s);
		free(exact);
	}
	return at;
}

#endif
