/* commands.c - the table, and help out of it. */
#include "hafailover/hactl/commands.h"

#include "common/suggest.h"
#include "hafailover/hactl/arguments.h"

static enum ending help_run(struct hactl *, const struct command *, int argc, char **argv);

const struct command commands[] = {
	{ "status", "[--json | --watch]",
	    "Both nodes: who is active, since when and why, and what is wrong.\n"
	    "Where hafailover does not run, lbd alone.  --watch draws it anew until q is pressed,\n"
	    "--json prints hafailover's answer (or lbd's, where hafailover does not run).",
	    status_run },
	{ "failover", "[--to NODE] [--away] [--force] [--wait] [--json]",
	    "Moves the virtual addresses to the other node, or to NODE; no new connection fails.\n"
	    "Refused, with the reason, when that node is not ready.  --force moves them although "
	    "the\n"
	    "configurations differ or no server is up there.  --wait waits until it is the active "
	    "one.\n"
	    "--away does so only where this node has them.",
	    failover_run },
	{ "standby", "on|off [--force] [--json]",
	    "This node gives the virtual addresses up and does not take them again; or may again.\n"
	    "Refused where nobody would serve then, unless --force is given.  Kept over restarts.",
	    standby_run },
	{ "history", "[--json]", "Every change of a role: when, what, why.", history_run },
	{ "servers", "[--watch | --json | --names]",
	    "The servers of all pools: health, weight, load.\n"
	    "--names prints POOL/NAME of each and no more.",
	    servers_run },
	{ "server", "POOL/NAME ready|drain|maintenance|weight N [--wait | --json]",
	    "Drains a server, takes it out, brings it back, or changes its weight.\n"
	    "drain, maintenance: no new requests; those that run may end, and --wait waits for "
	    "the\n"
	    "last of them, and for lbd's last connection there.  weight: 0..256, or \"default\" "
	    "for the\n"
	    "configured one.  Kept over reloads and crashes of the proxy process, not over a "
	    "restart\n"
	    "of lbd.",
	    server_run },
	{ "reload", "[lbd | hafailover]",
	    "Reads the configuration again, of both daemons or of one.\n"
	    "If anything is wrong with it nothing changes, and what is wrong is printed.",
	    reload_run },
	{ "certificate", "[list [--json] | renew | replace FILE CERTIFICATE KEY]",
	    "lbd's certificates: how long they are good for; the same files read again; others.\n"
	    "renew reads them anew, at once and without the configuration.  replace puts the "
	    "contents\n"
	    "of CERTIFICATE and KEY in the place of FILE, as list names it, and of its key, and "
	    "renews.\n"
	    "Where anything is wrong with them nothing changes.  Each node has files of its own.",
	    certificate_run },
	{ "check", "[--node NAME] [FILE...]",
	    "Checks configurations without using them: lbd -t, hafailover -t.\n"
	    "By default the installed ones.  Which daemon a FILE is for is seen by its keys, or "
	    "by\n"
	    "its name.  --node says for which node, where they are checked on another machine.",
	    check_run },
	{ "top", "",
	    "Live view of lbd: requests per second, latency, codes, servers, connections.\n"
	    "q or Ctrl-C ends it.  Without a terminal it prints one second and ends.",
	    top_run },
	{ "setup",
	    "[--peer ADDRESS] [--vip ADDRESS,...] [--server HOST:PORT,...] [--address ADDRESS] "
	    "[--interface NAME] [--name NAME] [--peer-name NAME] [--directory DIRECTORY] | "
	    "--export | --join",
	    "Writes the files of a new pair: both configurations, and a fresh secret.\n"
	    "On a terminal it asks for what is not given.  --export prints the files for the "
	    "other\n"
	    "node, whose --join reads them:\n"
	    "  hactl setup --export | ssh root@NODE hactl setup --join\n"
	    "No file that is there already is replaced.",
	    setup_run },
	{ "help", "[COMMAND]", "This list, or all about a command.", help_run },
	{ 0 },
};

const struct command *
command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

void
command_suggest(const char *name, char *text, size_t size)
{
	struct suggestion s = { 0 };

	for (const struct command *c = commands; c->name; c++)
		suggest_offer(&s, str_of(name), str_of(c->name));
	text[0] = '\0';
	if (s.word.p)
		snprintf(text, size, "; did you mean %.*s?", STR_ARG(s.word));
}

void
commands_print(FILE *to)
{
	fputs("usage: hactl [OPTION...] COMMAND [ARGUMENT...]\n\n", to);
	for (const struct command *c = commands; c->name; c++)
		fprintf(to, "  %-10s %.*s\n", c->name, (int)strcspn(c->help, "\n"), c->help);
	fputs("\n"
	      "  --lbd-socket PATH   lbd's control socket (LBPAIR_LBD_SOCKET,\n"
	      "                      default /run/lbpair/lbd.sock)\n"
	      "  --ha-socket PATH    hafailover's (LBPAIR_HA_SOCKET, default\n"
	      "                      /run/lbpair/hafailover.sock)\n"
	      "  --timeout DURATION  how long to wait for a daemon (default 5s)\n"
	      "  -V, --version       print the version\n"
	      "  -h, --help          this help; after a command, its own\n"
	      "\n"
	      "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 daemon not reachable.\n",
	    to);
}

void
command_print(const struct command *c, FILE *to)
{
	fprintf(
	    to, "usage: hactl %s%s%s\n\n%s\n", c->name, c->usage[0] ? " " : "", c->usage, c->help);
}

static enum ending
help_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	int n = arguments_take(command, NULL, argv, 0, 1);
	const struct command *about = n == 1 ? command_find(argv[0]) : NULL;
	char suggestion[64];

	(void)argc;
	if (n < 0)
		return ENDING_USAGE;
	if (about) {
		command_print(about, h->out);
	} else if (n == 1) {
		command_suggest(argv[0], suggestion, sizeof(suggestion));
		return arguments_refuse(command, "no command \"%s\"%s", argv[0], suggestion);
	} else {
		commands_print(h->out);
	}
	return ENDING_DONE;
}
