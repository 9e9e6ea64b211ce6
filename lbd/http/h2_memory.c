/* h2_memory.c - the C library's, with a count of what it really gave. */
#include "lbd/http/h2_memory.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

static void *
counted(struct h2_memory *m, void *p)
{
	if (p)
		m->used += malloc_usable_size(p);
	return p;
}

/* May so much more be used?  The allocator's rounding may have gone beyond the bound already. */
static bool
within(const struct h2_memory *m, size_t used, size_t n)
{
	return used <= m->most && n <= m->most - used;
}

static void *
memory_malloc(size_t n, void *arg)
{
	struct h2_memory *m = arg;

	return within(m, m->used, n) ? counted(m, malloc(n)) : NULL;
}

static void *
memory_calloc(size_t n, size_t size, void *arg)
{
	struct h2_memory *m = arg;
	size_t all;

	if (__builtin_mul_overflow(n, size, &all) || !within(m, m->used, all))
		return NULL;
	return counted(m, calloc(n, size));
}

static void
memory_free(void *p, void *arg)
{
	struct h2_memory *m = arg;

	if (p)
		m->used -= malloc_usable_size(p);
	free(p);
}

static void *
memory_realloc(void *p, size_t n, void *arg)
{
	struct h2_memory *m = arg;
	size_t before = p ? malloc_usable_size(p) : 0;
	void *moved;

	if (!within(m, m->used - before, n))
		return NULL;
	moved = realloc(p, n);
	if (!moved)
		return NULL;
	m->used -= before;
	return counted(m, moved);
}

nghttp2_mem
h2_memory_functions(struct h2_memory *m)
{
	return (nghttp2_mem){ m, memory_malloc, memory_free, memory_calloc, memory_realloc };
}
