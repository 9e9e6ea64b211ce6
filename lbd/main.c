/* main.c - the command line of lbd; all else is the supervisor's. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "common/problems.h"
#include "lbd/config/config.h"
#include "lbd/supervisor/supervisor.h"
#include "lbd/tls/context.h"

enum { EXIT_USAGE = 2, OPTION_NODE = 256 };

enum mode { MODE_SERVE, MODE_CHECK, MODE_PRINT };

static void
usage_print(FILE *to)
{
	fputs(
	    "usage: lbd [-c FILE] [--node NAME] [-t | -T]\n"
	    "       lbd -V | -h\n"
	    "  -c FILE      configuration (default: /etc/lbpair/lbd.json)\n"
	    "  --node NAME  the name of this node (default: the host name)\n"
	    "  -t           check the configuration and exit\n"
	    "  -T           print the effective configuration and exit\n"
	    "  -V           print the version and exit\n"
	    "  -h           this help\n"
	    "Signals: HUP reload, USR1 reopen log files, TERM drain and end, twice: end at once.\n",
	    to);
}

/* NULL when there are problems; they are on standard error then. */
static struct lbd_config *
config_open(const struct config_options *options, enum mode mode)
{
	struct lbd_config *config = NULL;
	struct tls_files files = { 0 };
	struct problems problems;
	struct err err;
	char *text = NULL;
	size_t i, n = 0;

	problems_init(&problems);
	if (file_read(options->file, CONFIG_SIZE_MAX, &text, &n, &err) < 0)
		problems_add(&problems, 0, "%s", err.text);
	else
		config = config_load((struct str){ text, n }, options, &problems);
	if (config && mode == MODE_CHECK) {
		tls_files_load(&files, config, NULL, &problems);
		tls_files_fini(&files);
		if (problems.n)
			config_unref(&config);
	}
	for (i = 0; i < problems.kept; i++)
		fprintf(stderr, "%s\n", problems.list[i].text);
	if (problems.n > problems.kept)
		fprintf(stderr, "%s: and %zu more\n", options->file, problems.n - problems.kept);
	problems_fini(&problems);
	free(text);
	return config;
}

static int
config_check(const struct config_options *options, enum mode mode)
{
	struct lbd_config *config = config_open(options, mode);
	char *text = NULL;
	int n;

	if (!config)
		return EXIT_FAILURE;
	if (mode == MODE_PRINT)
		text = config_print(config);
	n = text ? printf("%s", text) : mode == MODE_CHECK ? printf("%s: ok\n", options->file) : -1;
	free(text);
	config_unref(&config);
	return n > 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* So that no socket ever becomes standard error. */
static void
standard_streams_ensure(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "node", required_argument, NULL, OPTION_NODE },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct supervisor_options options = { .config.file = "/etc/lbpair/lbd.json",
		.proxy_main = proxy_process_run };
	enum mode mode = MODE_SERVE;
	int c;

	while ((c = getopt_long(argc, argv, "c:tTVh", names, NULL)) >= 0) {
		switch (c) {
		case 'c':
			options.config.file = optarg;
			break;
		case OPTION_NODE:
			options.config.node = optarg;
			break;
		case 't':
			mode = MODE_CHECK;
			break;
		case 'T':
			mode = MODE_PRINT;
			break;
		case 'V':
			puts("lbd " LBPAIR_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage_print(stdout);
			return EXIT_SUCCESS;
		default:
			usage_print(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "lbd: unexpected argument \"%s\"\n", argv[optind]);
		usage_print(stderr);
		return EXIT_USAGE;
	}
	standard_streams_ensure();
	log_init("lbd");
	return mode == MODE_SERVE ? supervisor_run(&options) : config_check(&options.config, mode);
}
