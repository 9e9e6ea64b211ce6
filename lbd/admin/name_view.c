/* name_view.c - runs of members in a pool's servers. */
#include "lbd/admin/name_view.h"

bool
name_view_next(const struct pool_config *p, struct name_view *v)
{
	const struct server_config *s = v->members ? v->members + v->n : p->servers;
	const struct server_config *end = p->servers + p->n_servers, *first;

	while (s < end && s->of.n == 0)
		s++;
	if (s == end)
		return false;
	for (first = s; s < end && str_eq(s->of, first->of); s++)
		;
	*v = (struct name_view){ first->of, first, (uint32_t)(s - first), first->weight };
	return true;
}

bool
name_view_find(const struct pool_config *p, struct str name, struct name_view *v)
{
	*v = (struct name_view){ 0 };
	while (name_view_next(p, v))
		if (str_eq(v->name, name))
			return true;
	for (uint32_t i = 0; i < p->n_unresolved; i++) {
		const struct server_config *s = p->unresolved[i];

		*v = (struct name_view){ .name = s->name, .weight = s->weight };
		if (str_eq(v->name, name))
			return true;
	}
	return false;
}

int
name_view_slot(const struct server_table *t, const struct pool_config *p, const struct name_view *v)
{
	return server_table_find(t, p->name, v->name);
}

bool
name_view_drained(
    const struct server_table *t, const struct pool_config *p, const struct name_view *v)
{
	int slot = name_view_slot(t, p, v);

	if (slot < 0 || server_operating(t, (uint32_t)slot))
		return false;
	for (uint32_t i = 0; i < v->n; i++)
		if (!server_drained(t, v->members[i].slot))
			return false;
	return true;
}
