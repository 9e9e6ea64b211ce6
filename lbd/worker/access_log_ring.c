/*
 * access_log_ring.c - an entry never wraps: if it does not fit before the end of the memory, the
 * rest is skipped by an entry of size 0 and it goes to the beginning.
 */
#include "lbd/worker/access_log_ring.h"

#include <errno.h>
#include <stdlib.h>

#include "lbd/worker/access_log_fields.h"

enum { RING_MIN = 4096, RING_ALIGN = 16 };

struct entry {
	_Alignas(RING_ALIGN)
	    size_t size; /* of all of it, a multiple of RING_ALIGN; 0: skip to the start */
	struct access_record record;
};

_Static_assert(sizeof(struct entry) % RING_ALIGN == 0, "entries follow each other");

int
access_ring_init(struct access_ring *r, size_t size)
{
	*r = (struct access_ring){ .size = RING_MIN };
	while (r->size < size)
		r->size *= 2;
	r->bytes = aligned_alloc(RING_ALIGN, r->size);
	return r->bytes ? 0 : -ENOMEM;
}

void
access_ring_fini(struct access_ring *r)
{
	free(r->bytes);
	r->bytes = NULL;
}

static struct entry *
entry_at(const struct access_ring *r, size_t position)
{
	return (struct entry *)(void *)(r->bytes + (position & (r->size - 1)));
}

/* What a slice takes: one byte more than its maximum tells the formatter that it was cut. */
static size_t
slice_size(struct str s, size_t max)
{
	return s.n > max ? max + 1 : s.n;
}

static size_t
entry_size(const struct access_record *record)
{
	size_t n = sizeof(struct entry);

#define FIELD_SIZE(name, max) n += slice_size(record->name, max);
	ACCESS_FIELDS(FIELD_SIZE)
	return (n + RING_ALIGN - 1) & ~(size_t)(RING_ALIGN - 1);
}

static char *
slice_copy(struct str *s, size_t max, char *to)
{
	s->n = slice_size(*s, max);
	if (s->n)
		memcpy(to, s->p, s->n);
	s->p = to;
	return to + s->n;
}

static void
entry_fill(struct entry *e, size_t size, const struct access_record *record)
{
	char *to = (char *)(e + 1);

	e->size = size;
	e->record = *record;
#define FIELD_COPY(name, max) to = slice_copy(&e->record.name, max, to);
	ACCESS_FIELDS(FIELD_COPY)
}

/* Free bytes; the consumer's line is read only when what is known does not suffice. */
static bool
has_room(struct access_ring *r, size_t head, size_t n)
{
	if (r->size - (head - r->tail_seen) >= n)
		return true;
	r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
	return r->size - (head - r->tail_seen) >= n;
}

void
access_ring_put(struct access_ring *r, const struct access_record *record)
{
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	size_t to_end = r->size - (head & (r->size - 1));
	size_t n = entry_size(record), skip = to_end < n ? to_end : 0;

	if (n > r->size || !has_room(r, head, skip + n)) {
		counter_add(&r->dropped, 1);
		return;
	}
	if (skip)
		entry_at(r, head)->size = 0;
	entry_fill(entry_at(r, head + skip), n, record);
	atomic_store_explicit(&r->head, head + skip + n, memory_order_release);
	r->dirty = true;
}

bool
access_ring_publish(struct access_ring *r)
{
	if (!r->dirty)
		return false;
	r->dirty = false;
	/* sequentially consistent, against the consumer that goes to sleep and looks once more */
	atomic_store(&r->head, atomic_load_explicit(&r->head, memory_order_relaxed));
	return true;
}

bool
access_ring_half_full(const struct access_ring *r)
{
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	return atomic_load_explicit(&r->head, memory_order_relaxed) - tail > r->size / 2;
}

size_t
access_ring_end(const struct access_ring *r)
{
	return atomic_load(&r->head);
}

const struct access_record *
access_ring_first(struct access_ring *r, size_t end)
{
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail == end)
		return NULL;
	if (entry_at(r, tail)->size == 0) { /* an entry always follows a skip */
		tail += r->size - (tail & (r->size - 1));
		atomic_store_explicit(&r->tail, tail, memory_order_release);
	}
	return &entry_at(r, tail)->record;
}

void
access_ring_pop(struct access_ring *r)
{
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	atomic_store_explicit(&r->tail, tail + entry_at(r, tail)->size, memory_order_release);
}

bool
access_ring_empty(const struct access_ring *r)
{
	return access_ring_end(r) == atomic_load_explicit(&r->tail, memory_order_relaxed);
}
