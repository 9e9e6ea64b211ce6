/* proxied.c - from a header to a client's address, and back. */
#include "lbd/proxy/proxied.h"

#include <errno.h>

#include "common/log.h"
#include "lbd/tls/engine.h"
#include "lbd/tls/peer.h"

/* With what may be kept of a header no more than TLS takes at once. */
enum { READ_MAX = TLS_IN_SIZE - PROXY_HEADER_MAX };

bool
proxied_expected(const struct listener_config *l, const struct address *peer)
{
	if (l->proxied.all)
		return true;
	for (uint32_t i = 0; i < l->proxied.n_from; i++)
		if (network_holds(&l->proxied.from[i], peer))
			return true;
	return false;
}

void
proxied_enter(struct client *c)
{
	conn_deadline(&c->conn, c->listener->snapshot->config->timeouts.client_header);
	proxied_readable(c);
	if (conn_is_open(&c->conn) && c->state == CLIENT_PROXIED)
		conn_read_on(&c->conn);
}

void
proxied_refuse(struct client *c, enum proxy_fault why)
{
	counter_add(&c->stats->proxy_faults[why], 1);
	log_notice("proxy_header_refused", "listener=%s peer=%s reason=%s",
	    log_quoted(c->listener->conf->name).text, log_quoted(client_address(c)).text,
	    proxy_fault_name(why));
	client_close(c, false);
}

static struct address
address_of(const struct proxy_end *e)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct address a = { 0 };

	if (memcmp(e->ip, mapped, sizeof(mapped)) == 0) {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons(e->port);
		memcpy(&a.in.sin_addr, e->ip + sizeof(mapped), 4);
	} else {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons(e->port);
		memcpy(&a.in6.sin6_addr, e->ip, 16);
	}
	return a;
}

/* Somebody else's connection, or the proxy's own: a check, for instance. */
static void
believe(struct client *c, const struct proxy_header *h)
{
	struct address a = { .sa.sa_family = AF_UNIX };

	if (h->kind == PROXY_LOCAL)
		return;
	if (h->kind == PROXY_TCP) {
		a = address_of(&h->source);
		c->destination = h->destination;
		c->proxied = true;
	}
	client_set_address(c, &a);
}

void
proxied_readable(struct client *c)
{
	size_t kept = buffer_used(c->conn.in);
	struct proxy_header h;
	struct span data;
	ssize_t n = conn_read(&c->conn, &data, READ_MAX), eaten;

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		if (kept)
			proxied_refuse(c, PROXY_CLOSED);
		else
			client_close(c, false); /* it only looked whether we are here */
		return;
	}
	eaten = proxy_header_parse((struct str){ data.p, data.n }, &h);
	if (eaten < 0) {
		proxied_refuse(c, (enum proxy_fault) - eaten);
	} else if (eaten > 0) {
		conn_keep(&c->conn, NULL, 0);
		c->conn.bytes_read -= (uint64_t)eaten; /* of the proxy, not of the client */
		believe(c, &h);
		data = (struct span){ data.p + eaten, data.n - (size_t)eaten };
		client_admit(c, &data);
	} else if (conn_keep(&c->conn, data.p, data.n) < 0) {
		client_close(c, false);
	}
}

/* --- to servers --- */

/* Where the client's connection came to.  False: that is not known, or no internet address. */
static bool
local_end(const struct client *c, struct proxy_end *e)
{
	struct address a = { .len = sizeof(a.un) };

	if (getsockname(c->conn.read.fd, &a.sa, &a.len) < 0 || !address_ip(&a, e->ip))
		return false;
	e->port = ntohs(a.sa.sa_family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
	return true;
}

size_t
proxied_write(const struct client *c, unsigned version, char room[PROXY_FORMAT_MAX])
{
	struct proxy_header h = { .source = { .port = c->port }, .destination = c->destination };
	char common_name[PROXY_NAME_MAX];
	struct proxy_tls tls;

	memcpy(h.source.ip, c->ip, sizeof(c->ip));
	if (c->family != AF_UNIX && (c->proxied || local_end(c, &h.destination)))
		h.kind = PROXY_TCP;
	if (c->conn.tls)
		tls_peer_tell(c->conn.tls, &tls, common_name);
	return proxy_header_format(&h, version, c->conn.tls ? &tls : NULL, room);
}
