/* connection_list.c - walks a worker's clients. */
#include "lbd/proxy/connection_list.h"

#include <string.h>

#include "common/check.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/tcp_session.h"

static const char *
state_name(const struct client *c)
{
	switch ((enum client_state)c->state) {
	case CLIENT_PROXIED:
		return "proxy_header";
	case CLIENT_HANDSHAKE:
		return "handshake";
	case CLIENT_IDLE:
		return "idle";
	case CLIENT_HEAD:
		return "head";
	case CLIENT_EXCHANGE:
		if (c->tcp)
			return "tcp";
		return c->exchange && c->exchange->tunnel ? "tunnel" : "exchange";
	case CLIENT_LINGER:
		return "linger";
	}
	CHECK_NEVER();
}

static void
row_fill(struct connection_row *row, const struct client *c)
{
	const struct exchange *x = c->exchange;
	const struct tcp_session *t = c->tcp;

	*row = (struct connection_row){
		.client_n = c->address_n,
		.state = state_name(c),
		.listener = (uint16_t)c->listener->conf->id,
		.pool = x && x->pool ? (uint16_t)x->pool->conf->id : STATS_NO_POOL,
		.server = x && x->server ? (uint16_t)x->server->id : STATS_NO_SERVER,
		.age_ns = c->conn.worker->now - c->accepted,
		.requests = c->requests,
		.bytes_in = c->conn.bytes_read,
		.bytes_out = c->conn.bytes_sent,
	};
	if (t && t->pool)
		row->pool = (uint16_t)t->pool->conf->id;
	if (t && t->server)
		row->server = (uint16_t)t->server->id;
	memcpy(row->client, c->address, c->address_n);
}

uint32_t
connection_list(const struct worker *w, struct connection_row *rows, uint32_t max)
{
	uint32_t n = 0;

	for (const struct client *c = w->proxy->clients; c && n < max; c = c->next)
		row_fill(&rows[n++], c);
	return n;
}
