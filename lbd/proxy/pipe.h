/*
 * pipe.h - pipes of one worker, through which bytes pass from socket to socket without being copied (splice(2)).
 *
 * A flow holds one only while there is something in it.  There are few: the kernel limits the memory that pipes of one
 * user may have.  Whoever gets none copies.
 */
#ifndef LBD_PROXY_PIPE_H
#define LBD_PROXY_PIPE_H

#include <stddef.h>
#include <stdint.h>

enum {
	PIPE_SIZE = 256 * 1024, /* less than 128 KiB wins nothing; docs/benchmark.md */
	PIPES_MAX = 32 /* of a worker */
};

struct pipe {
	struct pipe *next_free;
	int in, out; /* what is written to `in` comes out of `out` */
	size_t held; /* bytes that are in it */
};

struct pipe_pool {
	struct pipe *free;
	uint32_t n; /* all, those in use too */
	int64_t none_until; /* the kernel gave none: asked again then */
};

/* Empty.  NULL: there is none now. */
struct pipe *pipe_get(struct pipe_pool *, int64_t now);

/* Clears *pp; NULL is fine.  One that is not empty is closed. */
void pipe_put(struct pipe_pool *, struct pipe **pp);

/* None is in use any more. */
void pipe_pool_fini(struct pipe_pool *);

#endif
