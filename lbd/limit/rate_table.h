/*
 * rate_table.h - how often each client may come: token buckets in a table of fixed size, shared by all workers.
 *
 * A bucket holds `burst` tokens and gets one back each interval; a request takes one, or is refused and takes
 * none.  It is one 64-bit atomic: the time at which it is full again (GCRA), with some bits of its key's
 * hash.  However many threads ask, what they are let through together is never more than burst + time / interval.
 *
 * A set has eight buckets in one cache line.  A key that finds none of its own takes over the one that is full again
 * the soonest, and what that owes as well (Space-Saving): a bucket that is full owes nothing and holds
 * nothing worth keeping.  So no bucket ever owes less than it did, and a client that is limited gains nothing
 * from others, however many, who drive it out; it is they who pay when more clients are owing than there
 * is room for.  Two keys of a set with the same 16 bits share a bucket.
 *
 * Pure but for the memory; `now` is an argument, from one clock, and may differ by some seconds between threads.
 */
#ifndef LBD_LIMIT_RATE_TABLE_H
#define LBD_LIMIT_RATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RATE_WAYS = 8, RATE_SET_SIZE = 64, RATE_BURST_MAX = 1000000 };

struct rate {
	uint32_t requests; /* in each period; at most one in a microsecond */
	uint32_t burst; /* 1..RATE_BURST_MAX; as many take less than 100 days */
	int64_t period_ns; /* 1 s, 1 min: at most an hour */
};

struct rate_table;

/* `size` in bytes: RATE_SET_SIZE at least, and what is beyond a multiple of that is left.  NULL: out of memory. */
struct rate_table *rate_table_new(struct rate, size_t size, int64_t now_ns);
void rate_table_free(struct rate_table **);

/*
 * One request of the key with that hash: 0 lets it through and takes a token; otherwise nothing changes, and it is
 * the time after which there will be one.
 */
int64_t rate_table_take(struct rate_table *, uint64_t hash, int64_t now_ns);

/* What rate_table_take would say. */
int64_t rate_table_ask(struct rate_table *, uint64_t hash, int64_t now_ns);

#endif
