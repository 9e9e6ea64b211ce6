/*
 * proxy_process.c - the main thread of the proxy process: starts the workers and does what the supervisor says.
 *
 * It serves no client.  It checks servers, answers the control socket and /metrics, gives new configurations
 * to the workers (process_config.c), tells the supervisor every half second that all of them turn, and ends when it
 * was told to drain and the last connection is gone, or when the supervisor is.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "lbd/limit/rate_limits.h"
#include "lbd/process.h"
#include "lbd/proxy/client_limit.h"
#include "lbd/proxy/queue.h"
#include "lbd/supervisor/log_files.h"

static const double HEARTBEAT_S = 0.5;
enum { ACCESS_RING_SIZE = 1 << 20 };

/* A question to one worker: do you turn? */
struct ping {
	struct letter letter;
	struct process *process;
};

void
process_send(struct process *p, struct channel_message *m)
{
	struct err err;

	if (channel_send(p->start->channel_fd, m, &err) < 0)
		log_err("channel_send_failed", "reason=%s", log_quoted(str_of(err.text)).text);
}

static void
process_end(struct process *p, int status)
{
	p->status = status;
	ev_break(p->loop, EVBREAK_ALL);
}

/* --- the workers have a configuration --- */

/* Nobody opens these any more, and nobody would close them. */
static void
circuits_reset(struct process *p)
{
	for (uint32_t i = 0; i < p->config->n_pools; i++) {
		const struct pool_config *pool = &p->config->pools[i];

		for (uint32_t j = 0; j < pool->n_servers && !pool->breaker.open; j++)
			server_circuit_reset(&p->servers, pool->servers[j].slot);
	}
}

static void
on_adopted(void *arg)
{
	struct process *p = arg;
	struct channel_message m;

	circuits_reset(p);
	if (!p->ready || p->config_number)
		listen_table_commit(p->start->listens, p->config);
	if (p->config_number) {
		process_config_result(p, p->config_number, NULL);
		p->config_number = 0;
	} else if (!p->ready) {
		channel_message_init(&m, CHANNEL_READY);
		process_send(p, &m);
		p->ready = true;
	}
	admin_changed(p->admin);
	admin_servers_drained(p->admin);
}

/* --- drain and the end --- */

static void
check_emptied(struct process *p)
{
	if (p->draining && p->to_drain == 0 && atomic_load(&p->workers_shared.connections) == 0)
		process_end(p, 0);
}

static void
on_emptied(struct ev_loop *loop, ev_async *a, int revents)
{
	(void)loop;
	(void)revents;
	check_emptied(a->data);
}

/* Worker's thread. */
static void
workers_emptied(void *arg)
{
	struct process *p = arg;

	ev_async_send(p->loop, &p->emptied);
}

static void
on_servers_drained(struct ev_loop *loop, ev_async *a, int revents)
{
	struct process *p = a->data;

	(void)loop;
	(void)revents;
	admin_servers_drained(p->admin);
}

/* Any thread. */
static void
servers_drained(void *arg)
{
	struct process *p = arg;

	ev_async_send(p->loop, &p->drained);
}

static void
open_drained(struct letter *l, void *owner)
{
	struct process *p = owner;

	(void)l;
	if (--p->to_drain == 0) /* nobody accepts any more: new connections are refused */
		listen_table_fini(p->start->listens);
	check_emptied(p);
}

/* Worker's thread; the letter goes back as the answer. */
static void
open_drain(struct letter *l, void *owner)
{
	struct worker *w = owner;
	struct process *p = w->shared->emptied_arg;

	proxy_drain(w);
	l->open = open_drained;
	mailbox_post(&p->inbox, l);
}

static void
on_drain_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct process *p = t->data;
	unsigned left = atomic_load(&p->workers_shared.connections);

	(void)loop;
	(void)revents;
	log_warning("drain_cut", "connections=%u", left);
	process_end(p, 0);
}

static void
take_drain(struct process *p, uint64_t deadline)
{
	int64_t left = (int64_t)deadline - clock_ns();

	if (p->draining)
		return;
	p->draining = true;
	admin_changed(p->admin);
	p->to_drain = p->n_workers;
	for (unsigned i = 0; i < p->n_workers; i++) {
		p->drains[i].open = open_drain;
		mailbox_post(&p->workers[i]->inbox, &p->drains[i]);
	}
	ev_timer_init(
	    &p->drain_deadline, on_drain_deadline, left > 0 ? (double)left / 1e9 : 0., 0.);
	p->drain_deadline.data = p;
	ev_timer_start(p->loop, &p->drain_deadline);
}

/* --- the supervisor --- */

static void
take_sockets(struct process *p, struct channel_message *m)
{
	struct address address;
	struct err err;

	if (address_parse(&address, m->text, &err) < 0) {
		log_err("channel_address_bad", "address=%s", log_quoted(m->text).text);
		return;
	}
	for (unsigned i = 0; i < m->n_sockets; i++) {
		unsigned index = (unsigned)m->number + i;

		if (listen_table_add(p->start->listens, &address, index, m->sockets[i], &err) < 0)
			log_err(
			    "listen_stage_failed", "reason=%s", log_quoted(str_of(err.text)).text);
		m->sockets[i] = -1;
	}
}

static void
take_logs(struct process *p, struct channel_message *m)
{
	struct err err;

	if (log_files_use(&p->config->log, m->log_fd, &err) < 0)
		log_err("log_target_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	m->log_fd = -1;
	if (m->access_log_fd >= 0)
		process_access_log(p, &p->config->log, m->access_log_fd);
	m->access_log_fd = -1;
}

static void
take_message(struct process *p, struct channel_message *m)
{
	switch (m->type) {
	case CHANNEL_SOCKETS:
		take_sockets(p, m);
		break;
	case CHANNEL_FILES:
		process_config_files(p, m);
		break;
	case CHANNEL_CONFIG:
		process_config_take(p, m);
		break;
	case CHANNEL_RELOAD_RESULT:
		process_reload_done(p, m->number, m->ok ? NULL : m->text.p);
		break;
	case CHANNEL_DRAIN:
		take_drain(p, m->number);
		break;
	case CHANNEL_LOGS:
		take_logs(p, m);
		break;
	case CHANNEL_READY:
	case CHANNEL_HEARTBEAT:
	case CHANNEL_RELOAD:
	case CHANNEL_RENEW:
	case CHANNEL_NAMES:
	case CHANNEL_RESULT:
	case CHANNEL_TYPES:
		log_err("channel_message_bad", "type=%d", (int)m->type);
		break;
	}
}

static void
on_channel(struct ev_loop *loop, ev_io *io, int revents)
{
	struct process *p = io->data;
	struct channel_message m;
	struct err err;
	int got;

	(void)loop;
	(void)revents;
	while ((got = channel_receive(io->fd, &m, &err)) == 1) {
		take_message(p, &m);
		channel_message_fini(&m);
	}
	if (got == -EAGAIN)
		return;
	log_err(
	    "supervisor_lost", "reason=%s", got == 0 ? "ended" : log_quoted(str_of(err.text)).text);
	process_end(p, EXIT_FAILURE);
}

/* Worker's thread. */
static void
open_ping(struct letter *l, void *owner)
{
	struct ping *ping = (struct ping *)l;

	(void)owner;
	atomic_fetch_sub(&ping->process->unanswered, 1);
}

/* Said only when every worker has answered since the last time: a supervisor that hears nothing acts. */
static void
on_heartbeat(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct process *p = t->data;
	struct channel_message m;

	(void)loop;
	(void)revents;
	log_flush();
	if (atomic_load(&p->unanswered) > 0)
		return;
	channel_message_init(&m, CHANNEL_HEARTBEAT);
	process_send(p, &m);
	atomic_store(&p->unanswered, p->n_workers);
	for (unsigned i = 0; i < p->n_workers; i++)
		mailbox_post(&p->workers[i]->inbox, &p->pings[i].letter);
}

/* --- start --- */

/* A server that workers cannot reach. */
struct suspicion {
	struct letter letter;
	uint32_t slot;
};

static void
open_suspicion(struct letter *l, void *owner)
{
	struct suspicion *s = (struct suspicion *)l;
	struct process *p = owner;

	prober_suspect(p->prober, s->slot);
	free(s);
}

/* Any thread.  Without memory the regular checks find out. */
static void
suspect(void *arg, uint32_t slot)
{
	struct process *p = arg;
	struct suspicion *s = malloc(sizeof(*s));

	if (!s)
		return;
	*s = (struct suspicion){ { .open = open_suspicion }, slot };
	mailbox_post(&p->inbox, &s->letter);
}

/* Of a server, for one worker. */
struct tiding {
	struct letter letter;
	void (*tell)(struct worker *, uint32_t slot);
	uint32_t slot;
};

/* Worker's thread. */
static void
open_tiding(struct letter *l, void *owner)
{
	struct tiding *t = (struct tiding *)l;

	t->tell(owner, t->slot);
	free(t);
}

bool
process_tell_workers(struct process *p, void (*tell)(struct worker *, uint32_t slot), uint32_t slot)
{
	for (unsigned i = 0; i < p->n_workers; i++) {
		struct tiding *t = malloc(sizeof(*t));

		if (!t)
			return false;
		*t = (struct tiding){ { .open = open_tiding }, tell, slot };
		mailbox_post(&p->workers[i]->inbox, &t->letter);
	}
	return true;
}

/* Without memory connections stay, as they do by default. */
static void
server_down(void *arg, uint32_t slot)
{
	(void)process_tell_workers(arg, proxy_leave_server, slot);
}

static int
workers_make(struct process *p, struct err *err)
{
	p->n_workers = p->start->config->workers;
	p->workers = calloc(p->n_workers, sizeof(struct worker *));
	p->pings = calloc(p->n_workers, sizeof(*p->pings));
	p->drains = calloc(p->n_workers, sizeof(*p->drains));
	p->proxy_shared.heads =
	    calloc((size_t)SERVER_POOLS_MAX * p->n_workers, sizeof(*p->proxy_shared.heads));
	p->proxy_shared.requests =
	    calloc((size_t)p->n_workers * SERVER_POOLS_MAX, sizeof(*p->proxy_shared.requests));
	if (!p->workers || !p->pings || !p->drains || !p->proxy_shared.heads ||
	    !p->proxy_shared.requests || process_yield_init(p) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	p->workers_shared = (struct worker_shared){
		.workers = p->workers,
		.n_workers = p->n_workers,
		.emptied = workers_emptied,
		.emptied_arg = p,
	};
	p->proxy_shared.workers = p->workers;
	p->proxy_shared.n_workers = p->n_workers;
	for (unsigned i = 0; i < p->n_workers; i++) {
		p->workers[i] = worker_new(
		    i, &p->workers_shared, &proxy_hooks, &p->servers, p->access_log, err);
		if (!p->workers[i])
			return err->code;
		if (proxy_init(p->workers[i], &p->proxy_shared) < 0)
			return err_set(err, -ENOMEM, "out of memory for worker %u", i);
		p->pings[i] = (struct ping){ { .open = open_ping }, p };
	}
	return 0;
}

/* Any thread. */
static void
servers_changed(void *arg)
{
	struct process *p = arg;

	queue_servers_changed(&p->proxy_shared);
}

static int
state_make(struct process *p, struct err *err)
{
	struct access_log_options log = { p->start->config->workers, ACCESS_RING_SIZE };
	int code = server_table_init(&p->servers, p->start->servers);

	if (code)
		return err_set(err, code, "out of memory for the server table");
	p->servers.changed = servers_changed;
	p->servers.changed_arg = p;
	p->names = stats_names_new();
	p->prober = prober_new(p->loop, &p->servers, server_down, p);
	p->limits = rate_limits_new();
	p->proxy_shared.limit = client_limit_new();
	p->proxy_shared.suspect = suspect;
	p->proxy_shared.suspect_arg = p;
	p->proxy_shared.drained = servers_drained;
	p->proxy_shared.drained_arg = p;
	if (!p->names || !p->prober || !p->limits || !p->proxy_shared.limit)
		return err_set(err, -ENOMEM, "out of memory");
	if (getrandom(&p->proxy_shared.secret, sizeof(p->proxy_shared.secret), 0) < 0)
		return err_set(err, -errno, "no random numbers: %s", strerror(errno));
	p->access_log = access_log_start(&log, err);
	return p->access_log ? 0 : err->code;
}

static void
watchers_start(struct process *p)
{
	mailbox_init(&p->inbox, p->loop, p);
	ev_async_init(&p->emptied, on_emptied);
	p->emptied.data = p;
	ev_async_start(p->loop, &p->emptied);
	ev_async_init(&p->drained, on_servers_drained);
	p->drained.data = p;
	ev_async_start(p->loop, &p->drained);
	ev_io_init(&p->channel, on_channel, p->start->channel_fd, EV_READ);
	p->channel.data = p;
	ev_io_start(p->loop, &p->channel);
	ev_timer_init(&p->heartbeat, on_heartbeat, HEARTBEAT_S, HEARTBEAT_S);
	p->heartbeat.data = p;
	ev_timer_start(p->loop, &p->heartbeat);
}

static int
process_start(struct process *p, struct err *err)
{
	int code;

	watchers_start(p);
	code = state_make(p, err);
	if (code || (code = workers_make(p, err)))
		return code;
	p->rollout = (struct rollout){
		.workers = p->workers,
		.n_workers = p->n_workers,
		.servers = &p->servers,
		.names = p->names,
		.limits = p->limits,
		.inbox = &p->inbox,
		.adopted = on_adopted,
		.arg = p,
	};
	process_access_log(p, &p->start->config->log, p->start->access_log_fd);
	code = process_admin_start(p, err);
	if (code)
		return code;
	for (unsigned i = 0; i < p->n_workers; i++) {
		code = worker_start(p->workers[i]);
		if (code)
			return err_set(err, code, "cannot start worker %u: %s", i, strerror(-code));
	}
	code = process_config_first(p, err);
	return code;
}

/* Only after a drain: otherwise the process just ends. */
static void
process_fini(struct process *p)
{
	process_config_wait(p);
	process_admin_stop(p);
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_stop(p->workers[i]);
	for (unsigned i = 0; i < p->n_workers; i++)
		proxy_cut(p->workers[i]);
	for (unsigned i = 0; i < p->n_workers; i++) {
		proxy_fini(p->workers[i]);
		if (p->workers[i]->snapshot)
			snapshot_unref(&p->workers[i]->snapshot);
	}
	mailbox_fini(&p->inbox);
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_free(&p->workers[i]);
	access_log_stop(&p->access_log);
	process_names_stop(p);
	rollout_fini(&p->rollout);
	prober_free(&p->prober);
	tls_shelf_free(&p->shelf);
	client_limit_free(&p->proxy_shared.limit);
	free(p->proxy_shared.heads);
	free(p->proxy_shared.requests);
	rate_limits_free(&p->limits);
	stats_names_free(&p->names);
	server_table_fini(&p->servers);
	config_unref(&p->config);
	config_unref(&p->written);
	free(p->workers);
	free(p->pings);
	free(p->drains);
	free(p->sweeps);
	ev_loop_destroy(p->loop);
}

int
proxy_process_run(struct proxy_start *start)
{
	struct process p = { .start = start };
	struct err err = { 0 };

	p.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!p.loop) {
		log_err("proxy_start_failed", "reason=\"no event loop\"");
		return EXIT_FAILURE;
	}
	if (process_names_start(&p, &err) < 0 || process_start(&p, &err) < 0) {
		log_err("proxy_start_failed", "reason=%s", log_quoted(str_of(err.text)).text);
		return EXIT_FAILURE;
	}
	ev_run(p.loop, 0);
	if (p.status == 0)
		process_fini(&p);
	return p.status;
}
