/*
 * supervisor.c - start, signals, end.
 *
 * At the start everything that can fail is tried before the first process is forked, and a failure undoes what
 * was done.  The control socket comes first: on it a second lbd with the same configuration notices the first.
 */
#include "lbd/supervisor/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/problems.h"
#include "common/sd_notify.h"
#include "lbd/balance/server_table.h"
#include "lbd/supervisor/descriptor_limit.h"
#include "lbd/supervisor/state.h"
#include "lbd/tls/context.h"

static const char control_group[] = "lbpair";
static const int64_t cut_grace_ns = NS_PER_S; /* the proxy process cuts at the deadline itself */

void
supervisor_end(struct supervisor *s, int status)
{
	s->status = status;
	ev_break(s->loop, EVBREAK_ALL);
}

static void
supervisor_drain(struct supervisor *s, const char *signal_name)
{
	int64_t takes = s->config->timeouts.drain;
	struct channel_message m;
	struct err err;

	log_notice("draining", "signal=%s timeout_ms=%" PRId64, signal_name, takes / NS_PER_MS);
	s->draining = true;
	sd_notify_stopping(takes + 5 * NS_PER_S);
	reload_abort(s);
	listen_table_fini(&s->listens);
	channel_message_init(&m, CHANNEL_DRAIN);
	m.number = (uint64_t)(clock_ns() + takes);
	if (!s->proxy.pid) {
		supervisor_end(s, 0);
	} else if (child_send(&s->proxy, &m, &err) < 0) {
		log_err("channel_failed", "reason=%s", log_quoted(str_of(err.text)).text);
		child_kill(&s->proxy, SIGKILL);
	} else {
		ev_timer_set(&s->cut, (double)(takes + cut_grace_ns) / (double)NS_PER_S, 0.);
		ev_timer_start(s->loop, &s->cut);
	}
}

static void
on_cut(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct supervisor *s = w->data;

	(void)loop;
	(void)revents;
	log_warning("drain_cut", "pid=%d", (int)s->proxy.pid);
	child_kill(&s->proxy, SIGKILL);
}

static void
on_terminate(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct supervisor *s = w->data;
	const char *name = sigabbrev_np(w->signum);

	(void)loop;
	(void)revents;
	if (!s->draining) {
		supervisor_drain(s, name);
		return;
	}
	log_warning("stopped_at_once", "signal=%s", name);
	child_kill(&s->proxy, SIGKILL);
	supervisor_end(s, 1);
}

static void
on_hangup(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	reload_ask(w->data, RELOAD_ALL, NULL);
}

/* New descriptors for the same paths, here and in the proxy process. */
static int
logs_reopen(struct supervisor *s, struct err *err)
{
	struct log_files files;
	struct channel_message m;
	int code = log_files_open(&files, &s->config->log, err);

	if (code)
		return code;
	channel_message_init(&m, CHANNEL_LOGS);
	m.log_fd = files.log_fd;
	m.access_log_fd = files.access_fd;
	if (s->proxy.pid)
		code = child_send(&s->proxy, &m, err);
	if (s->access_log_fd >= 0)
		close(s->access_log_fd);
	s->access_log_fd = files.access_fd;
	return log_files_use(&s->config->log, files.log_fd, err) < 0 ? err->code : code;
}

static void
on_usr1(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct supervisor *s = w->data;
	struct err err;

	(void)loop;
	(void)revents;
	if (logs_reopen(s, &err) < 0)
		log_err("logs_reopen_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	else
		log_notice("logs_reopened", NULL);
}

static void
signal_start(
    struct supervisor *s, ev_signal *w, int number, void (*fn)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(w, fn, number);
	w->data = s;
	ev_signal_start(s->loop, w);
}

static void
signals_start(struct supervisor *s)
{
	signal(SIGPIPE, SIG_IGN);
	signal_start(s, &s->term, SIGTERM, on_terminate);
	signal_start(s, &s->interrupt, SIGINT, on_terminate);
	signal_start(s, &s->hangup, SIGHUP, on_hangup);
	signal_start(s, &s->usr1, SIGUSR1, on_usr1);
}

static void
signals_stop(struct supervisor *s)
{
	ev_signal_stop(s->loop, &s->term);
	ev_signal_stop(s->loop, &s->interrupt);
	ev_signal_stop(s->loop, &s->hangup);
	ev_signal_stop(s->loop, &s->usr1);
}

const struct address *
supervisor_admin_address(const struct lbd_config *config)
{
	return config->admin.http_on ? &config->admin.http : NULL;
}

/* Its directory, if only the last part is missing: /run/lbpair after a boot. */
static void
directory_make(struct str path)
{
	char text[PATH_MAX];
	char *slash;

	snprintf(text, sizeof(text), "%.*s", STR_ARG(path));
	slash = strrchr(text, '/');
	if (!slash || slash == text)
		return;
	*slash = '\0';
	mkdir(text, 0755); /* if it fails, so does the bind, and says why */
}

static int
control_open(struct supervisor *s, struct err *err)
{
	struct unix_socket_access access = { 0660, unix_socket_group(control_group) };

	if (access.group != (gid_t)-1 && geteuid() != 0 && !group_member(access.group))
		access.group = (gid_t)-1; /* not ours to give */
	directory_make(s->config->admin.socket);
	s->control_fd = unix_socket_listen(&s->control_file, s->config->admin.socket, &access, err);
	return s->control_fd < 0 ? s->control_fd : 0;
}

static int
servers_map(struct supervisor *s, struct err *err)
{
	size_t size = server_table_shared_size();

	s->servers = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->servers == MAP_FAILED) {
		s->servers = NULL;
		return err_set(err, -errno, "cannot map %zu bytes: %s", size, strerror(errno));
	}
	return 0;
}

static int
config_take(struct supervisor *s, struct err *err)
{
	const struct config_options *o = &s->options.config;
	struct problems problems;
	size_t i;
	int code = file_read(o->file, CONFIG_SIZE_MAX, &s->text, &s->text_n, err);

	if (code)
		return code;
	problems_init(&problems);
	s->config = config_load((struct str){ s->text, s->text_n }, o, &problems);
	if (s->config)
		tls_files_load(&s->files, s->config, NULL, &problems);
	if (s->config && tls_files_give(&s->files, s->config) < 0)
		problems_add(&problems, 0, "%s: out of memory", o->file);
	for (i = 0; i < problems.kept; i++)
		log_err(
		    "config_problem", "text=%s", log_quoted(str_of(problems.list[i].text)).text);
	if (problems.n)
		code = err_set(err, -EINVAL, "%s has %zu problems", o->file, problems.n);
	problems_fini(&problems);
	return code;
}

static int
logs_take(struct supervisor *s, struct err *err)
{
	struct log_files files;
	int code = log_files_open(&files, &s->config->log, err);

	if (code)
		return code;
	s->access_log_fd = files.access_fd;
	return log_files_use(&s->config->log, files.log_fd, err);
}

/* Everything but the first process.  0 or -errno with a reason. */
static int
supervisor_prepare(struct supervisor *s, struct err *err)
{
	const struct address *admin;
	int code = config_take(s, err);

	if (!code)
		code = logs_take(s, err);
	if (code)
		return code;
	log_info("started", "version=%s pid=%d file=%s node=%s", LBPAIR_VERSION, (int)getpid(),
	    log_quoted(str_of(s->options.config.file)).text, log_quoted(s->config->node).text);
	descriptor_limit_raise(s->config);
	listen_table_init(&s->listens, s->config->workers, 0666);
	listen_table_init(&s->admin, 1, 0660);
	code = identity_find(&s->identity, s->config->user, err);
	if (!code)
		code = control_open(s, err);
	if (!code)
		code = listen_table_open(&s->listens, s->config, err);
	admin = supervisor_admin_address(s->config);
	if (!code && admin)
		code = listen_table_open_address(&s->admin, admin, err);
	if (!code)
		code = servers_map(s, err);
	if (code)
		return code;
	listen_table_commit(&s->listens, s->config);
	listen_table_commit_address(&s->admin, admin);
	if (s->identity.uid == 0)
		log_warning("proxy_runs_as_root", "hint=\"set user in the configuration\"");
	return 0;
}

static void
fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void
supervisor_fini(struct supervisor *s)
{
	signals_stop(s);
	listen_table_fini(&s->listens);
	listen_table_fini(&s->admin);
	unix_socket_remove(&s->control_file);
	fd_close(s->control_fd);
	fd_close(s->access_log_fd);
	if (s->servers)
		munmap(s->servers, server_table_shared_size());
	tls_files_fini(&s->files);
	free(s->text);
	free(s->names);
	config_unref(&s->config);
	ev_loop_destroy(s->loop);
}

static void
supervisor_init(struct supervisor *s, const struct supervisor_options *options)
{
	*s = (struct supervisor){ .options = *options,
		.loop = ev_default_loop(EVFLAG_AUTO),
		.control_fd = -1,
		.access_log_fd = -1 };
	ev_timer_init(&s->cut, on_cut, 0., 0.);
	s->cut.data = s;
	watch_init(s);
	reload_init(s);
	signals_start(s);
}

int
supervisor_run(const struct supervisor_options *options)
{
	struct supervisor s;
	struct err err;

	supervisor_init(&s, options);
	if (supervisor_prepare(&s, &err) == 0 && watch_start(&s, &err) == 0) {
		ev_run(s.loop, 0);
		log_info("stopped", "status=%d", s.status);
	} else {
		log_err("start_failed", "reason=%s", log_quoted(str_of(err.text)).text);
		s.status = 1;
	}
	log_flush();
	supervisor_fini(&s);
	return s.status;
}
