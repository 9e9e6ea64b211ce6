/* affinity.c - values are written into a room of the worker's own; fields in the head point to them. */
#include "lbd/proxy/affinity.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/balance/sticky.h"
#include "lbd/http/cookie.h"
#include "lbd/proxy/requester.h"
#include "lbd/route/target.h"

enum { COOKIE_ROOM = 64 * 1024 /* all cookies of a head, of which there are 60k at most */ };

/* --- what is hashed --- */

static struct str
cookie_value(const struct http_head *head, struct str name)
{
	struct str value;

	for (unsigned i = 0; i < head->n_fields; i++)
		if (head->fields[i].id == FIELD_COOKIE &&
		    cookie_find(head->fields[i].value, name, &value))
			return value;
	return (struct str){ NULL, 0 };
}

/* A target without a path, "http://host?query", is hashed as "/". */
static struct str
key_of(const struct http_head *head, const struct pool_config *p)
{
	switch (p->hash_by) {
	case HASH_CLIENT_IP:
		break;
	case HASH_HEADER:
		return head_value(head, p->hash_name);
	case HASH_COOKIE:
		return cookie_value(head, p->hash_name);
	case HASH_URI:
		return head->target_slash ? STR("/") : head->target;
	case HASH_PATH:
		return head->target_slash ? STR("/") : target_path(head->target);
	}
	return (struct str){ NULL, 0 };
}

static uint64_t
hash_of(const struct exchange *x)
{
	struct str key = key_of(&exchange_worker(x)->head, x->pool->conf);
	uint8_t ip[16] = { 0 }; /* of whoever has no address */

	if (key.n)
		return balance_hash(key.p, key.n);
	requester_ip(x->client, ip);
	return balance_hash(ip, sizeof(ip));
}

/* --- the cookie --- */

/* Takes ours out of one Cookie field; *room is where what is left of it may stand. */
static void
cookie_read(struct exchange *x, struct http_field *f, char **room)
{
	struct str values[COOKIE_VALUES];
	size_t left;
	unsigned n = cookie_take(f->value, x->pool->conf->stickiness.name, values, *room, &left);

	if (n == 0)
		return;
	for (unsigned i = 0; i < n && i < COOKIE_VALUES && x->sticky < 0; i++)
		x->sticky = sticky_find(x->pool->sticky, values[i]);
	if (x->sticky < 0)
		x->sticky = STICKY_UNKNOWN;
	f->value = (struct str){ *room, left };
	f->verbatim = false;
	f->one_hop = f->one_hop || left == 0;
	*room += left;
}

static enum termination
cookies_read(struct exchange *x)
{
	struct proxy *proxy = exchange_worker(x)->proxy;
	struct http_head *head = &exchange_worker(x)->head;
	char *room;

	if (!proxy->cookie_room)
		proxy->cookie_room = malloc(COOKIE_ROOM);
	if (!proxy->cookie_room)
		return END_OUT_OF_MEMORY;
	room = proxy->cookie_room;
	for (unsigned i = 0; i < head->n_fields; i++) {
		struct http_field *f = &head->fields[i];

		if (f->id != FIELD_COOKIE)
			continue;
		CHECK(f->value.n <= (size_t)(proxy->cookie_room + COOKIE_ROOM - room));
		cookie_read(x, f, &room);
	}
	return END_OK;
}

enum termination
affinity_read(struct exchange *x)
{
	const struct pool_config *p = x->pool->conf;

	if (balance_hashes(p->algorithm))
		x->hash = hash_of(x);
	return x->pool->sticky ? cookies_read(x) : END_OK;
}

bool
affinity_holds(const struct exchange *x)
{
	for (uint32_t i = 0; i < x->tried.n; i++)
		if (x->tried.index[i] == (uint32_t)x->sticky)
			return false;
	return server_keeps(exchange_worker(x)->servers, x->pool->conf->servers[x->sticky].slot);
}

static bool
is_secure(const struct exchange *x)
{
	switch (x->pool->conf->stickiness.secure) {
	case SECURE_AUTO:
		return x->client->conn.tls != NULL;
	case SECURE_ALWAYS:
		return true;
	case SECURE_NEVER:
		return false;
	}
	CHECK_NEVER();
}

static void
cookie_give(struct exchange *x, uint32_t index)
{
	const struct stickiness_config *s = &x->pool->conf->stickiness;
	char *room = exchange_worker(x)->proxy->cookie_room;
	struct http_head *head = &exchange_worker(x)->head;
	struct writer out = { room, room + COOKIE_ROOM, false };

	cookie_write(&out, s->name, sticky_word(x->pool->sticky, index),
	    &(struct cookie_attributes){
		.domain = s->domain,
		.path = s->path,
		.max_age_s = s->ttl / NS_PER_S,
		.same_site = s->same_site,
		.secure = is_secure(x),
		.http_only = s->http_only,
	    });
	if (head_add_field(head, STR("Set-Cookie"), (struct str){ room, (size_t)(out.p - room) }))
		head_add_field(head, STR("Cache-Control"), STR("private"));
}

static enum stats_sticky
outcome_of(const struct exchange *x, uint32_t index)
{
	if (x->sticky < 0)
		return x->sticky == STICKY_UNKNOWN ? STATS_STICKY_UNKNOWN : STATS_STICKY_NEW;
	return (uint32_t)x->sticky == index ? STATS_STICKY_KEPT : STATS_STICKY_MOVED;
}

void
affinity_tell(struct exchange *x)
{
	uint32_t index;
	enum stats_sticky outcome;

	if (!x->pool->sticky)
		return;
	index = (uint32_t)(x->server - x->pool->conf->servers);
	outcome = outcome_of(x, index);
	counter_add(&x->pool->stats->sticky[outcome], 1);
	if (outcome != STATS_STICKY_KEPT)
		cookie_give(x, index);
}
