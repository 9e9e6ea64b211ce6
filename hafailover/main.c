/* main.c - the command line of hafailover, its signals and its privileges; all else is the node's. */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "common/sd_notify.h"
#include "common/unix_socket.h"
#include "hafailover/admin/service.h"
#include "hafailover/node/node.h"
#include "hafailover/node/realtime.h"
#include "hafailover/steering/steering.h"
#include "hafailover/vip/vip.h"
#include "hafailover/witness/witness_main.h"

enum { EXIT_USAGE = 2, OPTION_NODE = 256, OPTION_RELEASE, OPTION_WITNESS };

enum mode { MODE_SERVE, MODE_CHECK, MODE_PRINT, MODE_RELEASE };

static const char control_group[] = "lbpair";

static void
usage_print(FILE *to)
{
	fputs("usage: hafailover [-c FILE] [--node NAME] [-t | -T | --release]\n"
	      "       hafailover --witness [-c FILE] [-t | -T]\n"
	      "       hafailover -V | -h\n"
	      "  -c FILE      configuration (default: /etc/lbpair/hafailover.json)\n"
	      "  --node NAME  the name of this node (default: found by its addresses)\n"
	      "  -t           check the configuration and the secret, and exit\n"
	      "  -T           print the effective configuration and exit\n"
	      "  --release    take all virtual addresses off this machine and exit\n"
	      "  --witness    lend votes to pairs, as /etc/lbpair/witness.json or -c FILE says\n"
	      "  -V           print the version and exit\n"
	      "  -h           this help\n"
	      "Signals: HUP reload, USR1 reopen the log, TERM hand over and end, twice: end at "
	      "once.\n",
	    to);
}

/* --- configuration --- */

/* NULL when there are problems; they are on standard error then. */
static struct ha_config *
config_open(const struct ha_config_options *options)
{
	struct ha_config *config = NULL;
	struct problems problems;
	struct err err;
	char *text = NULL;
	size_t n = 0;

	problems_init(&problems);
	if (file_read(options->file, HA_CONFIG_SIZE_MAX, &text, &n, &err) < 0)
		problems_add(&problems, 0, "%s", err.text);
	else
		config = ha_config_load((struct str){ text, n }, options, &problems);
	for (size_t i = 0; i < problems.kept; i++)
		fprintf(stderr, "%s\n", problems.list[i].text);
	if (problems.n > problems.kept)
		fprintf(stderr, "%s: and %zu more\n", options->file, problems.n - problems.kept);
	problems_fini(&problems);
	free(text);
	return config;
}

static bool
password_check(const struct ha_config_options *options, const struct ha_config *config)
{
	struct str file = config->instances[0].vrrp.password_file;
	uint8_t password[HA_PASSWORD_MAX];
	struct err err;
	bool good = file.n == 0 || ha_password_read(password, file.p, &err) == 0;

	explicit_bzero(password, sizeof(password));
	if (!good)
		fprintf(
		    stderr, "%s: instances[0].vrrp.password_file: %s\n", options->file, err.text);
	return good;
}

static bool
file_check(const struct ha_config_options *options, const char *key, struct str file)
{
	struct ha_secret secret;
	struct err err;
	bool good = file.n == 0 || ha_secret_read(&secret, file.p, &err) == 0;

	explicit_bzero(&secret, sizeof(secret));
	if (!good)
		fprintf(stderr, "%s: %s: %s\n", options->file, key, err.text);
	return good;
}

static bool
secrets_check(const struct ha_config_options *options, const struct ha_config *config)
{
	bool witness = file_check(options, "witness.secret_file", config->witness.secret_file);

	if (ha_config_is_vrrp(config))
		return password_check(options, config);
	return file_check(options, "secret_file", config->secret_file) && witness;
}

static int
config_check(const struct ha_config_options *options, enum mode mode)
{
	struct ha_config *config = config_open(options);
	char *text = NULL;
	int n = -1;

	if (!config)
		return EXIT_FAILURE;
	if (mode == MODE_PRINT)
		text = ha_config_print(config);
	if (text)
		n = printf("%s", text);
	else if (mode == MODE_CHECK && secrets_check(options, config))
		n = printf("%s: ok\n", options->file);
	free(text);
	ha_config_free(&config);
	return n > 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- --release --- */

static size_t
known_vips(const struct ha_config *config, struct vip_config list[HA_VIPS_MAX])
{
	const struct ha_instance_config *in = &config->instances[0];

	for (uint32_t i = 0; i < in->n_vips; i++) {
		list[i] = (struct vip_config){ .address = in->vips[i].address,
			.prefix = (uint8_t)in->vips[i].prefix };
		if (in->vips[i].interface.n)
			memcpy(list[i].interface, in->vips[i].interface.p, in->vips[i].interface.n);
	}
	return in->n_vips;
}

/* A configuration that cannot be read is no reason to leave addresses behind. */
static int
release(const struct ha_config_options *options)
{
	static struct vip_config known[HA_VIPS_MAX];
	struct ha_config *config = config_open(options);
	size_t n = config ? known_vips(config, known) : 0;
	struct err err;
	int released = vip_release_all(known, n, &err);

	steering_remove_all();
	ha_config_free(&config);
	if (released < 0) {
		fprintf(stderr, "hafailover: %s\n", err.text);
		return EXIT_FAILURE;
	}
	if (released > 0)
		printf("%d addresses released\n", released);
	return EXIT_SUCCESS;
}

/* --- serve --- */

struct serving {
	struct ev_loop *loop;
	struct node *node;
	ev_signal term, interrupt, hangup, user;
	struct unix_socket_file control_file;
};

static void
on_stop(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct serving *s = w->data;

	(void)loop;
	(void)revents;
	node_stop(s->node);
}

static void
on_hangup(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct serving *s = w->data;

	(void)loop;
	(void)revents;
	node_reload(s->node);
}

static void
on_user(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct serving *s = w->data;

	(void)loop;
	(void)revents;
	node_log_reopen(s->node);
}

static void
signals_start(struct serving *s)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* inherited as ignored, no child could be waited for */
	ev_signal_init(&s->term, on_stop, SIGTERM);
	ev_signal_init(&s->interrupt, on_stop, SIGINT);
	ev_signal_init(&s->hangup, on_hangup, SIGHUP);
	ev_signal_init(&s->user, on_user, SIGUSR1);
	s->term.data = s->interrupt.data = s->hangup.data = s->user.data = s;
	ev_signal_start(s->loop, &s->term);
	ev_signal_start(s->loop, &s->interrupt);
	ev_signal_start(s->loop, &s->hangup);
	ev_signal_start(s->loop, &s->user);
}

static int
control_listen(struct serving *s, const struct ha_config *config, struct err *err)
{
	struct unix_socket_access access = { 0660, unix_socket_group(control_group) };

	if (access.group != (gid_t)-1 && geteuid() != 0 && !group_member(access.group))
		access.group = (gid_t)-1; /* not ours to give */
	return unix_socket_listen(&s->control_file, config->control, &access, err);
}

static int
sockets_open(
    struct serving *s, const struct ha_config *config, struct node_options *o, struct err *err)
{
	o->control_fd = control_listen(s, config, err);
	if (o->control_fd < 0)
		return o->control_fd;
	if (!config->http_on)
		return 0;
	o->http_fd = service_http_open(&config->http, err);
	return o->http_fd < 0 ? o->http_fd : 0;
}

static void
realtime_tell(void)
{
	struct realtime r = realtime_enter();

	log_notice("realtime", "priority=%s memory_locked=%s%s%s", r.priority ? "yes" : "no",
	    r.memory ? "yes" : "no", r.why_not ? " reason=" : "",
	    r.why_not ? log_quoted(str_of(r.why_not)).text : "");
}

static int
run(struct serving *s, struct ha_config **config, struct node_options *o, struct err *err)
{
	if (sockets_open(s, *config, o, err) < 0)
		return err->code;
	s->node = node_start(s->loop, config, o, err);
	if (!s->node)
		return err->code;
	signals_start(s);
	realtime_tell();
	sd_notify_ready();
	ev_run(s->loop, 0);
	node_free(&s->node);
	return 0;
}

static int
serve(const struct ha_config_options *options)
{
	struct ha_config *config = config_open(options);
	struct node_options o = { .config = *options, .control_fd = -1, .http_fd = -1 };
	/* not the default loop: that one waits for all children itself */
	struct serving s = { .loop = ev_loop_new(EVFLAG_NOSIGMASK) };
	struct err err;
	int code;

	if (!config)
		return EXIT_FAILURE;
	code = service_log_use(&config->log, &err);
	if (!code)
		code = run(&s, &config, &o, &err);
	if (code)
		log_crit("start_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	else
		log_notice("ended", "status=0");
	log_flush();
	unix_socket_remove(&s.control_file);
	ha_config_free(&config);
	return code ? EXIT_FAILURE : EXIT_SUCCESS;
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

static int
mode_run(enum mode mode, const struct ha_config_options *options)
{
	switch (mode) {
	case MODE_SERVE:
		return serve(options);
	case MODE_CHECK:
	case MODE_PRINT:
		return config_check(options, mode);
	case MODE_RELEASE:
		return release(options);
	}
	return EXIT_FAILURE;
}

static int
witness_run(enum mode mode, const char *file)
{
	if (mode == MODE_CHECK)
		return witness_main(file, WITNESS_CHECK);
	return witness_main(file, mode == MODE_PRINT ? WITNESS_PRINT : WITNESS_SERVE);
}

int
main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "node", required_argument, NULL, OPTION_NODE },
		{ "release", no_argument, NULL, OPTION_RELEASE },
		{ "witness", no_argument, NULL, OPTION_WITNESS },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct ha_config_options options = { .file = NULL };
	enum mode mode = MODE_SERVE;
	bool witness = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:tTVh", names, NULL)) >= 0) {
		switch (c) {
		case 'c':
			options.file = optarg;
			break;
		case OPTION_NODE:
			options.node = optarg;
			break;
		case 't':
			mode = MODE_CHECK;
			break;
		case 'T':
			mode = MODE_PRINT;
			break;
		case OPTION_RELEASE:
			mode = MODE_RELEASE;
			break;
		case OPTION_WITNESS:
			witness = true;
			break;
		case 'V':
			puts("hafailover " LBPAIR_VERSION);
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
		fprintf(stderr, "hafailover: unexpected argument \"%s\"\n", argv[optind]);
		usage_print(stderr);
		return EXIT_USAGE;
	}
	if (witness && (options.node || mode == MODE_RELEASE)) {
		fprintf(stderr, "hafailover: a witness is no node and has no addresses\n");
		return EXIT_USAGE;
	}
	standard_streams_ensure();
	log_init("hafailover");
	if (!options.file)
		options.file = witness ? "/etc/lbpair/witness.json" : "/etc/lbpair/hafailover.json";
	return witness ? witness_run(mode, options.file) : mode_run(mode, &options);
}
