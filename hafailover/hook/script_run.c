/*
 * script_run.c - fork, exec, a descriptor that becomes readable when the process ends.
 *
 * fork and not vfork: the loop must not wait until the shell has been read from the disk.
 */
#include "hafailover/hook/script_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"

enum { SCRIPT_RUN_MAGIC = 0x6873726e };

/* A shell whose daemon was killed must not go on: it is not that node's turn any more. */
static void
die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
}

_Noreturn static void
child_exec(const char *command, char *const environment[], pid_t parent)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	die_with(parent);
	setpgid(0, 0);
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execle("/bin/sh", "sh", "-c", command, (char *)NULL, environment);
	_exit(127);
}

static void
forget(struct script_run *r)
{
	ev_timer_stop(r->loop, &r->timeout);
	if (ev_is_active(&r->ended)) {
		ev_io_stop(r->loop, &r->ended);
		close(r->ended.fd);
	}
	r->pid = 0;
}

static void
status_explain(struct script_run *r, int status)
{
	if (r->timed_out)
		snprintf(r->reason, sizeof(r->reason), "timed out after %lld ms",
		    (long long)(r->timeout_ns / NS_PER_MS));
	else if (WIFSIGNALED(status))
		snprintf(r->reason, sizeof(r->reason), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(r->reason, sizeof(r->reason), "exit status %d", WEXITSTATUS(status));
}

static void
on_ended(struct ev_loop *loop, ev_io *io, int revents)
{
	struct script_run *r = io->data;
	int status = 0;
	pid_t pid;

	(void)revents;
	CHECK(r->magic == SCRIPT_RUN_MAGIC && r->loop == loop);
	pid = waitpid(r->pid, &status, WNOHANG);
	if (pid == 0)
		return;
	CHECK(pid == r->pid); /* nobody else waits for our children */
	kill(-r->pid, SIGKILL); /* what it left behind */
	forget(r);
	status_explain(r, status);
	r->done(r->owner, !r->timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
on_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct script_run *r = timer->data;

	(void)revents;
	CHECK(r->magic == SCRIPT_RUN_MAGIC && r->loop == loop);
	r->timed_out = true;
	kill(-r->pid, SIGKILL);
}

void
script_run_init(
    struct script_run *r, struct ev_loop *loop, void (*done)(void *owner, bool passed), void *owner)
{
	*r = (struct script_run){
		.magic = SCRIPT_RUN_MAGIC, .loop = loop, .done = done, .owner = owner
	};
	ev_init(&r->ended, on_ended);
	ev_init(&r->timeout, on_timeout);
	r->ended.data = r->timeout.data = r;
}

void
script_run_fini(struct script_run *r)
{
	if (r->pid) {
		kill(-r->pid, SIGKILL);
		waitpid(r->pid, NULL, 0); /* killed: it ends at once */
	}
	forget(r);
	r->magic = 0;
}

static bool
watch(struct script_run *r, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0) {
		snprintf(r->reason, sizeof(r->reason), "no pidfd: %s", strerror(errno));
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return false;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	ev_io_set(&r->ended, fd, EV_READ);
	ev_io_start(r->loop, &r->ended);
	return true;
}

bool
script_run_start(
    struct script_run *r, const char *command, char *const environment[], int64_t timeout_ns)
{
	pid_t self = getpid(), pid;

	CHECK(r->magic == SCRIPT_RUN_MAGIC && r->pid == 0);
	pid = fork();
	if (pid == 0)
		child_exec(command, environment ? environment : environ, self);
	if (pid < 0) {
		snprintf(r->reason, sizeof(r->reason), "cannot fork: %s", strerror(errno));
		return false;
	}
	setpgid(pid, pid); /* whoever comes first */
	if (!watch(r, pid))
		return false;
	r->pid = pid;
	r->timed_out = false;
	r->timeout_ns = timeout_ns;
	ev_now_update(r->loop);
	ev_timer_set(&r->timeout, (double)timeout_ns / NS_PER_S, 0.);
	ev_timer_start(r->loop, &r->timeout);
	return true;
}

bool
script_run_active(const struct script_run *r)
{
	return r->pid != 0;
}

void
script_run_kill(struct script_run *r)
{
	if (r->pid)
		kill(-r->pid, SIGKILL);
}
