/* test_mailbox.c - letters from several threads: all arrive, each sender's in order, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>

#include "lbd/worker/mailbox.h"

enum { SENDERS = 4, LETTERS = 5000 };

struct numbered {
	struct letter letter;
	int sender, number;
};

static struct numbered letters[SENDERS][LETTERS];
static int next[SENDERS], opened;
static struct mailbox box;

static void
open_numbered(struct letter *l, void *owner)
{
	struct numbered *n = (struct numbered *)l;

	assert_ptr_equal(owner, &box);
	assert_int_equal(n->number, next[n->sender]);
	next[n->sender]++;
	if (++opened == SENDERS * LETTERS)
		ev_break(box.loop, EVBREAK_ALL);
}

static void *
send_all(void *arg)
{
	struct numbered *mine = arg;

	for (int i = 0; i < LETTERS; i++)
		mailbox_post(&box, &mine[i].letter);
	return NULL;
}

static void
every_letter_arrives_in_order(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	pthread_t threads[SENDERS];

	(void)state;
	mailbox_init(&box, loop, &box);
	ev_ref(loop);
	for (int s = 0; s < SENDERS; s++) {
		for (int i = 0; i < LETTERS; i++)
			letters[s][i] = (struct numbered){ { .open = open_numbered }, s, i };
		assert_int_equal(pthread_create(&threads[s], NULL, send_all, letters[s]), 0);
	}
	ev_run(loop, 0);
	for (int s = 0; s < SENDERS; s++)
		pthread_join(threads[s], NULL);
	assert_int_equal(opened, SENDERS * LETTERS);
	mailbox_fini(&box);
	ev_loop_destroy(loop);
}

static void
the_last_letters_are_opened_at_the_end(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);

	(void)state;
	opened = next[0] = 0;
	mailbox_init(&box, loop, &box);
	mailbox_post(&box, &letters[0][0].letter);
	mailbox_post(&box, &letters[0][1].letter);
	mailbox_fini(&box);
	assert_int_equal(opened, 2);
	ev_loop_destroy(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_letter_arrives_in_order),
		cmocka_unit_test(the_last_letters_are_opened_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
