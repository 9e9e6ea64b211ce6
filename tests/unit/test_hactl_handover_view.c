/* test_hactl_handover_view.c - one line: what becomes of connections at a planned move. */
#include "tests/unit/hactl_page.h"

#include "hafailover/hactl/handover_view.h"

static void
test_lines(void **state)
{
	static const struct {
		const char *handover, *line;
		bool waits;
	} rows[] = {
		{ "null", "", false },
		{ "{'steering':true,'drain_ms':30000,'phase':'idle','connections':null}",
		    "planned move: connections stay where they are\n", false },
		{ "{'steering':true,'drain_ms':0,'phase':'idle'}",
		    "planned move: connections are not waited for\n", false },
		{ "{'steering':false,'no_steering':'no right\\u001b','drain_ms':1,'phase':'idle'}",
		    "planned move: connections end before it, for want of steering: no "
		    "right\\x1b\n",
		    false },
		{ "{'phase':'moving','steering':true,'drain_ms':1}",
		    "planned move: connections stay where they are\n", false },
		{ "{'phase':'emptying','connections':null,'drain_ms':1}",
		    "planned move: connections to end before the move\n", true },
		{ "{'phase':'emptying','connections':12,'drain_ms':1}",
		    "planned move: 12 connections to end before the move\n", true },
		{ "{'phase':'draining','connections':1,'packets_steered':9}",
		    "planned move: 1 connection left on lb1\n", true },
		{ "{'phase':'steering','connections':0,'packets_steered':345}",
		    "planned move: 0 connections left on lb2, 345 packets steered\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[256];
		json_t *status;
		struct text page;

		snprintf(text, sizeof(text), "{'node':'lb1','peer':{'name':'lb2'},'handover':%s}",
		    rows[i].handover);
		status = json_of(text);
		page_begin(&page);
		handover_view_print(status, &page);
		page_expect(&page, rows[i].line);
		assert_int_equal(handover_view_waits(status), rows[i].waits);
		json_decref(status);
	}
}

/* What is under way goes on; nothing can be planned. */
static void
test_without_a_peer(void **state)
{
	static const struct {
		const char *phase, *line;
	} rows[] = {
		{ "idle", "planned move: not possible, for the peer is not heard\n" },
		{ "draining", "planned move: 3 connections left on lb1\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[256];
		json_t *status;
		struct text page;

		snprintf(text, sizeof(text),
		    "{'node':'lb1','peer':{'name':'lb2','reachable':false},"
		    "'handover':{'steering':true,'drain_ms':1,'phase':'%s','connections':3}}",
		    rows[i].phase);
		status = json_of(text);
		page_begin(&page);
		handover_view_print(status, &page);
		page_expect(&page, rows[i].line);
		json_decref(status);
	}
}

static void
test_a_daemon_that_does_not_tell(void **state)
{
	json_t *status = json_of("{}");
	struct text page;

	(void)state;
	page_begin(&page);
	handover_view_print(status, &page);
	page_expect(&page, "");
	assert_false(handover_view_waits(status) || handover_view_waits(NULL));
	json_decref(status);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_without_a_peer),
		cmocka_unit_test(test_a_daemon_that_does_not_tell),
	};

	return cmocka_run_group_tests(tests, locale_set, NULL);
}
