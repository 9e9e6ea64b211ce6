/*
 * stats_table.h - items found by a 64-bit key: one thread finds and adds, another walks meanwhile.
 *
 * Items are only ever added and never move, in chunks of growing size.  The hash index belongs to
 * the writer alone, so it may grow freely; a walker goes by number up to the published count.
 */
#ifndef LBD_WORKER_STATS_TABLE_H
#define LBD_WORKER_STATS_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The first member of every item. */
struct stats_item {
	uint64_t key;
};

enum { STATS_CHUNKS = 24 };

struct stats_table {
	size_t item_size;
	_Atomic uint32_t n;
	_Atomic(unsigned char *) chunks[STATS_CHUNKS];
	struct stats_slot *index; /* the writer's; open addressing, a power of two */
	uint32_t index_size;
};

void stats_table_init(struct stats_table *, size_t item_size);
void stats_table_fini(struct stats_table *);

/* Writer: the item of that key, made and zeroed on first use.  NULL: out of memory. */
void *stats_table_find(struct stats_table *, uint64_t key);

/* Anyone: items 0..count-1. */
uint32_t stats_table_count(const struct stats_table *);
void *stats_table_at(const struct stats_table *, uint32_t i);

#endif
