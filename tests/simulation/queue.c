/* queue.c - a binary heap. */
#include "tests/simulation/queue.h"

#include "common/check.h"

static bool
before(const struct due *a, const struct due *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->id < b->id;
}

uint64_t
queue_add(struct queue *q, struct due d)
{
	unsigned i = q->n++;

	CHECK(i < QUEUE_MAX);
	d.id = ++q->last_id;
	for (; i && before(&d, &q->heap[(i - 1) / 2]); i = (i - 1) / 2)
		q->heap[i] = q->heap[(i - 1) / 2];
	q->heap[i] = d;
	return d.id;
}

bool
queue_take(struct queue *q, struct due *d)
{
	struct due last;
	unsigned i = 0, child;

	if (!q->n)
		return false;
	*d = q->heap[0];
	last = q->heap[--q->n];
	while ((child = 2 * i + 1) < q->n) {
		if (child + 1 < q->n && before(&q->heap[child + 1], &q->heap[child]))
			child++;
		if (!before(&q->heap[child], &last))
			break;
		q->heap[i] = q->heap[child];
		i = child;
	}
	q->heap[i] = last;
	return true;
}
