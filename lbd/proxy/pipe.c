/* pipe.c - makes pipes large, keeps them for the next. */
#include "lbd/proxy/pipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"

static const int64_t ASK_AGAIN_NS = NS_PER_S;

static void
pipe_free(struct pipe_pool *pool, struct pipe *p)
{
	close(p->in);
	close(p->out);
	free(p);
	pool->n--;
}

/* A user who has many gets small ones only, and those are of no use. */
static struct pipe *
pipe_new(struct pipe_pool *pool)
{
	struct pipe *p = malloc(sizeof(*p));
	int fds[2];

	if (!p || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) {
		free(p);
		return NULL;
	}
	*p = (struct pipe){ .in = fds[1], .out = fds[0] };
	pool->n++;
	if (fcntl(p->in, F_SETPIPE_SZ, PIPE_SIZE) < PIPE_SIZE) {
		pipe_free(pool, p);
		return NULL;
	}
	return p;
}

struct pipe *
pipe_get(struct pipe_pool *pool, int64_t now)
{
	struct pipe *p = pool->free;

	if (p) {
		pool->free = p->next_free;
		return p;
	}
	if (pool->n == PIPES_MAX || now < pool->none_until)
		return NULL;
	p = pipe_new(pool);
	if (!p)
		pool->none_until = now + ASK_AGAIN_NS;
	return p;
}

void
pipe_put(struct pipe_pool *pool, struct pipe **pp)
{
	struct pipe *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	if (p->held) {
		pipe_free(pool, p);
		return;
	}
	p->next_free = pool->free;
	pool->free = p;
}

void
pipe_pool_fini(struct pipe_pool *pool)
{
	struct pipe *p;

	while ((p = pool->free)) {
		pool->free = p->next_free;
		pipe_free(pool, p);
	}
	CHECK(pool->n == 0);
}
