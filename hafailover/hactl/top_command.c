/*
 * top_command.c - hactl top: asks lbd once a second, over its control socket and its /metrics.
 *
 * The metrics' address is not lbd's word but ours, so it may be that of another lbd: the start time of the
 * proxy process, which both tell, must be the same.
 */
#include <errno.h>

#include "common/clock.h"
#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/http_get.h"
#include "hafailover/hactl/member.h"
#include "hafailover/hactl/top_view.h"
#include "hafailover/hactl/when.h"

static const int64_t interval_ns = NS_PER_S;
enum { METRICS_MAX = 32 << 20 };

static void
moment_fini(struct top_moment *m)
{
	json_decref(m->status);
	json_decref(m->servers);
	traffic_fini(&m->traffic);
	*m = (struct top_moment){ 0 };
}

static enum daemon_result
ask(struct hactl *h, const char *command, json_t **json, struct err *err)
{
	struct answer answer;
	enum daemon_result result =
	    daemon_ask(&h->lbd, json_pack("{s:s}", "command", command), &answer, err);

	*json = json_incref(answer.json);
	answer_fini(&answer);
	return result;
}

/* Both are cut to, or rounded to, milliseconds. */
static bool
is_of_this_process(const struct top_moment *m)
{
	int64_t wall_ns, off_ms;

	if (when_parse(member_text(m->status, "started_at"), &wall_ns) < 0)
		return false;
	off_ms = m->traffic.start_ms - wall_ns / NS_PER_MS;
	return off_ms >= -1 && off_ms <= 1;
}

static int
metrics_read(struct hactl *h, struct top_moment *m)
{
	struct text text;
	int code;

	text_init(&text, METRICS_MAX);
	code = http_get(h->metrics, "/metrics", clock_ns() + h->lbd.timeout_ns, &text, &m->why);
	if (!code && traffic_parse(&m->traffic, (struct str){ text.p, text.n }) < 0)
		code = err_set(&m->why, -ENOMEM, "out of memory");
	if (!code && !is_of_this_process(m))
		code = err_set(&m->why, -ENOENT,
		    "http://%s is not this lbd's admin.http; name it with --metrics", h->metrics);
	text_fini(&text);
	return code;
}

static enum daemon_result
moment_take(struct hactl *h, struct top_moment *m, struct err *err)
{
	enum daemon_result result;

	*m = (struct top_moment){ 0 };
	result = ask(h, "status", &m->status, err);
	if (result == DAEMON_OK)
		result = ask(h, "servers", &m->servers, err);
	if (result == DAEMON_OK) {
		m->has_traffic = metrics_read(h, m) == 0;
		m->at_ns = clock_ns();
	} else {
		moment_fini(m);
	}
	return result;
}

/* `context`: the moment before, which this one replaces. */
static enum ending
top_page(struct hactl *h, void *context, struct text *page, struct err *err)
{
	struct top_moment *before = context, now;
	struct top_view view = { &now, before, h->look };
	enum daemon_result result = moment_take(h, &now, err);

	if (result != DAEMON_OK)
		return hactl_ending(result);
	top_view_print(&view, page);
	moment_fini(before);
	*before = now;
	return ENDING_DONE;
}

/* Without a terminal the one page is of the second that begins now. */
static enum ending
top_wait(struct hactl *h, struct top_moment *before)
{
	const struct timespec second = { interval_ns / NS_PER_S, interval_ns % NS_PER_S };
	struct err err;
	enum daemon_result result = moment_take(h, before, &err);

	if (result == DAEMON_OK)
		nanosleep(&second, NULL);
	else
		hactl_complain("%s", err.text);
	return hactl_ending(result);
}

enum ending
top_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	struct top_moment before = { 0 };
	enum ending ending = ENDING_DONE;

	(void)argc;
	if (arguments_take(command, NULL, argv, 0, 0) < 0)
		return ENDING_USAGE;
	if (!h->terminal)
		ending = top_wait(h, &before);
	if (ending == ENDING_DONE)
		ending = hactl_watch(h, top_page, &before, interval_ns);
	moment_fini(&before);
	return ending;
}
