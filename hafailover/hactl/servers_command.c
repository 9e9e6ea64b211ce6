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

static enum ending
servers_watch(struct hactl *h)
{
	struct follow f = { .daemon = &h->lbd,
		.request = "{\"command\":\"watch\",\"of\":\"servers\"}" };

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

enum ending
server_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	bool json = false;
	const struct flag flags[] = { { "json", &json, NULL }, { 0 } };
	int n = arguments_take(command, flags, argv, 2, 3);
	json_t *request, *value = NULL;
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
	request =
	    json_pack("{s:s,s:s,s:s}", "command", "server", "name", argv[0], "action", argv[1]);
	if (weight)
		json_object_set_new(request, "value", value);
	return server_change(h, request, json);
}
