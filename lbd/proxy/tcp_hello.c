/* tcp_hello.c - waits for the client's hello, looks at the name in it, and leaves it where it is. */
#include <errno.h>
#include <stdlib.h>

#include "lbd/proxy/route.h"
#include "lbd/proxy/tcp_session.h"
#include "lbd/tls/client_hello.h"
#include "lbd/tls/tls.h"

/* For the log; without memory it goes without. */
static void
name_keep(struct tcp_session *s, struct str name)
{
	if (name.n == 0)
		return;
	s->name = malloc(name.n);
	if (!s->name)
		return;
	memcpy(s->name, name.p, name.n);
	s->name_n = name.n;
}

static void
hello_done(struct tcp_session *s, struct str name)
{
	const struct route_config *route = route_find_name(s->client, name);

	name_keep(s, name);
	tcp_session_routed(s, route);
}

/* What is in `data` waits for the server. */
static void
hello_look(struct tcp_session *s, struct span data)
{
	struct conn *c = &s->client->conn;
	struct str name;
	ssize_t n = client_hello_name((struct str){ data.p, data.n }, c->worker->format, &name);

	if (n < 0)
		tcp_session_end(s, END_CLIENT_HELLO);
	else if (conn_keep(c, data.p, data.n) < 0)
		tcp_session_end(s, END_OUT_OF_MEMORY);
	else if (n > 0)
		hello_done(s, name);
	else if (c->eof)
		tcp_session_end(s, END_CLIENT_CLOSED);
	else
		conn_read_on(c);
}

void
tcp_hello_readable(struct tcp_session *s)
{
	struct conn *c = &s->client->conn;
	struct span data;
	ssize_t n = conn_read(c, &data, CLIENT_HELLO_MAX);

	if (n == -EAGAIN)
		conn_read_on(c);
	else if (n < 0 || data.n == 0)
		tcp_session_end(s, END_CLIENT_CLOSED);
	else
		hello_look(s, data);
}

/*
 * Who says nothing waits for the server to speak first, and asks for no name; who has begun to and does not go on is
 * of no use to any server.
 */
void
tcp_hello_expired(struct tcp_session *s)
{
	if (s->client->conn.in)
		tcp_session_end(s, END_CLIENT_HELLO_TIMEOUT);
	else
		hello_done(s, (struct str){ NULL, 0 });
}

void
tcp_hello_start(struct tcp_session *s)
{
	struct client *c = s->client;

	if (c->conn.tls) {
		hello_done(s, tls_name_asked(c->conn.tls));
	} else if (!s->listener->peeks) {
		hello_done(s, (struct str){ NULL, 0 });
	} else {
		s->phase = TCP_HELLO;
		conn_deadline(&c->conn, tcp_timeouts(s)->tls_handshake);
		if (c->conn.in)
			hello_look(s, conn_kept(&c->conn));
		else
			tcp_hello_readable(s);
	}
}
