/* admission.c - from configuration, head and client to a verdict. */
#include "lbd/proxy/admission.h"

#include "common/clock.h"
#include "lbd/limit/network_tree.h"
#include "lbd/proxy/client_limit.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/requester.h"

static bool
may_come(const struct access_config *a, const uint8_t ip[16])
{
	switch ((enum access_verdict)network_tree_find(a->tree, ip)) {
	case ACCESS_ALLOW:
		return true;
	case ACCESS_DENY:
		return false;
	case ACCESS_UNLISTED:
		return a->n_allow == 0;
	}
	return false;
}

/* Which client is it?  False: it has no address. */
static bool
hash_client(const struct client *c, const struct client_prefix *prefix, uint64_t *hash)
{
	uint8_t ip[16];

	if (!requester_ip(c, ip))
		return false;
	network_mask(ip, client_prefix_bits(prefix, ip));
	*hash = keyed_hash(&c->conn.worker->proxy->shared->secret, ip, sizeof(ip));
	return true;
}

/* --- a connection --- */

/* Unix sockets have permissions of their own. */
static bool
is_welcome(const struct client *c)
{
	const struct access_config *a = &c->listener->conf->access;

	return !a->tree || c->family == AF_UNIX || requester_is_trusted(c) || may_come(a, c->ip);
}

/* limits.connections_per_client; clients of unix sockets have no address to count by. */
static bool
is_within_limit(struct client *c)
{
	const struct limits_config *limits = &c->listener->snapshot->config->limits;
	uint8_t ip[16];

	if (limits->connections_per_client == 0 || c->family == AF_UNIX)
		return true;
	memcpy(ip, c->ip, sizeof(ip));
	network_mask(ip, client_prefix_bits(&limits->client_prefix, ip));
	c->counted = client_limit_enter(
	    c->conn.worker->proxy->shared->limit, ip, limits->connections_per_client);
	return c->counted;
}

/* Before TLS, and in TCP mode, there is no way to say why. */
static bool
can_answer(const struct client *c)
{
	return !c->listener->tls && c->listener->conf->protocol == LISTENER_HTTP;
}

static void
refuse_beyond_limit(struct client *c)
{
	if (can_answer(c)) {
		exchange_refuse(c, NULL, END_CLIENT_LIMIT);
		return;
	}
	exchange_refuse_silently(c, END_CLIENT_LIMIT);
	client_close(c, false);
}

static uint32_t
whole_seconds(int64_t ns)
{
	return (uint32_t)((ns + NS_PER_S - 1) / NS_PER_S);
}

/* An empty answer would look complete, and a reset leaves nothing behind in the kernel. */
static void
refuse_beyond_rate(struct client *c, int64_t wait)
{
	if (can_answer(c)) {
		exchange_refuse_for(c, END_RATE_LIMIT, whole_seconds(wait));
		return;
	}
	exchange_refuse_silently(c, END_RATE_LIMIT);
	client_close(c, true);
}

/*
 * 0, or the time until the connection may come.  Who may speak for others is not counted: its clients are, by their
 * requests.
 */
static int64_t
connection_wait(const struct client *c)
{
	const struct rate_limit_config *r = &c->listener->conf->rate_limit;
	uint64_t hash;

	if (!r->connections.table || requester_is_trusted(c) || !hash_client(c, &r->prefix, &hash))
		return 0;
	return rate_table_take(r->connections.table, hash, c->conn.worker->now);
}

bool
admission_connection(struct client *c)
{
	int64_t wait;

	if (!is_welcome(c)) {
		exchange_refuse_silently(c, END_ACCESS_DENIED);
		client_close(c, true);
		return false;
	}
	if (!is_within_limit(c)) {
		refuse_beyond_limit(c);
		return false;
	}
	wait = connection_wait(c);
	if (wait) {
		refuse_beyond_rate(c, wait);
		return false;
	}
	return true;
}

/* --- a request --- */

/* Which bucket is the request's?  False: none, it has no address. */
static bool
hash_of(const struct client *c, const struct rate_limit_config *r, uint64_t *hash)
{
	const struct worker *w = c->conn.worker;
	struct str value = { NULL, 0 };

	switch (r->key) {
	case RATE_TOGETHER:
		*hash = 0;
		return true;
	case RATE_BY_HEADER:
		value = head_value(&w->head, r->header);
		break;
	case RATE_BY_CLIENT:
		break;
	}
	if (value.n == 0)
		return hash_client(c, &r->prefix, hash);
	*hash = ~keyed_hash(&w->proxy->shared->secret, value.p, value.n); /* no address has that */
	return true;
}

/* 0, or the time until the request may come. */
static int64_t
rate_wait(const struct client *c, const struct rate_limit_config *r, bool take)
{
	int64_t now = c->conn.worker->now;
	uint64_t hash;

	if (!r->requests.table || !hash_of(c, r, &hash))
		return 0;
	return take ? rate_table_take(r->requests.table, hash, now)
		    : rate_table_ask(r->requests.table, hash, now);
}

/* Who is refused by one of two limits takes no token of the other. */
static int64_t
rates_wait(
    const struct client *c, const struct rate_limit_config *l, const struct rate_limit_config *r)
{
	int64_t wait = r && r->requests.table && l->requests.table ? rate_wait(c, r, false) : 0;

	if (wait == 0)
		wait = rate_wait(c, l, true);
	if (wait == 0 && r)
		wait = rate_wait(c, r, true);
	return wait;
}

enum termination
admission_request(const struct client *c, const struct route_config *route, uint32_t *retry_after_s)
{
	const struct listener_config *l = c->listener->conf;
	uint8_t ip[16];
	int64_t wait;

	if (l->access.tree && requester_ip(c, ip) && !may_come(&l->access, ip))
		return END_ACCESS_DENIED;
	if (!l->rate_limit.requests.table && !(route && route->rate_limit.requests.table))
		return END_OK;
	wait = rates_wait(c, &l->rate_limit, route ? &route->rate_limit : NULL);
	if (wait == 0)
		return END_OK;
	*retry_after_s = whole_seconds(wait);
	return END_RATE_LIMIT;
}
