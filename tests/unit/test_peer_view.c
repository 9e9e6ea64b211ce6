/* test_peer_view.c - what is news, and which paths are alive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/clock.h"
#include "hafailover/election/peer_view.h"

enum { OWN = 0xa, PEER = 0xb };
static const int64_t DEAD = 300 * NS_PER_MS;

static void
test_news(void **state)
{
	static const struct {
		uint64_t session, sequence;
		bool news;
	} rows[] = {
		{ PEER, 5, true },
		{ PEER, 5, false },
		{ PEER, 4, false },
		{ PEER, 6, true },
		{ PEER, UINT64_MAX, true },
		{ PEER, 7, false },
		{ PEER + 1, 1, true },
		{ PEER + 1, 1, false },
	};
	struct peer_view v = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct heartbeat h = {
			.session = rows[i].session, .sequence = rows[i].sequence, .term = i
		};

		assert_int_equal(
		    peer_view_hear(&v, OWN, i % 2, &h, (int64_t)(i + 1)), rows[i].news);
		assert_int_equal(v.any_ns, i + 1);
		assert_int_equal(v.heard_ns[i % 2], i + 1);
		if (rows[i].news)
			assert_int_equal(v.last.term, i);
	}
}

static void
test_paths(void **state)
{
	struct peer_view v = { 0 };
	struct heartbeat h = { .session = PEER, .sequence = 1 };
	int64_t t = 50 * NS_PER_S;

	(void)state;
	assert_int_equal(peer_view_paths(&v, DEAD, t), 0);
	assert_false(peer_view_reachable(&v, DEAD, t));
	peer_view_hear(&v, OWN, 0, &h, t);
	peer_view_hear(&v, OWN, 7, &h, t + DEAD / 2);
	assert_int_equal(peer_view_paths(&v, DEAD, t + DEAD / 2), 0x81);
	assert_int_equal(peer_view_paths(&v, DEAD, t + DEAD - 1), 0x81);
	assert_int_equal(peer_view_paths(&v, DEAD, t + DEAD), 0x80);
	assert_true(peer_view_reachable(&v, DEAD, t + DEAD));
	assert_int_equal(peer_view_paths(&v, DEAD, t + 3 * DEAD / 2), 0);
	assert_false(peer_view_reachable(&v, DEAD, t + 3 * DEAD / 2));
}

/* An old heartbeat shows that a path works; what it says about hearing is old. */
static void
test_deaf(void **state)
{
	static const struct {
		uint64_t sequence, heard_session;
		uint8_t hears;
		int64_t since;
	} rows[] = {
		{ 1, OWN, 1, 0 },
		{ 2, OWN, 0, 2 },
		{ 3, OWN, 0, 2 },
		{ 1, OWN, 1, 2 },
		{ 4, OWN, 2, 0 },
		{ 5, OWN + 1, 3, 6 },
		{ 6, OWN, 3, 0 },
	};
	struct peer_view v = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct heartbeat h = { .session = PEER,
			.sequence = rows[i].sequence,
			.heard_session = rows[i].heard_session,
			.hears = rows[i].hears };

		peer_view_hear(&v, OWN, 0, &h, (int64_t)i + 1);
		assert_int_equal(v.deaf_since_ns, rows[i].since);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_deaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
