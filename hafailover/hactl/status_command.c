/* status_command.c - hactl status: hafailover's view if there is one, lbd's in any case. */
#include "common/clock.h"
#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/status_view.h"

static const int64_t watch_interval_ns = 500 * NS_PER_MS;

struct status {
	struct answer ha, lbd;
	struct err ha_err, lbd_err;
	enum daemon_result ha_result, lbd_result;
};

static void
status_ask(struct hactl *h, struct status *s)
{
	s->ha_result =
	    daemon_ask(&h->ha, json_pack("{s:s}", "command", "status"), &s->ha, &s->ha_err);
	s->lbd_result =
	    daemon_ask(&h->lbd, json_pack("{s:s}", "command", "status"), &s->lbd, &s->lbd_err);
}

static void
status_fini(struct status *s)
{
	answer_fini(&s->ha);
	answer_fini(&s->lbd);
}

/* DONE if there is anything to show. */
static enum ending
status_judge(const struct status *s, struct err *err)
{
	if (s->ha_result == DAEMON_REFUSED) {
		*err = s->ha_err;
		return ENDING_REFUSED;
	}
	if (s->ha_result == DAEMON_OK || s->lbd_result == DAEMON_OK)
		return ENDING_DONE;
	err_set(err, s->lbd_err.code, "%.250s\n%.250s", s->ha_err.text, s->lbd_err.text);
	return hactl_ending(s->lbd_result);
}

static enum ending
status_page(struct hactl *h, void *context, struct text *page, struct err *err)
{
	struct status s;
	struct status_view view;
	enum ending ending;

	(void)context;
	status_ask(h, &s);
	view = (struct status_view){
		.ha = s.ha.json,
		.lbd = s.lbd.json,
		.ha_why = s.ha_err.text,
		.lbd_why = s.lbd_err.text,
		.now_wall_ns = clock_wall_ns(),
		.look = h->look,
	};
	ending = status_judge(&s, err);
	if (ending == ENDING_DONE)
		status_view_print(&view, page);
	status_fini(&s);
	return ending;
}

static enum ending
status_json(struct hactl *h)
{
	struct status s;
	struct err err;
	enum ending ending;

	status_ask(h, &s);
	ending = status_judge(&s, &err);
	if (ending != ENDING_DONE) {
		hactl_complain("%s", err.text);
	} else {
		if (s.ha_result != DAEMON_OK)
			hactl_complain("%s", s.ha_err.text);
		ending = hactl_print_json(h, s.ha_result == DAEMON_OK ? &s.ha : &s.lbd);
	}
	status_fini(&s);
	return ending;
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
	if (json)
		return status_json(h);
	return watch ? hactl_watch(h, status_page, NULL, watch_interval_ns)
		     : hactl_once(h, status_page, NULL);
}
