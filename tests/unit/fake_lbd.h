/*
 * fake_lbd.h - a real supervisor with a proxy process that only plays one, for tests of the supervisor.
 *
 * The fake answers each connection's one-letter request: `i` its pid and generation, `l` asks for a reload and
 * answers with its result, `a` aborts, `s` stops its heartbeats.  What it does with a configuration, the name of
 * the first pool says: "refuse", "crash", "hang", or anything else: takes it.  The pool "stubborn" ignores drain.
 */
#ifndef TESTS_UNIT_FAKE_LBD_H
#define TESTS_UNIT_FAKE_LBD_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/problems.h"
#include "lbd/supervisor/channel.h"
#include "lbd/supervisor/log_files.h"
#include "lbd/supervisor/supervisor.h"

enum { PATIENCE_S = 20, FAKE_SOCKETS_MAX = 512 };

/* --- the proxy process --- */

struct fake {
	struct proxy_start *start;
	struct lbd_config *config;
	int asker; /* connection that waits for a reload's result */
	bool silent;
};

static inline void
fake_send(struct fake *f, enum channel_type type, uint64_t number, bool ok, const char *text)
{
	struct channel_message m;
	struct err err;

	channel_message_init(&m, type);
	m.number = number;
	m.ok = ok;
	m.text = str_of(text);
	channel_send(f->start->channel_fd, &m, &err);
}

static inline void
fake_take_config(struct fake *f, struct channel_message *m)
{
	struct problems problems = { 0 };
	struct lbd_config *config;
	struct err err;
	bool ok = true;

	config = config_load(m->text, &f->start->options, &problems);
	if (!config || str_eq(config->pools[0].name, STR("refuse"))) {
		fake_send(f, CHANNEL_RESULT, m->number, false,
		    config ? "the fake refuses" : problems.list[0].text);
		listen_table_rollback(f->start->listens);
		ok = false;
	} else if (str_eq(config->pools[0].name, STR("crash"))) {
		abort();
	} else if (str_eq(config->pools[0].name, STR("hang"))) {
		f->silent = true;
		ok = false;
	}
	problems_fini(&problems);
	if (!ok) {
		config_unref(&config);
		return;
	}
	listen_table_commit(f->start->listens, config);
	log_files_use(&config->log, m->log_fd, &err);
	m->log_fd = -1;
	config_unref(&f->config);
	f->config = config;
	fake_send(f, CHANNEL_RESULT, m->number, true, "");
}

static inline void
fake_take(struct fake *f, struct channel_message *m)
{
	struct address a;
	struct err err;
	unsigned i;

	if (m->type == CHANNEL_SOCKETS && address_parse(&a, m->text, &err) == 0) {
		for (i = 0; i < m->n_sockets; i++)
			listen_table_add(
			    f->start->listens, &a, (unsigned)m->number + i, m->sockets[i], &err);
		m->n_sockets = 0;
	} else if (m->type == CHANNEL_CONFIG) {
		fake_take_config(f, m);
	} else if (m->type == CHANNEL_RELOAD_RESULT) {
		dprintf(f->asker, "%llu %s %s", (unsigned long long)m->number,
		    m->ok ? "ok" : "refused", m->text.p);
		close(f->asker);
	} else if (m->type == CHANNEL_LOGS) {
		log_files_use(&f->config->log, m->log_fd, &err);
		m->log_fd = -1;
		if (m->access_log_fd >= 0)
			dprintf(m->access_log_fd, "access\n");
	} else if (m->type == CHANNEL_DRAIN) {
		if (!str_eq(f->config->pools[0].name, STR("stubborn")))
			_exit((int64_t)m->number > clock_ns() ? 0 : 3);
	}
}

static inline void
fake_serve(struct fake *f, int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	char request = 0;

	if (fd < 0 || read(fd, &request, 1) != 1) {
		close(fd);
		return;
	}
	if (request == 'a')
		abort();
	f->silent |= request == 's';
	if (request == 'l') {
		f->asker = fd;
		fake_send(f, CHANNEL_RELOAD, 4711, false, NULL);
		return;
	}
	dprintf(fd, "%d %u", (int)getpid(), f->start->generation);
	close(fd);
}

/* Its file tells a process that it must not live: how to test a crash loop. */
static inline bool
fake_is_doomed(const struct proxy_start *start)
{
	char path[512];

	snprintf(path, sizeof(path), "%s.doom", start->options.file);
	return access(path, F_OK) == 0;
}

static inline int
fake_main(struct proxy_start *start)
{
	struct fake f = { .start = start, .config = config_ref(start->config), .asker = -1 };
	struct pollfd fds[1 + FAKE_SOCKETS_MAX] = { { .fd = start->channel_fd, .events = POLLIN } };
	struct channel_message m;
	struct err err;

	if (fake_is_doomed(start))
		abort();
	fake_send(&f, CHANNEL_READY, 0, true, NULL);
	for (;;) {
		unsigned n = 1, i, w;

		for (i = 0; i < start->listens->n; i++)
			for (w = 0; w < start->listens->sockets[i].n; w++)
				fds[n++] =
				    (struct pollfd){ start->listens->sockets[i].fds[w], POLLIN, 0 };
		poll(fds, n, 50);
		for (i = 1; i < n; i++)
			if (fds[i].revents)
				fake_serve(&f, fds[i].fd);
		if (fds[0].revents) {
			int code = channel_receive(start->channel_fd, &m, &err);

			if (code == 0)
				return 9;
			if (code > 0) {
				fake_take(&f, &m);
				channel_message_fini(&m);
			}
		}
		if (!f.silent)
			fake_send(&f, CHANNEL_HEARTBEAT, 0, true, NULL);
	}
}

/* --- the world around it --- */

struct world {
	char dir[64];
	char config[96], log[96], control[96], notify[96];
	int ports[3];
	int workers;
	char http[128]; /* admin.http */
	int also_port; /* a second address to listen on; 0: none */
	pid_t pid; /* of the supervisor; 0: it does not run */
	size_t log_at; /* what of the log was looked at */
	int64_t silence_ns;
	int notify_fd;
};

static inline int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static inline void
world_path(const struct world *w, char path[96], const char *name)
{
	snprintf(path, 96, "%s/%s", w->dir, name);
}

static inline void
file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* A file's text; the caller frees it. */
static inline char *
file_read(const char *path)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		return strdup("");
	if (getdelim(&text, &n, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

/* `more`: further members of the document, each with a comma in front. */
static inline void
world_configure(
    const struct world *w, const char *pool, const char *server, int port, const char *more)
{
	char text[2048], also[32] = "";

	if (w->also_port)
		snprintf(also, sizeof(also), ", \"127.0.0.1:%d\"", w->also_port);
	snprintf(text, sizeof(text),
	    "{ \"workers\": %d, \"admin\": { \"socket\": \"%s\", \"http\": \"%s\" },\n"
	    "  \"listeners\": [ { \"bind\": [ \"127.0.0.1:%d\"%s ], \"pool\": \"%s\" } ],\n"
	    "  \"pools\": [ { \"name\": \"%s\", \"servers\": [ { \"address\": \"%s\" } ] } ] %s "
	    "}\n",
	    w->workers, w->control, w->http, port, also, pool, pool, server, more);
	file_write(w->config, text);
}

static inline int
world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int i;

	strcpy(w->dir, "/tmp/test_supervisor.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	chmod(w->dir, 0755);
	world_path(w, w->config, "lbd.json");
	world_path(w, w->log, "log");
	world_path(w, w->control, "lbd.sock");
	world_path(w, w->notify, "notify");
	for (i = 0; i < 3; i++)
		w->ports[i] = free_port();
	w->notify_fd = -1;
	w->workers = 2;
	strcpy(w->http, "off");
	world_configure(w, "web", "127.0.0.1:1", w->ports[0], "");
	*state = w;
	return 0;
}

static inline int
world_teardown(void **state)
{
	struct world *w = *state;
	char command[128];

	if (w->pid) {
		kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
	}
	if (w->notify_fd >= 0)
		close(w->notify_fd);
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static inline pid_t
world_fork(const struct world *w, const char *log)
{
	struct supervisor_options options = {
		.config.file = w->config, .proxy_main = fake_main, .silence_ns = w->silence_ns
	};
	pid_t pid;
	int fd;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	dup2(fd, STDERR_FILENO);
	close(fd);
	exit(supervisor_run(&options)); /* with the leak check of a sanitizer build */
}

static inline void
log_print(const struct world *w)
{
	char *text = file_read(w->log);

	print_message("--- log ---\n%s-----------\n", text);
	free(text);
}

static inline void
pause_briefly(void)
{
	usleep(2000);
}

/* Waits for an event after those seen before. */
static inline void
world_wait(struct world *w, const char *event)
{
	int64_t deadline = clock_ns() + PATIENCE_S * NS_PER_S;

	while (clock_ns() < deadline) {
		char *text = file_read(w->log);
		char *found = strlen(text) >= w->log_at ? strstr(text + w->log_at, event) : NULL;

		if (found)
			w->log_at = (size_t)(found - text) + strlen(event);
		free(text);
		if (found)
			return;
		pause_briefly();
	}
	log_print(w);
	fail_msg("no \"%s\" in the log", event);
}

static inline void
world_start(struct world *w)
{
	w->pid = world_fork(w, w->log);
	world_wait(w, "serving ");
}

/* Exit status, 128 + signal after one. */
static inline int
process_status(pid_t pid)
{
	int64_t deadline = clock_ns() + PATIENCE_S * NS_PER_S;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_ns() > deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		pause_briefly();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int
world_end_status(struct world *w)
{
	pid_t pid = w->pid;
	int status;

	w->pid = 0;
	status = process_status(pid);
	if (status)
		log_print(w);
	return status;
}

/* -1: refused. */
static inline int
port_connect(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval limit = { PATIENCE_S, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline bool
port_connects(int port)
{
	int fd = port_connect(port);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* One request to the fake; its answer, "" when it said none. */
static inline void
port_ask(int port, char request, char answer[256])
{
	int fd = port_connect(port);
	size_t n = 0;
	ssize_t got;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, &request, 1), 1);
	while (n < 255 && (got = read(fd, answer + n, 255 - n)) > 0)
		n += (size_t)got;
	answer[n] = '\0';
	close(fd);
}

static inline unsigned
port_generation(int port, pid_t *pid)
{
	unsigned generation = 0;
	char answer[256];

	port_ask(port, 'i', answer);
	assert_int_equal(sscanf(answer, "%d %u", pid, &generation), 2);
	return generation;
}

#endif
