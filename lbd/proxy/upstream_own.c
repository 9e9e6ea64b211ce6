/*
 * upstream_own.c - connections that serve one client's connection alone, since the server was told of it.
 *
 * They stand in the lists of their set like all others, so that whatever ends those ends them; and in the client's own,
 * where alone they are looked for.
 */
#include "lbd/proxy/h2_server.h"
#include "lbd/proxy/upstream_parts.h"

enum { OWN_IDLE_MAX = 5 }; /* that rest between the client's requests */

void
upstream_own_link(struct upstream *u, struct client *c)
{
	u->client = c;
	u->next_of = c->upstreams;
	u->prev_of = &c->upstreams;
	if (u->next_of)
		u->next_of->prev_of = &u->next_of;
	c->upstreams = u;
}

void
upstream_own_unlink(struct upstream *u)
{
	if (!u->client)
		return;
	*u->prev_of = u->next_of;
	if (u->next_of)
		u->next_of->prev_of = u->prev_of;
	u->client = NULL;
}

void
upstream_own_trim(const struct client *c)
{
	struct upstream *oldest = NULL;
	unsigned n = 0;

	for (struct upstream *u = c->upstreams; u; u = u->next_of) {
		if (u->state != UPSTREAM_IDLE)
			continue;
		oldest = u;
		n++;
	}
	if (n > OWN_IDLE_MAX)
		upstream_close(oldest);
}

struct upstream *
upstream_own_idle(const struct client *c, uint32_t slot)
{
	struct upstream *u, *next;

	for (u = c->upstreams; u; u = next) {
		next = u->next_of;
		if (u->slot != slot || u->state != UPSTREAM_IDLE || u->h2)
			continue;
		if (!ev_is_pending(&u->conn.read))
			return u;
		upstream_close(u);
	}
	return NULL;
}

/* Shared ones may be at work right now: they find themselves outdated at the end of the turn. */
void
upstreams_end(struct client *c)
{
	struct upstream *u;

	while ((u = c->upstreams)) {
		if (!u->h2) {
			upstream_close(u);
			continue;
		}
		upstream_own_unlink(u);
		u->generation = upstream_set_of(u)->generation - 1;
		h2_server_wake(u->h2);
	}
}
