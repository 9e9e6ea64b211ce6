/*
 * child.c - fork and what has to be undone in the new process, the channel, the death.
 *
 * Signals are blocked around the fork, so that none meant for the new process is handled by the supervisor's
 * handlers in it.  The new process never returns from here.
 */
#include "lbd/supervisor/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sd_notify.h"

static void
signals_ignore(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE };
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

/* Without a supervisor there must be no proxy process: the kernel sees to it, besides the channel. */
static int
parent_bind(pid_t parent, struct err *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot bind to the supervisor: %s", strerror(errno));
	if (getppid() != parent)
		return err_set(err, -ESRCH, "the supervisor is gone");
	return 0;
}

static _Noreturn void
child_run(
    struct child *c, const struct identity *id, int channel, pid_t parent, const sigset_t *mask)
{
	struct err err;
	int status = EXIT_FAILURE;

	ev_loop_destroy(c->loop);
	signals_ignore();
	sigprocmask(SIG_SETMASK, mask, NULL);
	sd_notify_forget();
	prctl(PR_SET_NAME, c->name);
	/* in this order: a change of user clears the death signal */
	if (identity_assume(id, &err) == 0 && parent_bind(parent, &err) == 0)
		status = c->main(c->owner, channel);
	else
		log_err("process_start_failed", "name=%s reason=%s", c->name,
		    log_quoted(str_of(err.text)).text);
	log_flush();
	_exit(status);
}

static void
channel_stop(struct child *c)
{
	if (c->channel < 0)
		return;
	ev_io_stop(c->loop, &c->io);
	close(c->channel);
	c->channel = -1;
}

/* Delivers what is there.  A broken channel means a broken process. */
static void
channel_drain(struct child *c)
{
	struct channel_message m;
	struct err err;
	int code = 1;

	while (c->channel >= 0 && (code = channel_receive(c->channel, &m, &err)) > 0) {
		c->heard_ns = clock_ns();
		c->message(c->owner, &m);
		channel_message_fini(&m);
	}
	if (c->channel < 0 || code == -EAGAIN)
		return;
	if (code < 0)
		log_err("channel_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	channel_stop(c);
	child_kill(c, SIGKILL);
}

static void
on_channel(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	channel_drain(w->data);
}

static void
on_death(struct ev_loop *loop, ev_child *w, int revents)
{
	struct child *c = w->data;

	(void)revents;
	channel_drain(c);
	channel_stop(c);
	ev_child_stop(loop, w);
	c->pid = 0;
	c->died(c->owner, w->rstatus);
}

static void
child_watch(struct child *c, pid_t pid, int channel)
{
	c->pid = pid;
	c->channel = channel;
	c->killed_ns = 0;
	c->started_ns = c->heard_ns = clock_ns();
	ev_io_init(&c->io, on_channel, channel, EV_READ);
	ev_child_init(&c->watcher, on_death, pid, 0);
	c->io.data = c->watcher.data = c;
	ev_io_start(c->loop, &c->io);
	ev_child_start(c->loop, &c->watcher);
}

int
child_start(struct child *c, const struct identity *id, struct err *err)
{
	pid_t pid, parent = getpid();
	sigset_t all, mask;
	int pair[2], code;

	code = channel_pair(pair, err);
	if (code)
		return code;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		child_run(c, id, pair[1], parent, &mask);
	}
	code = -errno;
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_set(err, code, "cannot fork: %s", strerror(-code));
	}
	child_watch(c, pid, pair[0]);
	return 0;
}

int
child_send(struct child *c, const struct channel_message *m, struct err *err)
{
	if (!c->pid || c->channel < 0)
		return err_set(err, -ESRCH, "there is no such process");
	return channel_send(c->channel, m, err);
}

void
child_kill(struct child *c, int signal_number)
{
	if (!c->pid)
		return;
	if (!c->killed_ns)
		c->killed_ns = clock_ns();
	kill(c->pid, signal_number);
}
