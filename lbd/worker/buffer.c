/* buffer.c - free lists of five sizes, last in first out, so that warm memory is used again first. */
#include "lbd/worker/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static const uint32_t class_size[BUFFER_CLASSES] = {
	[BUFFER_TINY] = BUFFER_TINY_SIZE,
	[BUFFER_SMALL] = BUFFER_SMALL_SIZE,
	[BUFFER_MEDIUM] = BUFFER_MEDIUM_SIZE,
	[BUFFER_LARGE] = BUFFER_LARGE_SIZE,
	[BUFFER_HUGE] = BUFFER_HUGE_SIZE,
};

/* Free buffers kept of each size: at most 1.5 MiB each. */
static const uint32_t class_keep[BUFFER_CLASSES] = {
	[BUFFER_TINY] = 1024,
	[BUFFER_SMALL] = 256,
	[BUFFER_MEDIUM] = 64,
	[BUFFER_LARGE] = 16,
	[BUFFER_HUGE] = 2,
};

static enum buffer_class
class_for(size_t n)
{
	if (n <= BUFFER_TINY_SIZE)
		return BUFFER_TINY;
	if (n <= BUFFER_SMALL_SIZE)
		return BUFFER_SMALL;
	if (n <= BUFFER_MEDIUM_SIZE)
		return BUFFER_MEDIUM;
	return n <= BUFFER_LARGE_SIZE ? BUFFER_LARGE : BUFFER_HUGE;
}

void
buffer_pool_fini(struct buffer_pool *pool)
{
	struct buffer *b, *next;

	for (int class = 0; class < BUFFER_CLASSES; class ++) {
		for (b = pool->free[class]; b; b = next) {
			next = b->next_free;
			free(b);
		}
	}
	*pool = (struct buffer_pool){ 0 };
}

struct buffer *
buffer_get(struct buffer_pool *pool, size_t n)
{
	enum buffer_class class = class_for(n);
	struct buffer *b = pool->free[class];

	CHECK(n <= BUFFER_HUGE_SIZE);
	if (b) {
		pool->free[class] = b->next_free;
		pool->n_free[class]--;
	} else {
		b = malloc(sizeof(*b) + class_size[class]);
		if (!b)
			return NULL;
		b->size = class_size[class];
		b->class = class;
	}
	b->start = b->end = 0;
	pool->in_use += b->size;
	return b;
}

void
buffer_put(struct buffer_pool *pool, struct buffer **bp)
{
	struct buffer *b = *bp;

	*bp = NULL;
	if (!b)
		return;
	pool->in_use -= b->size;
	if (pool->n_free[b->class] >= class_keep[b->class]) {
		free(b);
		return;
	}
	b->next_free = pool->free[b->class];
	pool->free[b->class] = b;
	pool->n_free[b->class]++;
}

/* Makes room for n more bytes behind what is there. */
static int
buffer_grow(struct buffer_pool *pool, struct buffer **bp, size_t n)
{
	struct buffer *old = *bp, *b;
	size_t used = buffer_used(old);

	if (used + n > BUFFER_HUGE_SIZE)
		return -ENOBUFS;
	if (old && used + n <= old->size) {
		memmove(old->data, old->data + old->start, used);
		old->start = 0;
		old->end = (uint32_t)used;
		return 0;
	}
	b = buffer_get(pool, used + n);
	if (!b)
		return -ENOMEM;
	if (used)
		memcpy(b->data, old->data + old->start, used);
	b->end = (uint32_t)used;
	buffer_put(pool, bp);
	*bp = b;
	return 0;
}

int
buffer_append(struct buffer_pool *pool, struct buffer **bp, const char *p, size_t n)
{
	struct buffer *b = *bp;
	int err;

	if (!b || b->size - b->end < n) {
		err = buffer_grow(pool, bp, n);
		if (err)
			return err;
		b = *bp;
	}
	memcpy(b->data + b->end, p, n);
	b->end += (uint32_t)n;
	return 0;
}
