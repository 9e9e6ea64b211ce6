/*
 * top_command.c - hactl top: asks lbd once a second for its status, its servers and its metrics.
 */
#include <errno.h>

#include "common/clock.h"
#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/member.h"
#include "hafailover/hactl/top_view.h"

static const int64_t interval_ns = NS_PER_S;

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

/* Where there are too many for the socket, or no memory, the rest is shown. */
static int
metrics_read(struct hactl *h, struct top_moment *m)
{
	json_t *answer;
	struct str text;
	int code = 0;

	if (ask(h, "metrics", &answer, &m->why) != DAEMON_OK)
		return m->why.code ? m->why.code : -EPROTO;
	text = member_text(answer, "metrics");
	if (traffic_parse(&m->traffic, text) < 0)
		code = err_set(&m->why, -ENOMEM, "out of memory");
	json_decref(answer);
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
