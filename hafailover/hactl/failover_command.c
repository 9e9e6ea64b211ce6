/* failover_command.c - hactl failover, standby, history: what only hafailover can do. */
#include "common/clock.h"
#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/handover_view.h"
#include "hafailover/hactl/history_view.h"
#include "hafailover/hactl/member.h"

/* A planned move is answered when it is over. */
static const int64_t move_timeout_ns = 60 * NS_PER_S;
static const int64_t wait_timeout_ns = 30 * NS_PER_S;
static const int64_t wait_step_ns = 100 * NS_PER_MS;
static const int64_t progress_step_ns = NS_PER_S;

static void
patience(struct daemon *d, int64_t least_ns)
{
	if (d->timeout_ns < least_ns)
		d->timeout_ns = least_ns;
}

static enum ending
ha_status(struct hactl *h, struct answer *answer)
{
	return hactl_ask(&h->ha, json_pack("{s:s}", "command", "status"), answer);
}

static enum ending
print_line(struct hactl *h, const char *before, struct str name, const char *after)
{
	struct text page;

	text_init(&page, 1 << 16);
	text_append(&page, str_of(before));
	display_clean(&page, name);
	text_append(&page, str_of(after));
	return hactl_print(h, &page);
}

/* --- failover --- */

static bool
is_active(const json_t *node)
{
	return str_eq(member_text(node, "role"), STR("active"));
}

/* The node that is not active; empty when none or both are. */
static struct str
other_node(const json_t *status)
{
	const json_t *peer = json_object_get(status, "peer");

	if (is_active(status) == is_active(peer))
		return STR("");
	return is_active(peer) ? member_text(status, "node") : member_text(peer, "name");
}

/* Is that one active, and no other? */
static bool
has_moved(const json_t *status, struct str to)
{
	const json_t *peer = json_object_get(status, "peer");

	if (str_eq(member_text(status, "node"), to))
		return is_active(status) && !is_active(peer);
	return str_eq(member_text(peer, "name"), to) && is_active(peer) && !is_active(status);
}

/* --- its progress --- */

struct progress {
	struct hactl *h;
	bool quiet;
	struct daemon second; /* while the first owes an answer */
	char said[256];
	int64_t said_ns;
};

/* When it has changed, and not too often. */
static void
progress_say(struct progress *p, const json_t *status)
{
	struct text line;

	if (p->quiet || clock_ns() - p->said_ns < progress_step_ns)
		return;
	text_init(&line, sizeof(p->said) - 1);
	handover_view_progress(status, &line);
	if (!line.failed && !str_eq((struct str){ line.p, line.n }, str_of(p->said))) {
		memcpy(p->said, line.p, line.n);
		p->said[line.n] = 0;
		p->said_ns = clock_ns();
		fprintf(p->h->out, "%s\n", p->said);
		fflush(p->h->out);
	}
	text_fini(&line);
}

/* The daemon has not answered: are connections the reason? */
static bool
on_waiting(void *owner)
{
	struct progress *p = owner;
	struct answer answer;
	struct err err;
	bool waits = daemon_ask(&p->second, json_pack("{s:s}", "command", "status"), &answer,
			 &err) == DAEMON_OK &&
	    handover_view_waits(answer.json);

	if (waits)
		progress_say(p, answer.json);
	answer_fini(&answer);
	return waits;
}

static enum ending
late_complain(struct str to)
{
	hactl_complain("%.*s has not become active within %d s", STR_ARG(to),
	    (int)(wait_timeout_ns / NS_PER_S));
	return ENDING_REFUSED;
}

/* Until the node is the only active one, and no connection is left with the other. */
static enum ending
move_wait(struct progress *p, struct str to)
{
	int64_t deadline_ns = clock_ns() + wait_timeout_ns;
	const struct timespec step = { 0, wait_step_ns };
	struct answer answer;
	enum ending ending;
	bool moved, waits;

	for (;;) {
		ending = ha_status(p->h, &answer);
		moved = ending == ENDING_DONE && has_moved(answer.json, to);
		waits = moved && handover_view_waits(answer.json);
		if (waits)
			progress_say(p, answer.json);
		answer_fini(&answer);
		if (ending != ENDING_DONE || (moved && !waits))
			return ending;
		if (!moved && clock_ns() > deadline_ns)
			return late_complain(to);
		nanosleep(&step, NULL);
	}
}

/* --- the command --- */

/* `to` NULL: the other node.  An object, in which "to" is left out then. */
static json_t *
move_request(const char *to, bool force)
{
	json_t *request = json_pack("{s:s}", "command", "failover");

	if (to)
		json_object_set_new(request, "to", json_string(to));
	if (force)
		json_object_set_new(request, "force", json_true());
	return request;
}

/* Connections may have to end before: that takes as long as it takes, and is shown. */
static enum ending
order(struct progress *p, json_t *request)
{
	const struct daemon_patience patient = { progress_step_ns, on_waiting, p };
	struct answer answer;
	enum ending ending;

	patience(&p->h->ha, move_timeout_ns);
	ending = hactl_ask_patiently(&p->h->ha, &patient, request, &answer);
	daemon_close(&p->second);
	if (ending == ENDING_DONE && p->quiet)
		ending = hactl_print_json(p->h, &answer);
	answer_fini(&answer);
	return ending;
}

static enum ending
move_and_wait(struct progress *p, const char *to, bool force)
{
	struct hactl *h = p->h;
	struct str target = str_of(to);
	struct answer before;
	enum ending ending = ha_status(h, &before);

	if (ending == ENDING_DONE && !to) {
		target = other_node(before.json);
		if (!target.n) {
			hactl_complain("not exactly one node is active: name one with --to");
			ending = ENDING_REFUSED;
		}
	}
	if (ending == ENDING_DONE)
		ending = order(p, move_request(to, force));
	if (ending == ENDING_DONE)
		ending = move_wait(p, target);
	if (ending == ENDING_DONE && !p->quiet)
		ending = print_line(h, "", target, " is active\n");
	answer_fini(&before);
	return ending;
}

/* Whether this node has the addresses. */
static enum ending
has_addresses(struct hactl *h, bool *has)
{
	struct answer answer;
	enum ending ending = ha_status(h, &answer);

	*has = ending == ENDING_DONE && is_active(answer.json);
	answer_fini(&answer);
	return ending;
}

enum ending
failover_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	bool force = false, wait = false, json = false, away = false, here = true;
	const char *to = NULL;
	const struct flag flags[] = { { "to", NULL, &to }, { "away", &away, NULL },
		{ "force", &force, NULL }, { "wait", &wait, NULL }, { "json", &json, NULL },
		{ 0 } };
	struct progress progress = { .h = h, .second = h->ha };
	enum ending ending;

	(void)argc;
	if (arguments_take(command, flags, argv, 0, 0) < 0)
		return ENDING_USAGE;
	progress.quiet = json;
	ending = away ? has_addresses(h, &here) : ENDING_DONE;
	if (ending != ENDING_DONE || !here)
		return ending;
	if (wait)
		return move_and_wait(&progress, to, force);
	ending = order(&progress, move_request(to, force));
	if (ending == ENDING_DONE && !json)
		ending = print_line(h, "moved to ", str_of(to ? to : "the other node"), "\n");
	return ending;
}

/* --- standby --- */

enum ending
standby_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	bool force = false, json = false, on;
	const struct flag flags[] = { { "force", &force, NULL }, { "json", &json, NULL }, { 0 } };
	struct progress progress = { .h = h, .second = h->ha };
	enum ending ending;
	json_t *request;

	(void)argc;
	if (arguments_take(command, flags, argv, 1, 1) < 0)
		return ENDING_USAGE;
	on = strcmp(argv[0], "on") == 0;
	if (!on && strcmp(argv[0], "off") != 0)
		return arguments_refuse(command, "on or off, not \"%s\"", argv[0]);
	request = json_pack("{s:s,s:b}", "command", "standby", "on", on);
	if (force)
		json_object_set_new(request, "force", json_true());
	progress.quiet = json;
	ending = order(&progress, request);
	if (ending == ENDING_DONE && !json)
		ending = print_line(
		    h, "", STR("this node "), on ? "is in standby\n" : "takes part again\n");
	return ending;
}

/* --- history --- */

enum ending
history_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	bool json = false;
	const struct flag flags[] = { { "json", &json, NULL }, { 0 } };
	struct answer answer;
	struct text page;
	enum ending ending;

	(void)argc;
	if (arguments_take(command, flags, argv, 0, 0) < 0)
		return ENDING_USAGE;
	ending = hactl_ask(&h->ha, json_pack("{s:s}", "command", "history"), &answer);
	if (ending == ENDING_DONE && json) {
		ending = hactl_print_json(h, &answer);
	} else if (ending == ENDING_DONE) {
		text_init(&page, 1 << 24);
		history_view_print(answer.json, h->look, &page);
		ending = hactl_print(h, &page);
	}
	answer_fini(&answer);
	return ending;
}
