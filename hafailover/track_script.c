/*
 * track_script.c - fork, exec, a descriptor that becomes readable when the process ends.
 *
 * fork and not vfork: the loop must not wait until the shell has been read from the disk.
 */
#include "hafailover/track_script.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"

enum { SCRIPT_MAGIC = 0x68736372 };

struct track_script {
	uint32_t magic;
	struct ev_loop *loop;
	void (*changed)(void *owner);
	void *owner;
	char *command;
	int64_t interval_ns, timeout_ns;
	uint32_t fall, rise;
	bool ran, good;
	uint32_t row; /* results in a row that speak against `good` */
	char reason[80];
	pid_t pid; /* 0: does not run */
	ev_io ended; /* its pidfd */
	ev_timer start, timeout;
	bool timed_out;
};

/* --- the verdict --- */

static void
verdict_set(struct track_script *s, bool good)
{
	bool changed = !s->ran || s->good != good;

	s->ran = true;
	s->good = good;
	s->row = 0;
	if (!changed)
		return;
	if (good)
		log_info("script_passed", "command=%s", log_quoted(str_of(s->command)).text);
	else
		log_warning("script_failed", "command=%s reason=%s",
		    log_quoted(str_of(s->command)).text, log_quoted(str_of(s->reason)).text);
	s->changed(s->owner);
}

static void
result(struct track_script *s, bool passed)
{
	if (!s->ran)
		verdict_set(s, passed);
	else if (passed == s->good)
		s->row = 0;
	else if (++s->row >= (s->good ? s->fall : s->rise))
		verdict_set(s, passed);
}

/* --- the process --- */

_Noreturn static void
child_exec(const char *command)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static void
script_forget(struct track_script *s)
{
	ev_timer_stop(s->loop, &s->timeout);
	if (ev_is_active(&s->ended)) {
		ev_io_stop(s->loop, &s->ended);
		close(s->ended.fd);
	}
	s->pid = 0;
}

static void
script_run(struct track_script *s)
{
	pid_t pid = fork();
	int fd;

	if (pid == 0)
		child_exec(s->command);
	if (pid < 0) {
		snprintf(s->reason, sizeof(s->reason), "cannot fork: %s", strerror(errno));
		result(s, false);
		return;
	}
	setpgid(pid, pid); /* whoever comes first */
	s->pid = pid;
	s->timed_out = false;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0) {
		snprintf(s->reason, sizeof(s->reason), "no pidfd: %s", strerror(errno));
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		s->pid = 0;
		result(s, false);
		return;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	ev_io_set(&s->ended, fd, EV_READ);
	ev_io_start(s->loop, &s->ended);
	ev_timer_set(&s->timeout, (double)s->timeout_ns / NS_PER_S, 0.);
	ev_timer_start(s->loop, &s->timeout);
}

static void
status_explain(struct track_script *s, int status)
{
	if (s->timed_out)
		snprintf(s->reason, sizeof(s->reason), "timed out after %lld ms",
		    (long long)(s->timeout_ns / NS_PER_MS));
	else if (WIFSIGNALED(status))
		snprintf(s->reason, sizeof(s->reason), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(s->reason, sizeof(s->reason), "exit status %d", WEXITSTATUS(status));
}

static void
on_ended(struct ev_loop *loop, ev_io *io, int revents)
{
	struct track_script *s = io->data;
	int status = 0;
	pid_t pid;

	(void)revents;
	CHECK(s->magic == SCRIPT_MAGIC && s->loop == loop);
	pid = waitpid(s->pid, &status, WNOHANG);
	if (pid == 0)
		return;
	CHECK(pid == s->pid); /* nobody else waits for our children */
	kill(-s->pid, SIGKILL); /* what it left behind */
	script_forget(s);
	status_explain(s, status);
	result(s, !s->timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
on_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct track_script *s = timer->data;

	(void)revents;
	CHECK(s->magic == SCRIPT_MAGIC && s->loop == loop);
	s->timed_out = true;
	kill(-s->pid, SIGKILL);
}

static void
on_start(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct track_script *s = timer->data;

	(void)revents;
	CHECK(s->magic == SCRIPT_MAGIC && s->loop == loop);
	if (s->pid == 0)
		script_run(s);
}

struct track_script *
track_script_start(struct ev_loop *loop, const struct ha_script_config *config,
    void (*changed)(void *owner), void *owner)
{
	struct track_script *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct track_script){ .magic = SCRIPT_MAGIC,
		.loop = loop,
		.changed = changed,
		.owner = owner,
		.interval_ns = config->interval,
		.timeout_ns = config->timeout,
		.fall = config->fall,
		.rise = config->rise };
	s->command = strndup(config->command.p, config->command.n);
	if (!s->command) {
		free(s);
		return NULL;
	}
	ev_init(&s->ended, on_ended);
	ev_init(&s->timeout, on_timeout);
	ev_timer_init(&s->start, on_start, 0., (double)s->interval_ns / NS_PER_S);
	s->ended.data = s->timeout.data = s->start.data = s;
	ev_timer_start(loop, &s->start);
	return s;
}

void
track_script_stop(struct track_script **sp)
{
	struct track_script *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	ev_timer_stop(s->loop, &s->start);
	if (s->pid) {
		kill(-s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0); /* killed: it ends at once */
	}
	script_forget(s);
	free(s->command);
	s->magic = 0;
	free(s);
}

bool
track_script_known(const struct track_script *s)
{
	return s->ran;
}

bool
track_script_good(const struct track_script *s)
{
	return s->ran && s->good;
}

const char *
track_script_command(const struct track_script *s)
{
	return s->command;
}

const char *
track_script_reason(const struct track_script *s)
{
	return s->ran ? s->reason : "has not run yet";
}
