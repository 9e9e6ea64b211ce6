/* arena.c - bump allocation in growing blocks; a block is never moved. */
#include "common/arena.h"

#include <stdlib.h>

enum { ARENA_BLOCK = 16384, ARENA_ALIGN = 16 };

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ARENA_ALIGN) unsigned char bytes[];
};

struct arena {
	struct block *blocks; /* newest first */
	bool failed;
};

struct arena *
arena_new(void)
{
	return calloc(1, sizeof(struct arena));
}

void
arena_free(struct arena **ap)
{
	struct arena *a = *ap;
	struct block *b, *next;

	*ap = NULL;
	if (!a)
		return;
	for (b = a->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

static struct block *
block_add(struct arena *a, size_t n)
{
	size_t size = n > ARENA_BLOCK / 4 ? n : ARENA_BLOCK;
	struct block *b = calloc(1, sizeof(*b) + size);

	if (!b) {
		a->failed = true;
		return NULL;
	}
	b->size = size;
	if (size == n && a->blocks) { /* a large one: keep filling the present block */
		b->next = a->blocks->next;
		a->blocks->next = b;
	} else {
		b->next = a->blocks;
		a->blocks = b;
	}
	return b;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct block *b = a->blocks;
	void *p;

	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (!b || b->size - b->used < n)
		b = block_add(a, n);
	if (!b)
		return NULL;
	p = b->bytes + b->used;
	b->used += n;
	return p;
}

struct str
arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (!p)
		return (struct str){ NULL, 0 };
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

bool
arena_failed(const struct arena *a)
{
	return a->failed;
}
