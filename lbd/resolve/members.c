/* members.c - a copy of the configuration, whose pools have other servers. */
#include "lbd/resolve/members.h"

#include <stdio.h>

#include "common/check.h"

enum { MEMBER_NAME_MAX = SERVER_KEY_MAX };

static const struct resolution *
known_of(const struct resolver *r, const struct server_config *s)
{
	const struct resolution *known = resolver_find(r, s->host, s->resolve_max);

	CHECK(known); /* resolver_add had this configuration */
	return known;
}

/* How many members it has; *named: how many servers have names. */
static uint32_t
members_count(const struct pool_config *p, const struct resolver *r, uint32_t *named)
{
	uint32_t n = 0;

	*named = 0;
	for (uint32_t i = 0; i < p->n_servers; i++) {
		bool is = server_is_named(&p->servers[i]);

		*named += is;
		n += is ? known_of(r, &p->servers[i])->n : 1;
	}
	return n;
}

static struct server_config
member(
    struct arena *arena, const struct server_config *s, const struct resolution *known, uint32_t i)
{
	const struct dns_address *a = &known->list[i].address;
	char text[ADDRESS_TEXT_MAX], name[MEMBER_NAME_MAX];
	struct server_config m = *s;
	int n;

	dns_address_format(a, text);
	n = snprintf(name, sizeof(name), "%.*s#%s", STR_ARG(s->name), text);
	CHECK(n > 0 && (size_t)n < sizeof(name)); /* validate.c saw to it */
	m.name = arena_str(arena, (struct str){ name, (size_t)n });
	m.of = s->name;
	m.late = resolution_is_late(known, i);
	m.address = dns_address_socket(a, s->port);
	m.address_text = arena_str(arena, (struct str){ text, address_format(&m.address, text) });
	return m;
}

static void
pool_expand(struct arena *arena, struct pool_config *p, const struct resolver *r)
{
	uint32_t named, n = members_count(p, r, &named);
	struct server_config *members;
	const struct server_config **unresolved;

	if (named == 0)
		return;
	members = arena_alloc(arena, (n + 1) * sizeof(*members));
	unresolved = arena_alloc(arena, named * sizeof(struct server_config *));
	if (!members || !unresolved)
		return;
	n = 0;
	for (uint32_t i = 0; i < p->n_servers; i++) {
		const struct server_config *s = &p->servers[i];
		const struct resolution *known = server_is_named(s) ? known_of(r, s) : NULL;

		if (!known)
			members[n++] = *s;
		else if (known->n == 0)
			unresolved[p->n_unresolved++] = s;
		for (uint32_t k = 0; known && k < known->n; k++)
			members[n++] = member(arena, s, known, k);
	}
	p->servers = members;
	p->n_servers = n;
	p->unresolved = unresolved;
}

struct lbd_config *
members_config(struct lbd_config *written, const struct resolver *r)
{
	struct lbd_config *c;

	if (!config_has_names(written))
		return config_ref(written);
	c = config_copy(written);
	if (!c)
		return NULL;
	for (uint32_t i = 0; i < c->n_pools; i++)
		pool_expand(c->arena, &c->pools[i], r);
	if (arena_failed(c->arena))
		config_unref(&c);
	return c;
}
