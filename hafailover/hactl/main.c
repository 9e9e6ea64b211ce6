/* main.c - the options before the command; then the command. */
#include <getopt.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/units.h"
#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/live.h"

enum { OPTION_LBD = 256, OPTION_HA, OPTION_TIMEOUT };

static const char *
environment_or(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value && *value ? value : fallback;
}

static bool
wants_colour(bool terminal)
{
	const char *no = getenv("NO_COLOR"), *type = getenv("TERM");

	return terminal && !(no && *no) && type && strcmp(type, "dumb") != 0;
}

static bool
timeout_set(struct hactl *h, const char *text)
{
	int64_t ns;

	if (duration_parse(str_of(text), &ns) < 0 || ns <= 0 || ns > 3600 * NS_PER_S) {
		hactl_complain("--timeout must be a duration such as 500ms or 10s, at most an "
			       "hour, not \"%s\"",
		    text);
		return false;
	}
	h->lbd.timeout_ns = h->ha.timeout_ns = ns;
	return true;
}

/* Everything before the command's name.  ENDING_DONE and *first: go on there; *first 0: all is said. */
static enum ending
options_take(struct hactl *h, int argc, char **argv, int *first)
{
	static const struct option names[] = {
		{ "lbd-socket", required_argument, NULL, OPTION_LBD },
		{ "ha-socket", required_argument, NULL, OPTION_HA },
		{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*first = 0;
	while ((c = getopt_long(argc, argv, "+Vh", names, NULL)) >= 0) {
		switch (c) {
		case OPTION_LBD:
			h->lbd.path = optarg;
			break;
		case OPTION_HA:
			h->ha.path = optarg;
			break;
		case OPTION_TIMEOUT:
			if (!timeout_set(h, optarg))
				return ENDING_USAGE;
			break;
		case 'V':
			puts("hactl " LBPAIR_VERSION);
			return ENDING_DONE;
		case 'h':
			commands_print(stdout);
			return ENDING_DONE;
		default:
			commands_print(stderr);
			return ENDING_USAGE;
		}
	}
	*first = optind;
	return ENDING_DONE;
}

static bool
asks_for_help(char **words)
{
	for (; *words && strcmp(*words, "--") != 0; words++)
		if (strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0)
			return true;
	return false;
}

static enum ending
command_run(struct hactl *h, int argc, char **argv)
{
	const struct command *command = argc ? command_find(argv[0]) : NULL;
	char suggestion[64];

	if (command && asks_for_help(argv + 1)) {
		command_print(command, h->out);
		return ENDING_DONE;
	}
	if (command)
		return command->run(h, command, argc, argv);
	if (argc) {
		command_suggest(argv[0], suggestion, sizeof(suggestion));
		hactl_complain("no command \"%s\"%s", argv[0], suggestion);
		fputs("\"hactl help\" lists them\n", stderr);
	} else {
		commands_print(stderr);
	}
	return ENDING_USAGE;
}

int
main(int argc, char **argv)
{
	bool terminal = isatty(STDOUT_FILENO);
	struct hactl h = {
		.lbd = { .name = "lbd",
		    .path = environment_or("LBPAIR_LBD_SOCKET", "/run/lbpair/lbd.sock"),
		    .timeout_ns = 5 * NS_PER_S },
		.ha = { .name = "hafailover",
		    .path = environment_or("LBPAIR_HA_SOCKET", "/run/lbpair/hafailover.sock"),
		    .timeout_ns = 5 * NS_PER_S },
		.out = stdout,
		.terminal = terminal,
		.look = { live_columns(STDOUT_FILENO), wants_colour(terminal) },
	};
	enum ending ending;
	int first;

	setlocale(LC_CTYPE, "C.UTF-8");
	ending = options_take(&h, argc, argv, &first);
	if (ending == ENDING_DONE && first)
		ending = command_run(&h, argc - first, argv + first);
	daemon_close(&h.lbd);
	daemon_close(&h.ha);
	if (fflush(stdout) != 0 && ending == ENDING_DONE)
		ending = ENDING_REFUSED;
	return (int)ending;
}
