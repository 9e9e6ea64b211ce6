/*
 * watch.c - keeps a proxy process running: first start, heartbeats, deaths, the service manager's watchdog.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sd_notify.h"
#include "lbd/supervisor/state.h"

static const int64_t silence_ns = 10 * NS_PER_S;
static const int64_t start_ns = 60 * NS_PER_S; /* until the first READY */
static const int64_t abort_ns = 5 * NS_PER_S; /* SIGABRT was not enough */
static const int64_t tick_ns = NS_PER_S;
static const double fork_retry_s = 1.;

static double
seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

/* In the new process. */
static int
proxy_main(void *supervisor, int channel)
{
	struct supervisor *s = supervisor;
	const struct address *admin = supervisor_admin_address(s->config);
	struct proxy_start start = { .config = s->config,
		.options = s->options.config,
		.servers = s->servers,
		.names = { s->names, s->names_n },
		.listens = &s->listens,
		.files = &s->files,
		.control_fd = s->control_fd,
		.admin_http_fd = admin ? listen_table_fd(&s->admin, admin, 0) : -1,
		.access_log_fd = s->access_log_fd,
		.channel_fd = channel,
		.generation = s->generation };

	listen_table_disown_files(&s->listens);
	listen_table_disown_files(&s->admin);
	return s->options.proxy_main(&start);
}

static int
watch_spawn(struct supervisor *s, struct err *err)
{
	int code;

	s->generation++;
	s->proxy_ready = false;
	code = child_start(&s->proxy, &s->identity, err);
	if (!code)
		log_info("proxy_started", "pid=%d generation=%u", (int)s->proxy.pid, s->generation);
	return code;
}

int
watch_start(struct supervisor *s, struct err *err)
{
	int code = watch_spawn(s, err);

	s->ticked_ns = clock_ns();
	if (!code)
		ev_timer_start(s->loop, &s->tick);
	return code;
}

/* After a death: a fork that fails now may work later. */
static void
watch_spawn_again(struct supervisor *s)
{
	struct err err;

	if (watch_spawn(s, &err) == 0)
		return;
	log_err("proxy_start_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	ev_timer_set(&s->restart, fork_retry_s, 0.);
	ev_timer_start(s->loop, &s->restart);
}

void
watch_restart(struct supervisor *s)
{
	if (s->proxy.pid || s->draining)
		return;
	ev_timer_stop(s->loop, &s->restart);
	watch_spawn_again(s);
}

static void
on_restart(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	watch_restart(w->data);
}

static void
death_log(const struct supervisor *s, int wait_status, int64_t lived_ns)
{
	int64_t lived_ms = lived_ns / NS_PER_MS;

	if (WIFSIGNALED(wait_status))
		log_err("proxy_died", "signal=%s lived_ms=%" PRId64 " generation=%u",
		    sigabbrev_np(WTERMSIG(wait_status)), lived_ms, s->generation);
	else
		log_err("proxy_died", "exit=%d lived_ms=%" PRId64 " generation=%u",
		    WEXITSTATUS(wait_status), lived_ms, s->generation);
}

static void
drain_end(struct supervisor *s, int wait_status)
{
	bool clean = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;

	if (clean)
		log_notice("drained", NULL);
	else
		death_log(s, wait_status, clock_ns() - s->proxy.started_ns);
	supervisor_end(s, clean ? 0 : 1);
}

static void
on_death(void *supervisor, int wait_status)
{
	struct supervisor *s = supervisor;
	int64_t delay;

	s->died_ns = clock_ns();
	if (s->draining) {
		drain_end(s, wait_status);
		return;
	}
	death_log(s, wait_status, s->died_ns - s->proxy.started_ns);
	reload_proxy_died(s);
	if (!s->was_ready) {
		log_err("start_failed", "reason=\"the proxy process died before it served\"");
		supervisor_end(s, 1);
		return;
	}
	delay = restart_policy_delay_ns(&s->policy, s->died_ns - s->proxy.started_ns);
	if (!delay) {
		watch_spawn_again(s);
		return;
	}
	log_warning("proxy_restart_delayed", "delay_ms=%" PRId64 " deaths=%u", delay / NS_PER_MS,
	    s->policy.young_deaths);
	ev_timer_set(&s->restart, seconds(delay), 0.);
	ev_timer_start(s->loop, &s->restart);
}

static void
proxy_is_ready(struct supervisor *s)
{
	int64_t now = clock_ns();

	s->proxy_ready = true;
	if (!s->was_ready) {
		s->was_ready = true;
		sd_notify_ready();
		sd_notify_status("serving, configuration %s", s->config->digest);
		log_notice("serving", "workers=%u listeners=%u pools=%u digest=%s",
		    s->config->workers, s->config->n_listeners, s->config->n_pools,
		    s->config->digest);
	} else {
		log_notice("proxy_replaced", "generation=%u gap_ms=%.1f", s->generation,
		    (double)(now - s->died_ns) / (double)NS_PER_MS);
	}
}

/* For the next process; not a byte of it is looked at here. */
static void
names_keep(struct supervisor *s, struct channel_message *m)
{
	free(s->names);
	s->names = (char *)(uintptr_t)m->text.p;
	s->names_n = m->text.n;
	m->text = (struct str){ NULL, 0 };
}

static void
on_message(void *supervisor, struct channel_message *m)
{
	struct supervisor *s = supervisor;

	switch (m->type) {
	case CHANNEL_READY:
		if (!s->proxy_ready)
			proxy_is_ready(s);
		return;
	case CHANNEL_HEARTBEAT: /* any message is a sign of life */
		return;
	case CHANNEL_RELOAD:
		reload_ask(s, RELOAD_ALL, &m->number);
		return;
	case CHANNEL_RENEW:
		reload_ask(s, RELOAD_FILES, &m->number);
		return;
	case CHANNEL_NAMES:
		names_keep(s, m);
		return;
	case CHANNEL_RESULT:
		reload_result(s, m);
		return;
	case CHANNEL_SOCKETS:
	case CHANNEL_FILES:
	case CHANNEL_CONFIG:
	case CHANNEL_RELOAD_RESULT:
	case CHANNEL_DRAIN:
	case CHANNEL_LOGS:
	case CHANNEL_TYPES:
		break;
	}
	log_err("channel_failed", "reason=\"message %d is not the proxy process's to send\"",
	    (int)m->type);
	child_kill(&s->proxy, SIGKILL);
}

/* For how long the process may be silent: while it builds the state of a configuration, longer. */
static int64_t
patience_ns(const struct supervisor *s)
{
	if (!s->proxy_ready)
		return start_ns;
	return s->reload.state == RELOAD_HANDS_OVER ? INT64_MAX : s->options.silence_ns;
}

/* Kills a process that has been silent for too long, so that its death starts a new one. */
static void
hang_check(struct supervisor *s, int64_t now)
{
	struct child *c = &s->proxy;

	if (!c->pid)
		return;
	if (c->killed_ns) {
		if (now - c->killed_ns > abort_ns)
			child_kill(c, SIGKILL);
	} else if (now - c->heard_ns > patience_ns(s)) {
		log_crit("proxy_hangs", "pid=%d silent_ms=%" PRId64, (int)c->pid,
		    (now - c->heard_ns) / NS_PER_MS);
		child_kill(c, SIGABRT);
	}
}

/* The service manager hears that we are well only while the proxy process says that it is. */
static void
watchdog_ping(struct supervisor *s, int64_t now)
{
	if (!s->ping_every_ns || now - s->pinged_ns < s->ping_every_ns)
		return;
	if (!s->proxy_ready || now - s->proxy.heard_ns > patience_ns(s))
		return;
	s->pinged_ns = now;
	sd_notify_watchdog();
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct supervisor *s = w->data;
	int64_t now = clock_ns();

	(void)loop;
	(void)revents;
	if (now - s->ticked_ns > 3 * tick_ns) /* we ourselves stood still: its turn to speak */
		s->proxy.heard_ns = now;
	s->ticked_ns = now;
	hang_check(s, now);
	watchdog_ping(s, now);
	log_flush();
}

void
watch_init(struct supervisor *s)
{
	int64_t period = tick_ns;

	if (!s->options.silence_ns)
		s->options.silence_ns = silence_ns;
	s->ping_every_ns = sd_notify_watchdog_ns() / 3;
	if (s->ping_every_ns && s->ping_every_ns < period)
		period = s->ping_every_ns;
	if (s->options.silence_ns / 4 < period)
		period = s->options.silence_ns / 4;
	ev_timer_init(&s->tick, on_tick, seconds(period), seconds(period));
	ev_timer_init(&s->restart, on_restart, 0., 0.);
	s->tick.data = s->restart.data = s;
	s->proxy = (struct child){ .name = "lbd-proxy",
		.loop = s->loop,
		.owner = s,
		.main = proxy_main,
		.message = on_message,
		.died = on_death,
		.channel = -1 };
}
