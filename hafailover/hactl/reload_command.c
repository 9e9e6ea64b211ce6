/*
 * reload_command.c - hactl reload: one daemon, or all that run here.
 *
 * Asked for both, a daemon that does not run is no failure: a node may have lbd alone.  No permission is.
 */
#include <errno.h>

#include "common/clock.h"
#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/commands.h"

/* lbd looks names up for up to 30 s, and its workers have as long to take the result. */
static const int64_t reload_timeout_ns = 75 * NS_PER_S;

static enum daemon_result
reload(struct hactl *h, struct daemon *d, struct err *err)
{
	struct answer answer;
	enum daemon_result result;

	if (d->timeout_ns < reload_timeout_ns)
		d->timeout_ns = reload_timeout_ns;
	result = daemon_ask(d, json_pack("{s:s}", "command", "reload"), &answer, err);
	answer_fini(&answer);
	if (result == DAEMON_OK)
		fprintf(h->out, "%s: reloaded\n", d->name);
	else
		hactl_complain("%s", err->text);
	return result;
}

static bool
does_not_run(const struct err *err)
{
	return err->code == -ENOENT || err->code == -ECONNREFUSED;
}

static enum ending
reload_all(struct hactl *h)
{
	struct daemon *const all[] = { &h->lbd, &h->ha };
	enum ending worst = ENDING_DONE;
	unsigned done = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct err err;
		enum daemon_result result = reload(h, all[i], &err);

		if (result == DAEMON_OK)
			done++;
		else if (result == DAEMON_REFUSED)
			worst = ENDING_REFUSED;
		else if (worst == ENDING_DONE && !does_not_run(&err))
			worst = ENDING_UNREACHABLE;
	}
	return worst == ENDING_DONE && done == 0 ? ENDING_UNREACHABLE : worst;
}

enum ending
reload_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	int n = arguments_take(command, NULL, argv, 0, 1);
	struct err err;

	(void)argc;
	if (n < 0)
		return ENDING_USAGE;
	if (n == 0)
		return reload_all(h);
	if (strcmp(argv[0], h->lbd.name) == 0)
		return hactl_ending(reload(h, &h->lbd, &err));
	if (strcmp(argv[0], h->ha.name) == 0)
		return hactl_ending(reload(h, &h->ha, &err));
	return arguments_refuse(command, "no daemon \"%s\"", argv[0]);
}
