/*
 * timer.c - the wheel: slot i holds the timers due in [k * 512 + i, + 1) slots, for one turn ahead.
 *
 * A deadline beyond the wheel's turn waits in the last slot and is linked again from there, which
 * costs an idle connection one touch in eight seconds.
 */
#include "lbd/worker/timer.h"

#include <stddef.h>

#include "common/check.h"

static unsigned
slot_of(int64_t due)
{
	return (unsigned)(due / TIMER_SLOT_NS) % TIMER_SLOTS;
}

void
timer_wheel_init(struct timer_wheel *w, int64_t now)
{
	*w = (struct timer_wheel){ .passed = now / TIMER_SLOT_NS * TIMER_SLOT_NS };
}

void
timer_remove(struct timer_wheel *w, struct timer *t)
{
	unsigned slot;

	if (!t->prev)
		return;
	slot = slot_of(t->due);
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	t->prev = NULL;
	if (!w->slot[slot])
		w->occupied[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

void
timer_link(struct timer_wheel *w, struct timer *t)
{
	int64_t last = w->passed + (TIMER_SLOTS - 1) * TIMER_SLOT_NS;
	unsigned slot;

	timer_remove(w, t);
	t->due = t->deadline;
	if (t->due > last)
		t->due = last;
	if (t->due < w->passed)
		t->due = w->passed;
	slot = slot_of(t->due);
	t->next = w->slot[slot];
	t->prev = &w->slot[slot];
	if (t->next)
		t->next->prev = &t->next;
	w->slot[slot] = t;
	w->occupied[slot / 64] |= UINT64_C(1) << slot % 64;
}

/* One slot: unlinks the dead, links again those that moved, returns the first that is due. */
static struct timer *
slot_expired(struct timer_wheel *w, unsigned slot, int64_t now)
{
	struct timer *t, *next;

	for (t = w->slot[slot]; t; t = next) {
		next = t->next;
		if (t->deadline == TIMER_NEVER) {
			timer_remove(w, t);
		} else if (t->deadline <= now) {
			timer_remove(w, t);
			return t;
		} else {
			timer_link(w, t);
		}
	}
	return NULL;
}

/* Slots from the one that `passed` stands at to the next occupied one; TIMER_SLOTS if there is none. */
static unsigned
slots_to_occupied(const struct timer_wheel *w)
{
	unsigned start = slot_of(w->passed), i, slot;
	uint64_t bits;

	for (i = 0; i < TIMER_SLOTS;) {
		slot = (start + i) % TIMER_SLOTS;
		bits = w->occupied[slot / 64] >> slot % 64;
		if (bits)
			return i + (unsigned)__builtin_ctzll(bits);
		i += 64 - slot % 64;
	}
	return TIMER_SLOTS;
}

/*
 * A slot is looked at only once it lies wholly in the past, so that what is linked again from it lands
 * in a later one and the walk ends.
 */
struct timer *
timer_expired(struct timer_wheel *w, int64_t now)
{
	int64_t end = now / TIMER_SLOT_NS * TIMER_SLOT_NS;
	struct timer *t;
	int64_t next;

	while (w->passed < end) {
		next = w->passed + slots_to_occupied(w) * TIMER_SLOT_NS;
		if (next >= end) {
			w->passed = end;
			break;
		}
		w->passed = next;
		t = slot_expired(w, slot_of(next), now);
		if (t)
			return t;
		w->passed = next + TIMER_SLOT_NS;
	}
	return NULL;
}

int64_t
timer_wheel_next(const struct timer_wheel *w)
{
	unsigned slots = slots_to_occupied(w);

	if (slots == TIMER_SLOTS)
		return TIMER_NEVER;
	return w->passed + (slots + 1) * TIMER_SLOT_NS;
}
