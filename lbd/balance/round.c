/*
 * round.c - two heaps: `waiting` holds members by the turn at which their next part of the round
 * begins, `due` those whose part has begun, by its end.
 *
 * A heap entry is one integer, key << 16 | member, so that ties go by member and comparing costs
 * nothing.  Part k of a member of weight w begins with turn ceil(k * W / w) and ends at (k + 1) / w
 * of the round, in units of 2^-32: two such fractions differ by more than that or not at all, so
 * rounding never swaps them.
 *
 * Somebody is always due: the sum over members of w * turn / W - taken is zero, so one of them has
 * had no more than its share.  Nobody's next round begins before this one has ended, so a round is
 * exact.
 */
#include "lbd/balance/round.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

int
round_init(struct round *r, uint32_t n)
{
	CHECK(n < 65536);
	*r = (struct round){ .n = n };
	r->weight = calloc(n + 1, sizeof(*r->weight));
	r->taken = calloc(n + 1, sizeof(*r->taken));
	r->members = calloc(n + 1, sizeof(*r->members));
	r->due = calloc(n + 1, sizeof(*r->due));
	r->waiting = calloc(n + 1, sizeof(*r->waiting));
	return r->weight && r->taken && r->members && r->due && r->waiting ? 0 : -ENOMEM;
}

void
round_fini(struct round *r)
{
	free(r->weight);
	free(r->taken);
	free(r->members);
	free(r->due);
	free(r->waiting);
}

/* Puts `entry` where there is a hole at `at`, moving larger parents down. */
static void
heap_up(struct round *r, uint64_t *heap, uint32_t at, uint64_t entry)
{
	uint32_t parent;

	for (; at > 0; at = parent) {
		r->work++;
		parent = (at - 1) / 2;
		if (heap[parent] <= entry)
			break;
		heap[at] = heap[parent];
	}
	heap[at] = entry;
}

static uint64_t
heap_pop(struct round *r, uint64_t *heap, uint32_t *n)
{
	uint64_t top = heap[0], entry = heap[--*n];
	uint32_t at = 0, child;

	for (; (child = 2 * at + 1) < *n; at = child) {
		r->work++;
		if (child + 1 < *n && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= entry)
			break;
		heap[at] = heap[child];
	}
	heap[at] = entry;
	return top;
}

static void
due_add(struct round *r, uint32_t i)
{
	uint64_t end = ((uint64_t)(r->taken[i] + 1) << 32) / r->weight[i];

	heap_up(r, r->due, r->n_due++, end << 16 | i);
}

/* The member's next part has begun, or will, or belongs to the next round. */
static void
member_place(struct round *r, uint32_t i)
{
	uint32_t w = r->weight[i];
	uint64_t begins = ((uint64_t)r->taken[i] * r->total + w - 1) / w;

	if (r->taken[i] == w)
		return;
	if (begins <= r->turn)
		due_add(r, i);
	else
		heap_up(r, r->waiting, r->n_waiting++, begins << 16 | i);
}

static void
members_place(struct round *r)
{
	uint32_t i;

	r->n_due = r->n_waiting = 0;
	for (i = 0; i < r->n; i++)
		if (r->weight[i])
			member_place(r, i);
}

static void
round_begin(struct round *r)
{
	memset(r->taken, 0, r->n * sizeof(*r->taken));
	r->turn = 0;
	members_place(r);
}

/* With equal weights a round is the members in order, each `weight` times over. */
static uint32_t
next_in_order(struct round *r)
{
	r->work++;
	if (r->turn >= r->n_members)
		r->turn = 0;
	return r->members[r->turn++];
}

static uint32_t
next_by_weight(struct round *r)
{
	uint32_t i;

	if (r->turn == r->total)
		round_begin(r);
	while (r->n_waiting && r->waiting[0] >> 16 <= r->turn)
		due_add(r, (uint32_t)heap_pop(r, r->waiting, &r->n_waiting) & 0xffff);
	CHECK(r->n_due > 0);
	i = (uint32_t)heap_pop(r, r->due, &r->n_due) & 0xffff;
	r->taken[i]++;
	r->turn++;
	member_place(r, i);
	return i;
}

uint32_t
round_next(struct round *r)
{
	uint32_t i;

	CHECK(r->n_members > 0);
	i = r->equal ? next_in_order(r) : next_by_weight(r);
	r->after_last = i + 1;
	return i;
}

/* What has been taken, member by member, where only the place in the order was kept. */
static void
order_to_taken(struct round *r)
{
	uint32_t i;

	memset(r->taken, 0, r->n * sizeof(*r->taken));
	for (i = 0; i < r->turn; i++)
		r->taken[r->members[i]] = 1;
}

static void
members_list(struct round *r)
{
	uint32_t i, first = 0, weight = 0;

	r->n_members = r->total = 0;
	r->equal = true;
	for (i = 0; i < r->n; i++) {
		if (!r->weight[i])
			continue;
		r->equal = r->equal && (!first || r->weight[i] == weight);
		first = 1;
		weight = r->weight[i];
		r->members[r->n_members++] = i;
		r->total += weight;
	}
}

/* On from whoever comes after the last. */
static void
order_resume(struct round *r)
{
	for (r->turn = 0; r->turn < r->n_members; r->turn++)
		if (r->members[r->turn] >= r->after_last)
			break;
}

void
round_update(struct round *r, const uint32_t *weights)
{
	uint64_t turn = r->turn, total = r->total;
	uint32_t i;

	if (memcmp(r->weight, weights, r->n * sizeof(*weights)) == 0)
		return;
	if (r->equal)
		order_to_taken(r);
	for (i = 0; i < r->n; i++)
		if (weights[i] != r->weight[i])
			r->taken[i] = total ? (uint32_t)(weights[i] * turn / total) : 0;
	memcpy(r->weight, weights, r->n * sizeof(*weights));
	members_list(r);
	if (r->equal) {
		order_resume(r);
		return;
	}
	for (r->turn = 0, i = 0; i < r->n; i++)
		r->turn += r->taken[i];
	members_place(r);
}
