/* witness_main.c - reads, checks or prints the configuration of a witness, or serves with it. */
#include "hafailover/witness/witness_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/file.h"
#include "common/sd_notify.h"
#include "hafailover/admin/service.h"
#include "hafailover/witness/witness.h"

/* NULL when there are problems; they are on standard error then. */
static struct witness_config *
config_open(const char *file)
{
	struct witness_config *config = NULL;
	struct problems problems;
	struct err err;
	char *text = NULL;
	size_t n = 0;

	problems_init(&problems);
	if (file_read(file, HA_CONFIG_SIZE_MAX, &text, &n, &err) < 0)
		problems_add(&problems, 0, "%s", err.text);
	else
		config = witness_config_load((struct str){ text, n }, file, &problems);
	for (size_t i = 0; i < problems.kept; i++)
		fprintf(stderr, "%s\n", problems.list[i].text);
	if (problems.n > problems.kept)
		fprintf(stderr, "%s: and %zu more\n", file, problems.n - problems.kept);
	problems_fini(&problems);
	free(text);
	return config;
}

static bool
secrets_check(const char *file, const struct witness_config *config)
{
	struct err err;

	if (witness_config_check(config, &err) == 0)
		return true;
	fprintf(stderr, "%s: %s\n", file, err.text);
	return false;
}

static bool
print(const struct witness_config *config)
{
	char *text = witness_config_print(config);
	bool printed = text && printf("%s", text) > 0;

	free(text);
	return printed;
}

static int
look(const char *file, enum witness_mode mode)
{
	struct witness_config *config = config_open(file);
	bool good = false;

	if (config && mode == WITNESS_PRINT)
		good = print(config);
	else if (config && secrets_check(file, config))
		good = printf("%s: ok\n", file) > 0;
	witness_config_free(&config);
	return good && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- serve --- */

static void
on_stop(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	sd_notify_stopping(0);
	ev_break(loop, EVBREAK_ALL);
}

static void
on_hangup(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	witness_reload(w->data);
}

static void
on_user(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	witness_log_reopen(w->data);
}

static void
run(struct ev_loop *loop, struct witness *witness)
{
	ev_signal term, interrupt, hangup, user;

	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&term, on_stop, SIGTERM);
	ev_signal_init(&interrupt, on_stop, SIGINT);
	ev_signal_init(&hangup, on_hangup, SIGHUP);
	ev_signal_init(&user, on_user, SIGUSR1);
	hangup.data = user.data = witness;
	ev_signal_start(loop, &term);
	ev_signal_start(loop, &interrupt);
	ev_signal_start(loop, &hangup);
	ev_signal_start(loop, &user);
	sd_notify_ready();
	ev_run(loop, 0);
	ev_signal_stop(loop, &term);
	ev_signal_stop(loop, &interrupt);
	ev_signal_stop(loop, &hangup);
	ev_signal_stop(loop, &user);
}

static struct witness *
start(struct ev_loop *loop, struct witness_config **config, const char *file, struct err *err)
{
	if (service_log_use(&(*config)->log, err) < 0)
		return NULL;
	return witness_start(loop, config, file, err);
}

static int
serve(const char *file)
{
	struct witness_config *config = config_open(file);
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOSIGMASK);
	struct witness *witness;
	struct err err;
	int status = EXIT_FAILURE;

	if (!config)
		return status;
	witness = start(loop, &config, file, &err);
	if (witness) {
		run(loop, witness);
		status = EXIT_SUCCESS;
		log_notice("ended", "status=0");
	} else {
		log_crit("start_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	}
	log_flush();
	witness_free(&witness);
	witness_config_free(&config);
	ev_loop_destroy(loop);
	return status;
}

int
witness_main(const char *file, enum witness_mode mode)
{
	return mode == WITNESS_SERVE ? serve(file) : look(file, mode);
}
