/* servers_command.c - hactl servers, hactl server. */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/member.h"
#include "hafailover/hactl/servers_view.h"

/* --- servers --- */

static enum ending
servers_page(struct hactl *h, void *context, struct text *page, struct err *err)
{
	const bool *names = context;
	struct answer answer;
	enum daemon_result result =
	    daemon_ask(&h->lbd, json_pack("{s:s}", "command", "servers"), &answer, err);

	if (result == DAEMON_OK && *names)
		servers_view_names(answer.json, page);
	else if (result == DAEMON_OK)
		servers_view_print(answer.json, clock_wall_ns(), h->look, page);
	answer_fini(&answer);
	return hactl_ending(result);
}

/* `context`: struct said. */
static enum ending
servers_news(struct hactl *h, void *context, struct text *page, struct err *err)
{
	const struct said *said = context;

	if (said->result == DAEMON_OK)
		servers_view_print(said->answer.json, clock_wall_ns(), h->look, page);
	else
		*err = said->why;
	return hactl_ending(said->result);
}

static const char watch_request[] = "{\"command\":\"watch\",\"of\":\"servers\"}";

static enum ending
servers_watch(struct hactl *h)
{
	struct follow f = { .daemon = &h->lbd, .request = watch_request };

	return hactl_follow(h, servers_news, &f.said, &f, 1);
}

static enum ending
servers_json(struct hactl *h)
{
	struct answer answer;
	enum ending ending = hactl_ask(&h->lbd, json_pack("{s:s}", "command", "servers"), &answer);

	if (ending == ENDING_DONE)
		ending = hactl_print_json(h, &answer);
	answer_fini(&answer);
	return ending;
}

enum ending
servers_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	bool json = false, watch = false, names = false;
	const struct flag flags[] = { { "json", &json, NULL }, { "watch", &watch, NULL },
		{ "names", &names, NULL }, { 0 } };

	(void)argc;
	if (arguments_take(command, flags, argv, 0, 0) < 0)
		return ENDING_USAGE;
	if (json + watch + names > 1)
		return arguments_refuse(command, "--json, --watch and --names exclude each other");
	if (json)
		return servers_json(h);
	return watch && hactl_may_follow(h) ? servers_watch(h)
					    : hactl_once(h, servers_page, &names);
}

/* --- server --- */

static bool
is_action(const char *word)
{
	static const char *const actions[] = { "ready", "drain", "maintenance", "weight" };

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (strcmp(word, actions[i]) == 0)
			return true;
	return false;
}

/* null for "default"; NULL: it is no weight. */
static json_t *
weight_parse(const char *word)
{
	char *end;
	long long n;

	if (strcmp(word, "default") == 0)
		return json_null();
	errno = 0;
	n = strtoll(word, &end, 10);
	if (errno || *end || word[0] < '0' || word[0] > '9')
		return NULL;
	return json_integer(n);
}

static enum ending
server_change(struct hactl *h, json_t *request, bool json)
{
	struct answer answer;
	struct text page;
	enum ending ending = hactl_ask(&h->lbd, request, &answer);

	if (ending == ENDING_DONE && json) {
		ending = hactl_print_json(h, &answer);
	} else if (ending == ENDING_DONE) {
		text_init(&page, 1 << 20);
		servers_view_change(json_object_get(answer.json, "server"),
		    member_is(answer.json, "changed"), &page);
		ending = hactl_print(h, &page);
	}
	answer_fini(&answer);
	return ending;
}

/* --- until nothing is left there --- */

static const int64_t say_step_ns = NS_PER_S;

struct drain {
	struct hactl *h;
	const char *name;
	char said[256];
	int64_t said_ns;
	bool over;
};

/* When it has changed, and not too often. */
static enum ending
drain_say(struct drain *d, const json_t *server)
{
	struct text line;

	text_init(&line, sizeof(d->said) - 1);
	servers_view_drain(server, &line);
	if (!d->over &&
	    (str_eq((struct str){ line.p, line.n }, str_of(d->said)) ||
		clock_ns() - d->said_ns < say_step_ns)) {
		text_fini(&line);
		return ENDING_DONE;
	}
	memcpy(d->said, line.p, line.n);
	d->said[line.n] = 0;
	d->said_ns = clock_ns();
	return hactl_print(d->h, &line);
}

static enum ending
drain_look(struct drain *d, const json_t *answer)
{
	const json_t *server = servers_view_find(answer, d->name);

	if (!server || str_eq(member_text(server, "admin"), STR("ready"))) {
		hactl_complain(
		    server ? "%s is ready again" : "%s is no longer configured", d->name);
		return ENDING_REFUSED;
	}
	d->over = member_is(server, "drained");
	return drain_say(d, server);
}

/* lbd may be away for a moment. */
static enum ending
drain_wait(struct hactl *h, const char *name)
{
	struct follow f = { .daemon = &h->lbd, .request = watch_request };
	struct drain d = { .h = h, .name = name };
	enum ending ending = ENDING_DONE;
	int64_t heard_ns = clock_ns();

	while (ending == ENDING_DONE && !d.over) {
		int64_t now = clock_ns();

		if (follow_step(&f, now) && f.said.answer.json) {
			heard_ns = now;
			ending = drain_look(&d, f.said.answer.json);
			answer_fini(&f.said.answer);
		} else if (f.said.result != DAEMON_OK && now - heard_ns > h->lbd.timeout_ns) {
			hactl_complain("%s", f.said.why.text);
			ending = hactl_ending(f.said.result);
		} else {
			follow_sleep(&f);
		}
	}
	follow_end(&f);
	return ending;
}

enum ending
server_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	bool json = false, wait = false;
	const struct flag flags[] = { { "json", &json, NULL }, { "wait", &wait, NULL }, { 0 } };
	int n = arguments_take(command, flags, argv, 2, 3);
	json_t *request, *value = NULL;
	enum ending ending;
	bool weight;

	(void)argc;
	if (n < 0)
		return ENDING_USAGE;
	if (!is_action(argv[1]))
		return arguments_refuse(command, "no action \"%s\"", argv[1]);
	weight = strcmp(argv[1], "weight") == 0;
	if (weight != (n == 3))
		return arguments_refuse(
		    command, weight ? "weight needs a number" : "only weight takes a number");
	if (weight && !(value = weight_parse(argv[2])))
		return arguments_refuse(command, "\"%s\" is no weight", argv[2]);
	if (wait &&
	    (json || (strcmp(argv[1], "drain") != 0 && strcmp(argv[1], "maintenance") != 0)))
		return arguments_refuse(
		    command, "--wait goes with drain and maintenance, and without --json");
	request =
	    json_pack("{s:s,s:s,s:s}", "command", "server", "name", argv[0], "action", argv[1]);
	if (weight)
		json_object_set_new(request, "value", value);
	ending = server_change(h, request, json);
	return ending == ENDING_DONE && wait ? drain_wait(h, argv[0]) : ending;
}
