/* turns.c - a queue in arrival order. */
#include "lbd/health/turns.h"

#include <stddef.h>

#include "common/check.h"

void
turns_init(struct turns *q, uint32_t limit)
{
	*q = (struct turns){ .limit = limit };
	q->end = &q->first;
}

void
turns_ask(struct turns *q, struct turn *t)
{
	CHECK(t->state == TURN_NONE);
	t->state = TURN_WAITING;
	t->next = NULL;
	*q->end = t;
	q->end = &t->next;
	q->n_waiting++;
}

static void
queue_remove(struct turns *q, struct turn *t)
{
	struct turn **at = &q->first;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (!t->next)
		q->end = at;
	q->n_waiting--;
}

void
turns_leave(struct turns *q, struct turn *t)
{
	if (t->state == TURN_WAITING)
		queue_remove(q, t);
	else if (t->state == TURN_RUNNING)
		q->n_running--;
	t->state = TURN_NONE;
}

void
turns_go(struct turns *q)
{
	struct turn *t;

	while (q->first && q->n_running < q->limit) {
		t = q->first;
		queue_remove(q, t);
		t->state = TURN_RUNNING;
		q->n_running++;
		t->run(t->owner);
	}
}
