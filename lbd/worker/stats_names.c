/* stats_names.c - three spaces of interned names; an id is the number of the name in its space. */
#include <errno.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/check.h"
#include "lbd/worker/stats.h"

struct name_space {
	struct str *names; /* by id */
	uint32_t n, size, max;
	uint32_t *index; /* id + 1, 0: free; 2 * size entries, open addressing */
};

struct stats_names {
	struct arena *arena;
	struct name_space listeners, pools, servers;
};

struct stats_names *
stats_names_new(void)
{
	struct stats_names *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->arena = arena_new();
	s->listeners.max = STATS_LISTENERS_MAX;
	s->pools.max = STATS_POOLS_MAX;
	s->servers.max = STATS_SERVERS_MAX;
	if (!s->arena)
		stats_names_free(&s);
	return s;
}

static void
space_fini(struct name_space *s)
{
	free(s->names);
	free(s->index);
}

void
stats_names_free(struct stats_names **sp)
{
	struct stats_names *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	space_fini(&s->listeners);
	space_fini(&s->pools);
	space_fini(&s->servers);
	arena_free(&s->arena);
	free(s);
}

static uint32_t
name_hash(struct str name)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 16777619u;
	return h;
}

/* Where in the index the name is, or the free place where it belongs. */
static uint32_t *
space_place(const struct name_space *s, struct str name)
{
	uint32_t mask = 2 * s->size - 1, i = name_hash(name) & mask;

	while (s->index[i] && !str_eq(s->names[s->index[i] - 1], name))
		i = (i + 1) & mask;
	return &s->index[i];
}

static bool
space_grow(struct name_space *s)
{
	uint32_t size = s->size ? 2 * s->size : 16;
	uint32_t *index = calloc(2 * (size_t)size, sizeof(*index));
	struct str *names = index ? realloc(s->names, size * sizeof(*names)) : NULL;

	if (!names) {
		free(index);
		return false;
	}
	free(s->index);
	s->names = names;
	s->index = index;
	s->size = size;
	for (uint32_t id = 0; id < s->n; id++)
		*space_place(s, names[id]) = id + 1;
	return true;
}

static int
space_id(struct name_space *s, struct arena *arena, struct str name)
{
	uint32_t *place = s->size ? space_place(s, name) : NULL;

	if (place && *place)
		return (int)*place - 1;
	if (s->n == s->max)
		return -ENOSPC;
	if (s->n == s->size && !space_grow(s))
		return -ENOMEM;
	name = arena_str(arena, name);
	if (!name.p)
		return -ENOMEM;
	place = space_place(s, name);
	s->names[s->n] = name;
	*place = ++s->n;
	return (int)s->n - 1;
}

int
stats_listener_id(struct stats_names *s, struct str name)
{
	return space_id(&s->listeners, s->arena, name);
}

int
stats_pool_id(struct stats_names *s, struct str name)
{
	return space_id(&s->pools, s->arena, name);
}

/* Servers are interned as "pool/server": no pool's name has a slash. */
int
stats_server_id(struct stats_names *s, struct str pool, struct str server)
{
	size_t n = pool.n + 1 + server.n;
	char *key = malloc(n);
	int id;

	if (!key)
		return -ENOMEM;
	memcpy(key, pool.p, pool.n);
	key[pool.n] = '/';
	memcpy(key + pool.n + 1, server.p, server.n);
	id = space_id(&s->servers, s->arena, (struct str){ key, n });
	free(key);
	return id;
}

struct str
stats_listener_name(const struct stats_names *s, uint32_t id)
{
	CHECK(id < s->listeners.n);
	return s->listeners.names[id];
}

struct str
stats_pool_name(const struct stats_names *s, uint32_t id)
{
	if (id == STATS_NO_POOL)
		return STR("");
	CHECK(id < s->pools.n);
	return s->pools.names[id];
}

struct str
stats_server_name(const struct stats_names *s, uint32_t id)
{
	struct str key;
	const char *slash;

	if (id == STATS_NO_SERVER)
		return STR("");
	CHECK(id < s->servers.n);
	key = s->servers.names[id];
	slash = memchr(key.p, '/', key.n);
	CHECK(slash);
	return str_skip(key, (size_t)(slash + 1 - key.p));
}
