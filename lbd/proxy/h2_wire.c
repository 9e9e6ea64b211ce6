/* h2_wire.c - copies, and single writes. */
#include "lbd/proxy/h2_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbd/proxy/proxy.h"

enum {
	WRITE_MAX = 96 * 1024,
	WRITES_MAX = 4 /* in one turn */
};

int
h2_wire_init(struct proxy *proxy)
{
	if (!proxy->h2_bytes)
		proxy->h2_bytes = malloc(SCRATCH_READ);
	return proxy->h2_bytes ? 0 : -ENOMEM;
}

size_t
h2_wire_feed(struct conn *c, struct h2_session *session, struct span data)
{
	char *copy = c->worker->proxy->h2_bytes;

	memcpy(copy, data.p, data.n);
	return h2_session_feed(session, copy, data.n, c->worker->now);
}

/* Not put together in scratch memory: a stream that closes may bring something into that. */
bool
h2_wire_write(struct conn *c, struct h2_session *session, bool *sent)
{
	char *to = c->worker->proxy->h2_bytes;
	size_t n;

	for (int i = 0; i < WRITES_MAX; i++) {
		if (c->out || c->broken)
			return true;
		n = h2_session_output(session, to, WRITE_MAX);
		if (n == 0 || conn_send(c, to, n) < 0)
			return true;
		*sent = true;
		if (n + H2_OUTPUT_MIN < WRITE_MAX)
			return true;
	}
	return false;
}
