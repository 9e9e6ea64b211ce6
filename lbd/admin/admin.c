/*
 * admin.c - the servers behind the control socket and admin.http, and the stream for those who
 * watch.
 *
 * hafailover decides by that stream.  What it must know at once is compared every 50 ms while
 * anyone listens, which costs a few comparisons: verdicts are set in many places, and the server
 * table's version tells of all of them.
 */
#include "lbd/admin/admin.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/admin_http.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "lbd/admin/commands.h"
#include "lbd/admin/metrics.h"
#include "lbd/admin/metrics_text.h"
#include "lbd/admin/name_view.h"
#include "lbd/admin/pool_view.h"
#include "lbd/admin/status.h"

static const double WATCH_EVERY_S = 0.05;
enum { WATCH_SAY_MS = 500 }; /* at least this often */

enum { ADMIN_MAGIC = 0x1bd30adc };

/* What watchers of the status were told last. */
struct told {
	const struct lbd_config *config;
	struct pool_count servers;
	bool ready, draining, yielding;
	int64_t at_ns;
};

struct admin {
	uint32_t magic;
	struct ev_loop *loop;
	struct admin_source source;
	struct control *control;
	struct admin_http *http; /* NULL: off */
	ev_timer watch; /* runs while there are subscribers */
	struct told told;
	uint64_t servers_version; /* that watchers of the servers were told last (0: none), ... */
	int64_t servers_ns; /* ... and when */
};

const struct admin_source *
admin_source_of(const struct admin *a)
{
	return &a->source;
}

struct admin_state
admin_state_of(const struct admin *a)
{
	struct admin_state state = { 0 };

	a->source.state(a->source.owner, &state);
	return state;
}

/* --- watch --- */

static struct told
look(const struct admin *a, const struct admin_state *state)
{
	return (struct told){
		.config = state->config,
		.servers = pool_view_count(a->source.servers, state->config),
		.ready = !state->not_ready,
		.draining = state->draining,
		.yielding = state->yielding,
		.at_ns = clock_ns(),
	};
}

static bool
is_news(const struct told *now, const struct told *then)
{
	return now->ready != then->ready || now->draining != then->draining ||
	    now->yielding != then->yielding || now->servers.up != then->servers.up ||
	    now->servers.unchecked != then->servers.unchecked || now->config != then->config ||
	    now->at_ns - then->at_ns >= WATCH_SAY_MS * NS_PER_MS;
}

static void
say(struct admin *a)
{
	struct admin_state state = admin_state_of(a);
	struct told now = look(a, &state);
	json_t *line;

	if (!is_news(&now, &a->told))
		return;
	line = status_json(&a->source, &state);
	if (!line)
		return; /* out of memory: the next turn tries again */
	json_object_set_new(line, "ok", json_true());
	control_publish(a->control, TOPIC_STATUS, line);
	a->told = now;
}

/* Loads change without a version: they are worth a line now and then. */
static void
say_servers(struct admin *a)
{
	uint64_t version = atomic_load_explicit(&a->source.servers->version, memory_order_relaxed);
	struct admin_state state = admin_state_of(a);
	int64_t now = clock_ns();
	json_t *line;

	if (version == a->servers_version && now - a->servers_ns < WATCH_SAY_MS * NS_PER_MS)
		return;
	line = status_servers(&a->source, &state);
	if (!line)
		return;
	json_object_set_new(line, "ok", json_true());
	control_publish(a->control, TOPIC_SERVERS, line);
	a->servers_version = version;
	a->servers_ns = now;
}

/* False: nobody watches. */
static bool
say_all(struct admin *a)
{
	bool status = control_has_subscribers(a->control, TOPIC_STATUS);
	bool servers = control_has_subscribers(a->control, TOPIC_SERVERS);

	if (status)
		say(a);
	if (servers)
		say_servers(a);
	return status || servers;
}

static void
on_watch(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct admin *a = t->data;

	(void)revents;
	CHECK(a->magic == ADMIN_MAGIC && a->loop == loop);
	if (!say_all(a))
		ev_timer_stop(loop, t);
}

void
admin_watched(struct admin *a)
{
	struct admin_state state = admin_state_of(a);

	if (ev_is_active(&a->watch))
		return;
	a->told = look(a, &state);
	a->servers_version = atomic_load(&a->source.servers->version);
	a->servers_ns = a->told.at_ns;
	ev_timer_set(&a->watch, WATCH_EVERY_S, WATCH_EVERY_S);
	ev_timer_start(a->loop, &a->watch);
}

void
admin_changed(struct admin *a)
{
	if (ev_is_active(&a->watch))
		say_all(a);
}

/* True: it had something left until now. */
static bool
drained_say(const struct admin *a, const struct pool_config *p, struct str name, uint32_t slot)
{
	if (!server_drained_now(a->source.servers, slot))
		return false;
	log_notice(
	    "server_drained", "pool=%s server=%s", log_quoted(p->name).text, log_quoted(name).text);
	return true;
}

/* Servers, and names of which no member has anything left. */
static bool
pool_drained_say(const struct admin *a, const struct pool_config *p)
{
	struct name_view v = { 0 };
	bool news = false;

	for (uint32_t i = 0; i < p->n_servers; i++)
		news |= drained_say(a, p, p->servers[i].name, p->servers[i].slot);
	while (name_view_next(p, &v))
		if (name_view_drained(a->source.servers, p, &v))
			news |= drained_say(
			    a, p, v.name, (uint32_t)name_view_slot(a->source.servers, p, &v));
	return news;
}

void
admin_servers_drained(struct admin *a)
{
	const struct lbd_config *config = admin_state_of(a).config;
	bool news = false;

	for (uint32_t i = 0; config && i < config->n_pools; i++)
		news |= pool_drained_say(a, &config->pools[i]);
	if (!news)
		return;
	a->servers_version = 0;
	admin_changed(a);
}

/* --- HTTP --- */

int
admin_metrics(const struct admin *a, struct text *text)
{
	struct admin_state state = admin_state_of(a);

	return metrics_write(&a->source, &state, clock_ns(), text);
}

static void
get_metrics(struct admin_response *response, struct str query, void *context)
{
	struct text text;

	(void)query;
	text_init(&text, METRICS_SIZE_MAX);
	admin_metrics(context, &text);
	admin_response_text(response, METRICS_CONTENT_TYPE, &text);
}

static void
get_health(struct admin_response *response, struct str query, void *context)
{
	struct admin_state state = admin_state_of(context);

	(void)query;
	if (!state.not_ready && !state.draining) {
		admin_response_printf(response, "ok\n");
		return;
	}
	response->status = 503;
	admin_response_printf(response, "%s\n", state.not_ready ? state.not_ready : "draining");
}

static const struct admin_route routes[] = {
	{ "/metrics", get_metrics },
	{ "/healthz", get_health },
};

int
admin_listen(struct admin *a, int fd, struct err *err)
{
	struct admin_http_options options = {
		.listen_fd = fd,
		.routes = routes,
		.n_routes = sizeof(routes) / sizeof(*routes),
		.context = a,
	};

	admin_http_stop(&a->http);
	if (fd < 0)
		return 0;
	a->http = admin_http_start(a->loop, &options, err);
	return a->http ? 0 : err->code;
}

/* --- start and stop --- */

struct admin *
admin_start(
    struct ev_loop *loop, const struct admin_source *source, int control_fd, struct err *err)
{
	struct control_options options = {
		.listen_fd = control_fd,
		.commands = admin_commands,
		.n_commands = ADMIN_COMMANDS,
	};
	struct admin *a = calloc(1, sizeof(*a));

	if (!a) {
		close(control_fd);
		err_set(err, -ENOMEM, "out of memory for the control socket");
		return NULL;
	}
	a->magic = ADMIN_MAGIC;
	a->loop = loop;
	a->source = *source;
	ev_timer_init(&a->watch, on_watch, 0., 0.);
	a->watch.data = a;
	options.context = a;
	a->control = control_start(loop, &options, err);
	if (!a->control)
		admin_stop(&a);
	return a;
}

void
admin_stop(struct admin **ap)
{
	struct admin *a = *ap;

	*ap = NULL;
	if (!a)
		return;
	ev_timer_stop(a->loop, &a->watch);
	admin_http_stop(&a->http);
	control_stop(&a->control);
	a->magic = 0;
	free(a);
}
