/* client_idle.c - connections that wait for a request: their list, and how they give way. */
#include <errno.h>

#include "common/clock.h"
#include "lbd/proxy/client_parts.h"
#include "lbd/proxy/conn_tls.h"
#include "lbd/proxy/h2_connection.h"
#include "lbd/tls/tls.h"

static const int64_t NEW_NS = NS_PER_S; /* a new connection may take so long to speak */

void
client_idle_unlink(struct client *c)
{
	struct proxy *proxy = c->conn.worker->proxy;

	if (c->older)
		c->older->newer = c->newer;
	else
		proxy->idle_oldest = c->newer;
	if (c->newer)
		c->newer->older = c->older;
	else
		proxy->idle_newest = c->older;
}

void
client_idle_link(struct client *c)
{
	struct proxy *proxy = c->conn.worker->proxy;

	c->newer = NULL;
	c->older = proxy->idle_newest;
	if (c->older)
		c->older->newer = c;
	else
		proxy->idle_oldest = c;
	proxy->idle_newest = c;
}

/* Of TLS, whole ones or the beginning of one: the socket no longer has them. */
static bool
has_records(const struct client *c)
{
	return c->conn.tls && (conn_tls_has_more(&c->conn) || tls_has_part(c->conn.tls));
}

/* Nothing of a next request is here, read or unread. */
static bool
client_is_silent(const struct client *c)
{
	char byte;

	return c->state == CLIENT_IDLE && !c->conn.in && !has_records(c) &&
	    recv(c->conn.read.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

bool
client_gives_way(const struct client *c)
{
	bool new = c->requests == 0 && c->conn.worker->now - c->accepted < NEW_NS;

	return !new &&client_is_silent(c);
}

bool
client_yields(const struct client *c)
{
	char byte;

	return atomic_load_explicit(&c->conn.worker->shared->yielding, memory_order_relaxed) &&
	    !c->conn.in && !has_records(c) &&
	    recv(c->conn.read.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

void
client_close_idle(struct client *c)
{
	if (c->h2)
		h2_connection_retire(c->h2);
	else if (client_is_silent(c))
		client_linger(c);
}

void
client_retire(struct client *c)
{
	if (c->h2) {
		h2_connection_retire(c->h2);
	} else if (client_is_silent(c)) { /* not one in TCP mode: it is never idle */
		client_close(c, false);
		return;
	}
	if (!c->retired)
		c->retired = snapshot_ref(c->listener->snapshot);
}
