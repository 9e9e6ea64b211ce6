/*
 * test_session.c - whom to believe: two nodes that meet, restarts on either side, and an attacker
 * who keeps all that was ever sent and may send it again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hafailover/peer/session.h"

static struct wire_packet
heartbeat(struct session_table *from, uint8_t path)
{
	struct wire_packet w = { .type = WIRE_HEARTBEAT, .path = path };

	session_stamp(from, &w, from->own_sequence + 1);
	return w;
}

/* The same heartbeat on another path. */
static struct wire_packet
again_on(const struct wire_packet *w, uint8_t path)
{
	struct wire_packet copy = *w;

	copy.path = path;
	return copy;
}

static struct wire_packet
hello(struct session_table *from)
{
	struct wire_packet w = { .type = WIRE_HELLO };

	session_stamp(from, &w, 0);
	return w;
}

/* After a's heartbeat and the hellos that it leads to both believe each other. */
static void
meet(struct session_table *a, struct session_table *b)
{
	struct wire_packet w = heartbeat(a, 0);
	struct session_result r = session_hear(b, &w);

	assert_int_equal(r.verdict, SESSION_UNKNOWN);
	heartbeat(b, 0); /* lost, but b has begun to send */
	w = hello(b);
	r = session_hear(a, &w);
	assert_int_equal(r.verdict, SESSION_HELLO);
	assert_true(r.met);
	w = hello(a);
	r = session_hear(b, &w);
	assert_int_equal(r.verdict, SESSION_HELLO);
	assert_true(r.met);
	assert_true(r.released); /* the heartbeat that began it */
}

static void
test_meet(void **state)
{
	struct session_table a, b;
	struct wire_packet w;

	(void)state;
	session_init(&a, 1);
	session_init(&b, 2);
	meet(&a, &b);
	for (int i = 0; i < 5; i++) {
		w = heartbeat(&a, 0);
		assert_int_equal(session_hear(&b, &w).verdict, SESSION_NEWS);
		assert_int_equal(session_hear(&b, &w).verdict, SESSION_OLD);
		w = heartbeat(&b, 0);
		assert_int_equal(session_hear(&a, &w).verdict, SESSION_NEWS);
	}
}

static void
test_paths(void **state)
{
	struct session_table a, b;
	struct wire_packet first, second, copy;

	(void)state;
	session_init(&a, 1);
	session_init(&b, 2);
	meet(&a, &b);
	first = heartbeat(&a, 0);
	second = heartbeat(&a, 0);
	assert_int_equal(session_hear(&b, &second).verdict, SESSION_NEWS);
	assert_int_equal(session_hear(&b, &first).verdict, SESSION_OLD); /* overtaken */
	copy = again_on(&first, 1);
	assert_int_equal(session_hear(&b, &copy).verdict, SESSION_NEWS); /* its path lives */
	copy = again_on(&second, 1);
	assert_int_equal(session_hear(&b, &copy).verdict, SESSION_NEWS);
	assert_int_equal(session_hear(&b, &copy).verdict, SESSION_OLD);
}

/* Nothing that was sent before may be believed after a restart of either side. */
static void
test_replay(void **state)
{
	enum { KEPT = 20 };
	struct wire_packet kept[2 * KEPT], w;
	struct session_table a, b, b2, a2;
	unsigned n = 0;

	(void)state;
	session_init(&a, 1);
	session_init(&b, 2);
	meet(&a, &b);
	for (int i = 0; i < KEPT; i++) {
		w = heartbeat(&a, 0);
		assert_int_equal(session_hear(&b, &w).verdict, SESSION_NEWS);
		kept[n++] = w = heartbeat(&b, 0);
		assert_int_equal(session_hear(&a, &w).verdict, SESSION_NEWS);
		kept[n++] = hello(&b);
	}
	/* b starts anew and a believes the new one */
	session_init(&b2, 3);
	meet(&b2, &a);
	for (unsigned i = 0; i < n; i++) {
		struct session_result r = session_hear(&a, &kept[i]);

		assert_int_equal(r.verdict, SESSION_UNKNOWN);
		assert_false(r.met || r.released);
	}
	w = heartbeat(&b2, 0);
	assert_int_equal(session_hear(&a, &w).verdict, SESSION_NEWS);
	kept[0] = w;
	/* a starts anew */
	session_init(&a2, 4);
	heartbeat(&a2, 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(session_hear(&a2, &kept[i]).verdict, SESSION_UNKNOWN);
	meet(&a2, &b2);
	for (unsigned i = 0; i < n; i++)
		assert_false(session_hear(&a2, &kept[i]).verdict == SESSION_NEWS);
}

/* An attacker's noise does not keep two nodes from meeting, nor part them. */
static void
test_noise(void **state)
{
	struct session_table old, a, b;
	struct wire_packet noise, w;

	(void)state;
	session_init(&old, 9);
	noise = heartbeat(&old, 0);
	session_init(&a, 1);
	session_init(&b, 2);
	w = heartbeat(&a, 0);
	session_hear(&b, &noise);
	assert_int_equal(session_hear(&b, &w).verdict, SESSION_UNKNOWN);
	heartbeat(&b, 0);
	w = hello(&b); /* at once, as peer_link does it */
	session_hear(&b, &noise);
	session_hear(&a, &noise);
	assert_true(session_hear(&a, &w).met);
	w = hello(&a);
	assert_true(session_hear(&b, &w).met);
	for (int i = 0; i < 3; i++) {
		session_hear(&b, &noise);
		w = heartbeat(&a, 0);
		assert_int_equal(session_hear(&b, &w).verdict, SESSION_NEWS);
	}
}

/* An echo of what was never sent is no introduction. */
static void
test_echo_of_the_future(void **state)
{
	struct session_table a;
	struct wire_packet w = { .type = WIRE_HEARTBEAT,
		.session = 7,
		.sequence = 1,
		.echo_session = 1,
		.echo_sequence = 1000 };

	(void)state;
	session_init(&a, 1);
	heartbeat(&a, 0);
	assert_int_equal(session_hear(&a, &w).verdict, SESSION_UNKNOWN);
	w.echo_sequence = 1;
	assert_int_equal(session_hear(&a, &w).verdict, SESSION_NEWS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meet),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_echo_of_the_future),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
