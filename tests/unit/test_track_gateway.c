/* test_track_gateway.c - a gateway by the verdicts of its probes, which the test hands out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

#include "common/log.h"
#include "hafailover/track/track_gateway.h"

struct probe {
	struct probe_question question;
	void (*done)(void *owner, const struct probe_result *);
	void *owner;
};

static struct ev_loop *loop;
static struct probe *asked;
static unsigned questions, changes;
static bool no_memory;

struct probe *
probe_start(struct ev_loop *l, struct neighbour_table *neighbours, const struct probe_question *q,
    void (*done)(void *owner, const struct probe_result *), void *owner)
{
	(void)l;
	(void)neighbours;
	assert_null(asked); /* one at a time */
	questions++;
	if (no_memory)
		return NULL;
	asked = calloc(1, sizeof(*asked));
	assert_non_null(asked);
	*asked = (struct probe){ *q, done, owner };
	return asked;
}

void
probe_free(struct probe **pp)
{
	if (*pp)
		asked = NULL;
	free(*pp);
	*pp = NULL;
}

static void
on_changed(void *owner)
{
	(void)owner;
	changes++;
}

static struct track_gateway *
start(void)
{
	struct address a;
	struct err err;
	struct track_gateway *g;

	assert_int_equal(address_parse(&a, STR("192.0.2.1:0"), &err), 0);
	g = track_gateway_start(loop, NULL, &a, on_changed, NULL);
	assert_non_null(g);
	assert_true(address_equal(track_gateway_address(g), &a));
	assert_false(track_gateway_known(g) || track_gateway_reachable(g));
	questions = changes = 0;
	return g;
}

/* Turns the loop until the next question is asked. */
static void
wait_question(void)
{
	unsigned before = questions;

	while (questions == before)
		ev_run(loop, EVRUN_ONCE);
}

static void
answer(enum probe_verdict verdict)
{
	const struct probe_result r = { .verdict = verdict, .reason = "no answer in 200ms" };

	wait_question();
	assert_non_null(asked);
	assert_int_equal(asked->question.service, PROBE_NEIGHBOUR);
	assert_true(asked->question.deadline_ns > 0);
	asked->done(asked->owner, &r);
	assert_null(asked);
}

static void
test_lost_and_back(void **state)
{
	static const struct {
		enum probe_verdict verdict;
		bool known, reachable;
		unsigned changes; /* in all */
	} rows[] = {
		{ PROBE_ANSWERS, true, true, 1 },
		{ PROBE_SILENT, true, true, 1 },
		{ PROBE_FAILED, true, true, 1 },
		{ PROBE_ANSWERS, true, true, 2 }, /* the count begins anew */
		{ PROBE_SILENT, true, true, 2 },
		{ PROBE_SILENT, true, true, 2 },
		{ PROBE_SILENT, true, false, 3 },
		{ PROBE_SILENT, true, false, 3 },
		{ PROBE_ANSWERS, true, true, 4 },
	};
	struct track_gateway *g = start();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		answer(rows[i].verdict);
		assert_int_equal(track_gateway_known(g), rows[i].known);
		assert_int_equal(track_gateway_reachable(g), rows[i].reachable);
		assert_int_equal(changes, rows[i].changes);
	}
	track_gateway_stop(&g);
}

/* What was answered was asked at some time; it can be asked out of turn, but not twice at once. */
static void
test_asked(void **state)
{
	struct track_gateway *g = start();
	int64_t before;

	(void)state;
	answer(PROBE_SILENT);
	assert_true(track_gateway_asked_ns(g) == 0);
	before = clock_ns();
	track_gateway_ask(g);
	track_gateway_ask(g);
	assert_int_equal(questions, 2);
	asked->done(asked->owner, &(const struct probe_result){ .verdict = PROBE_ANSWERS });
	assert_true(track_gateway_asked_ns(g) >= before && track_gateway_asked_ns(g) <= clock_ns());
	before = track_gateway_asked_ns(g);
	answer(PROBE_SILENT);
	assert_true(track_gateway_asked_ns(g) == before);
	track_gateway_stop(&g);
}

/* The first verdict on a gateway that is not there takes as many questions as a loss. */
static void
test_never_there(void **state)
{
	struct track_gateway *g = start();

	(void)state;
	answer(PROBE_SILENT);
	answer(PROBE_FAILED);
	assert_false(track_gateway_known(g));
	answer(PROBE_SILENT);
	assert_true(track_gateway_known(g));
	assert_false(track_gateway_reachable(g));
	assert_int_equal(changes, 1);
	track_gateway_stop(&g);
}

/* An answer that is late is waited for; without memory the next turn tries again. */
static void
test_one_at_a_time(void **state)
{
	struct track_gateway *g = start();
	ev_tstamp begin;

	(void)state;
	no_memory = true;
	wait_question();
	no_memory = false;
	wait_question();
	for (begin = ev_time(); ev_time() - begin < 0.6;) {
		ev_run(loop, EVRUN_NOWAIT);
		usleep(10000);
	}
	assert_int_equal(questions, 2);
	assert_non_null(asked);
	track_gateway_stop(&g);
	assert_null(asked);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_and_back),
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_never_there),
		cmocka_unit_test(test_one_at_a_time),
	};

	log_set_level(LOG_ERR);
	loop = ev_default_loop(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
