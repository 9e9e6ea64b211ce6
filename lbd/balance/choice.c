/*
 * choice.c - columns of equal height, each filled by one or two members; Vose's way of filling
 * them.
 */
#include "lbd/balance/choice.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "lbd/balance/hash.h"

int
choice_init(struct choice *c, uint32_t n)
{
	*c = (struct choice){ .n = n };
	c->cut = calloc(n + 1, sizeof(*c->cut));
	c->other = calloc(n + 1, sizeof(*c->other));
	c->stack = calloc(n + 1, sizeof(*c->stack));
	return c->cut && c->other && c->stack ? 0 : -ENOMEM;
}

void
choice_fini(struct choice *c)
{
	free(c->cut);
	free(c->other);
	free(c->stack);
}

/*
 * `cut` starts as weight * n, of which `total` fill a column.  The stack holds members with too
 * little from its bottom up and those with too much from its top down.
 */
void
choice_build(struct choice *c, const uint32_t *weights)
{
	uint32_t i, poor, rich, n_poor = 0, first_rich = c->n;

	for (c->total = 0, i = 0; i < c->n; i++)
		c->total += weights[i];
	CHECK(c->total > 0);
	for (i = 0; i < c->n; i++) {
		c->cut[i] = (uint64_t)weights[i] * c->n;
		c->other[i] = i;
		if (c->cut[i] < c->total)
			c->stack[n_poor++] = i;
		else
			c->stack[--first_rich] = i;
	}
	while (n_poor && first_rich < c->n) {
		poor = c->stack[--n_poor];
		rich = c->stack[first_rich];
		c->other[poor] = rich;
		c->cut[rich] -= c->total - c->cut[poor];
		if (c->cut[rich] < c->total) {
			first_rich++;
			c->stack[n_poor++] = rich;
		}
	}
}

uint32_t
choice_pick(const struct choice *c, uint64_t number)
{
	unsigned __int128 scaled = (unsigned __int128)number * c->n;
	uint32_t column = (uint32_t)(scaled >> 64);

	return hash_scale((uint64_t)scaled, c->total) < c->cut[column] ? column : c->other[column];
}
