/*
 * buffer.h - bytes that must wait: what a socket did not take, or the start of a message that is not
 * complete.  Pooled per worker in five sizes.
 *
 * Bytes that can go on at once never see a buffer: they are handled in the worker's scratch memory.  So
 * an idle connection holds none.  A pool keeps some free ones of each size and returns the rest.
 */
#ifndef LBD_WORKER_BUFFER_H
#define LBD_WORKER_BUFFER_H

#include "common/str.h"

enum buffer_class {
	BUFFER_TINY,
	BUFFER_SMALL,
	BUFFER_MEDIUM,
	BUFFER_LARGE,
	BUFFER_HUGE,
	BUFFER_CLASSES
};
enum {
	BUFFER_TINY_SIZE = 1000, /* the usual request's head: many of them stay in the cache */
	BUFFER_SMALL_SIZE = 4096,
	BUFFER_MEDIUM_SIZE = 16384,
	BUFFER_LARGE_SIZE = 72 * 1024,
	BUFFER_HUGE_SIZE =
	    768 * 1024 /* holds all that a stream's window allows, or a turn leaves over */
};

struct buffer {
	struct buffer *next_free;
	uint32_t start, end; /* bytes in use: data[start, end) */
	uint32_t size;
	uint32_t class;
	char data[];
};

struct buffer_pool {
	struct buffer *free[BUFFER_CLASSES];
	uint32_t n_free[BUFFER_CLASSES];
	uint64_t in_use; /* bytes handed out */
};

void buffer_pool_fini(struct buffer_pool *);

/* An empty buffer with room for n bytes, n <= BUFFER_HUGE_SIZE.  NULL: out of memory. */
struct buffer *buffer_get(struct buffer_pool *, size_t n);

/* Clears *bp; NULL is fine. */
void buffer_put(struct buffer_pool *, struct buffer **bp);

/*
 * Appends n bytes, moving to a larger buffer when the present one is full; *bp may be NULL.
 * 0, -ENOMEM, or -ENOBUFS when it would exceed BUFFER_HUGE_SIZE: then nothing has changed.
 */
int buffer_append(struct buffer_pool *, struct buffer **bp, const char *p, size_t n);

static inline size_t
buffer_used(const struct buffer *b)
{
	return b ? b->end - b->start : 0;
}

/* What is in it; nothing without a buffer. */
static inline struct str
buffer_text(const struct buffer *b)
{
	return b ? (struct str){ b->data + b->start, b->end - b->start } : (struct str){ NULL, 0 };
}

/* Takes the first n of its bytes, of which there are as many.  True: none is left. */
static inline bool
buffer_take(struct buffer *b, char *to, size_t n)
{
	memcpy(to, b->data + b->start, n);
	b->start += (uint32_t)n;
	return b->start == b->end;
}

#endif
