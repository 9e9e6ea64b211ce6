/* status_command.c - hactl status: hafailover's view if there is one, lbd's in any case. */
#include "common/clock.h"
#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/status_view.h"

/* What both daemons said. */
struct status {
	const struct said *ha, *lbd;
};

static void
said_ask(struct daemon *daemon, struct said *said)
{
	said->result =
	    daemon_ask(daemon, json_pack("{s:s}", "command", "status"), &said->answer, &said->why);
}

/* DONE if there is anything to show. */
static enum ending
status_judge(const struct status *s, struct err *err)
{
	if (s->ha->result == DAEMON_REFUSED) {
		*err = s->ha->why;
		return ENDING_REFUSED;
	}
	if (s->ha->result == DAEMON_OK || s->lbd->result == DAEMON_OK)
		return ENDING_DONE;
	err_set(err, s->lbd->why.code, "%.250s\n%.250s", s->ha->why.text, s->lbd->why.text);
	return hactl_ending(s->lbd->result);
}

static enum ending
status_page(struct hactl *h, void *context, struct text *page, struct err *err)
{
	const struct status *s = context;
	const struct status_view view = {
		.ha = s->ha->answer.json,
		.lbd = s->lbd->answer.json,
		.ha_why = s->ha->why.text,
		.lbd_why = s->lbd->why.text,
		.now_wall_ns = clock_wall_ns(),
		.look = h->look,
	};
	enum ending ending = status_judge(s, err);

	if (ending == ENDING_DONE)
		status_view_print(&view, page);
	return ending;
}

static enum ending
status_json(struct hactl *h, const struct status *s)
{
	struct err err;
	enum ending ending = status_judge(s, &err);

	if (ending != ENDING_DONE) {
		hactl_complain("%s", err.text);
		return ending;
	}
	if (s->ha->result != DAEMON_OK)
		hactl_complain("%s", s->ha->why.text);
	return hactl_print_json(h, s->ha->result == DAEMON_OK ? &s->ha->answer : &s->lbd->answer);
}

static enum ending
status_once(struct hactl *h, bool json)
{
	struct said ha, lbd;
	struct status s = { &ha, &lbd };
	enum ending ending;

	said_ask(&h->ha, &ha);
	said_ask(&h->lbd, &lbd);
	ending = json ? status_json(h, &s) : hactl_once(h, status_page, &s);
	answer_fini(&ha.answer);
	answer_fini(&lbd.answer);
	return ending;
}

static enum ending
status_watch(struct hactl *h)
{
	static const char watch[] = "{\"command\":\"watch\"}";
	struct follow f[] = { { .daemon = &h->ha, .request = watch },
		{ .daemon = &h->lbd, .request = watch } };
	struct status s = { &f[0].said, &f[1].said };

	return hactl_follow(h, status_page, &s, f, sizeof(f) / sizeof(*f));
}

enum ending
status_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	bool json = false, watch = false;
	const struct flag flags[] = { { "json", &json, NULL }, { "watch", &watch, NULL }, { 0 } };

	(void)argc;
	if (arguments_take(command, flags, argv, 0, 0) < 0)
		return ENDING_USAGE;
	if (json && watch)
		return arguments_refuse(command, "--json and --watch exclude each other");
	return watch && hactl_may_follow(h) ? status_watch(h) : status_once(h, json);
}
