/* stats_table.c - chunk k holds CHUNK_FIRST << k items; the index is at most half full. */
#include "lbd/worker/stats_table.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/check.h"

enum { CHUNK_FIRST_BITS = 4, CHUNK_FIRST = 1 << CHUNK_FIRST_BITS, INDEX_FIRST = 64 };

struct stats_slot {
	uint64_t key;
	struct stats_item *item; /* NULL: free */
};

void
stats_table_init(struct stats_table *t, size_t item_size)
{
	*t = (struct stats_table){ .item_size = item_size };
}

void
stats_table_fini(struct stats_table *t)
{
	for (unsigned k = 0; k < STATS_CHUNKS; k++)
		free(atomic_load_explicit(&t->chunks[k], memory_order_relaxed));
	free(t->index);
	*t = (struct stats_table){ 0 };
}

/* Item i lies in chunk k at the returned offset: chunk k begins at item CHUNK_FIRST * (2^k - 1). */
static uint32_t
chunk_of(uint32_t i, unsigned *k)
{
	uint32_t v = i + CHUNK_FIRST;

	*k = 31u - (unsigned)__builtin_clz(v) - CHUNK_FIRST_BITS;
	return v - ((uint32_t)CHUNK_FIRST << *k);
}

void *
stats_table_at(const struct stats_table *t, uint32_t i)
{
	unsigned k;
	size_t at = chunk_of(i, &k);

	return atomic_load_explicit(&t->chunks[k], memory_order_acquire) + at * t->item_size;
}

uint32_t
stats_table_count(const struct stats_table *t)
{
	return atomic_load_explicit(&t->n, memory_order_acquire);
}

/* The slot that holds the key, or the free one where it belongs. */
static struct stats_slot *
slot_of(struct stats_slot *index, uint32_t size, uint64_t key)
{
	uint32_t i = (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (size - 1);

	while (index[i].item && index[i].key != key)
		i = (i + 1) & (size - 1);
	return &index[i];
}

static bool
index_grow(struct stats_table *t)
{
	uint32_t size = t->index_size ? t->index_size * 2 : INDEX_FIRST;
	struct stats_slot *index = calloc(size, sizeof(*index));

	if (!index)
		return false;
	for (uint32_t i = 0; i < t->index_size; i++)
		if (t->index[i].item)
			*slot_of(index, size, t->index[i].key) = t->index[i];
	free(t->index);
	t->index = index;
	t->index_size = size;
	return true;
}

static void *
item_add(struct stats_table *t, uint64_t key)
{
	uint32_t n = atomic_load_explicit(&t->n, memory_order_relaxed);
	unsigned k;
	struct stats_item *item;

	chunk_of(n, &k);
	if (k >= STATS_CHUNKS)
		return NULL;
	if (!atomic_load_explicit(&t->chunks[k], memory_order_relaxed)) {
		unsigned char *chunk = calloc((size_t)CHUNK_FIRST << k, t->item_size);

		if (!chunk)
			return NULL;
		atomic_store_explicit(&t->chunks[k], chunk, memory_order_release);
	}
	item = stats_table_at(t, n);
	item->key = key;
	*slot_of(t->index, t->index_size, key) = (struct stats_slot){ key, item };
	atomic_store_explicit(&t->n, n + 1, memory_order_release);
	return item;
}

void *
stats_table_find(struct stats_table *t, uint64_t key)
{
	if (t->index_size) {
		struct stats_slot *s = slot_of(t->index, t->index_size, key);

		if (s->item)
			return s->item;
	}
	if (stats_table_count(t) >= t->index_size / 2 && !index_grow(t))
		return NULL;
	return item_add(t, key);
}
