/*
 * control.c - reads a request, has it done or says precisely what is wrong with it.
 *
 * Who watches gets the status when it changes and every second.
 */
#include "hafailover/admin/control.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/admin_http.h"
#include "common/check.h"
#include "hafailover/admin/metrics.h"
#include "hafailover/admin/status.h"

enum { HA_CONTROL_MAGIC = 0x6861636f, TOPIC_STATUS = 0 };

static const double WATCH_EVERY_S = 1.0;

struct ha_control {
	uint32_t magic;
	struct ev_loop *loop;
	struct ha_control_source source;
	struct control *control;
	struct admin_http *http; /* NULL: off */
	ev_timer watch; /* runs while there are subscribers */
};

static struct ha_view
view(const struct ha_control *c)
{
	struct ha_view v = { 0 };

	c->source.view(c->source.owner, &v);
	return v;
}

/* --- commands --- */

static void
run_status(struct control_token *token, const json_t *request, void *context)
{
	struct ha_view v = view(context);

	(void)request;
	control_result(token, ha_status_json(&v));
}

static void
run_history(struct control_token *token, const json_t *request, void *context)
{
	struct ha_view v = view(context);

	(void)request;
	control_result(token, ha_status_history(&v));
}

static void
run_watch(struct control_token *token, const json_t *request, void *context)
{
	struct ha_control *c = context;
	struct ha_view v = view(c);
	json_t *status = ha_status_json(&v);

	(void)request;
	if (!status) {
		control_refuse(token, "out of memory");
		return;
	}
	control_subscribe(token, TOPIC_STATUS, status);
	if (!ev_is_active(&c->watch))
		ev_timer_again(c->loop, &c->watch);
}

/* False: refused. */
static bool
read_bool(struct control_token *token, const json_t *request, const char *key, bool *value)
{
	const json_t *v = json_object_get(request, key);

	*value = json_is_true(v);
	if (!v || json_is_boolean(v))
		return true;
	control_refuse(token, "\"%s\" must be true or false", key);
	return false;
}

static bool
read_target(struct control_token *token, const json_t *request, const struct ha_config *config,
    enum election_target *target)
{
	const json_t *to = json_object_get(request, "to");
	struct str name = { json_string_value(to), json_string_length(to) };

	*target = TARGET_OTHER;
	if (!to)
		return true;
	if (str_eq(name, ha_config_self(config)->name))
		*target = TARGET_SELF;
	else if (str_eq(name, ha_config_peer(config)->name))
		*target = TARGET_PEER;
	if (*target != TARGET_OTHER)
		return true;
	control_refuse(token, "\"to\" must be the name of a node: %.*s or %.*s",
	    STR_ARG(config->nodes[0].name), STR_ARG(config->nodes[1].name));
	return false;
}

static void
run_failover(struct control_token *token, const json_t *request, void *context)
{
	struct ha_control *c = context;
	struct ha_view v = view(c);
	enum election_target to;
	bool force;

	if (read_bool(token, request, "force", &force) &&
	    read_target(token, request, v.config, &to))
		c->source.failover(c->source.owner, token, to, force);
}

static void
run_standby(struct control_token *token, const json_t *request, void *context)
{
	struct ha_control *c = context;
	bool on, force;

	if (!json_object_get(request, "on")) {
		control_refuse(token, "\"on\" is missing: true or false");
		return;
	}
	if (read_bool(token, request, "on", &on) && read_bool(token, request, "force", &force))
		c->source.standby(c->source.owner, token, on, force);
}

static void
run_reload(struct control_token *token, const json_t *request, void *context)
{
	struct ha_control *c = context;

	(void)request;
	c->source.reload(c->source.owner, token);
}

static const struct control_command commands[] = {
	{ "status", true, run_status, "The state of the pair as this node sees it." },
	{ "history", true, run_history, "Every change of this node's role, oldest first." },
	{ "watch", true, run_watch, "The status now, at every change and every second." },
	{ "failover", false, run_failover,
	    "Moves the virtual addresses; to: NODE (default: the other one), force." },
	{ "standby", false, run_standby,
	    "on: true makes this node give up and refuse the active role." },
	{ "reload", false, run_reload,
	    "Reads the configuration again; answers when it is in force." },
};

/* --- watch --- */

void
ha_control_changed(struct ha_control *c)
{
	struct ha_view v;
	json_t *line;

	if (!control_has_subscribers(c->control, TOPIC_STATUS))
		return;
	v = view(c);
	line = ha_status_json(&v);
	if (!line)
		return; /* out of memory: the next turn tries again */
	json_object_set_new(line, "ok", json_true());
	control_publish(c->control, TOPIC_STATUS, line);
}

static void
on_watch(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct ha_control *c = timer->data;

	(void)revents;
	CHECK(c->magic == HA_CONTROL_MAGIC && c->loop == loop);
	if (control_has_subscribers(c->control, TOPIC_STATUS))
		ha_control_changed(c);
	else
		ev_timer_stop(loop, timer);
}

/* --- HTTP --- */

static void
get_metrics(struct admin_response *response, struct str query, void *context)
{
	struct ha_view v = view(context);
	struct text text;

	(void)query;
	text_init(&text, METRICS_SIZE_MAX);
	ha_metrics_write(&v, &text);
	admin_response_text(response, METRICS_CONTENT_TYPE, &text);
}

/* Well while it can serve or serves. */
static void
get_health(struct admin_response *response, struct str query, void *context)
{
	struct ha_view v = view(context);

	(void)query;
	if (!v.track.eligible)
		response->status = 503;
	admin_response_printf(response, "%s%s%s\n",
	    role_name(standing_of(v.election, v.vrrp, v.now_ns).role), v.track.eligible ? "" : ": ",
	    v.track.eligible ? "" : v.track.text);
}

static const struct admin_route routes[] = {
	{ "/metrics", get_metrics },
	{ "/healthz", get_health },
};

int
ha_control_listen(struct ha_control *c, int fd, struct err *err)
{
	const struct admin_http_options options = {
		.listen_fd = fd,
		.routes = routes,
		.n_routes = sizeof(routes) / sizeof(*routes),
		.context = c,
	};

	admin_http_stop(&c->http);
	if (fd < 0)
		return 0;
	c->http = admin_http_start(c->loop, &options, err);
	return c->http ? 0 : err->code;
}

/* --- start and stop --- */

struct ha_control *
ha_control_start(
    struct ev_loop *loop, const struct ha_control_source *source, int control_fd, struct err *err)
{
	struct control_options options = {
		.listen_fd = control_fd,
		.commands = commands,
		.n_commands = sizeof(commands) / sizeof(*commands),
	};
	struct ha_control *c = calloc(1, sizeof(*c));

	if (!c) {
		close(control_fd);
		err_set(err, -ENOMEM, "out of memory for the control socket");
		return NULL;
	}
	c->magic = HA_CONTROL_MAGIC;
	c->loop = loop;
	c->source = *source;
	ev_timer_init(&c->watch, on_watch, WATCH_EVERY_S, WATCH_EVERY_S);
	c->watch.data = c;
	options.context = c;
	c->control = control_start(loop, &options, err);
	if (!c->control)
		ha_control_stop(&c);
	return c;
}

void
ha_control_stop(struct ha_control **cp)
{
	struct ha_control *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	ev_timer_stop(c->loop, &c->watch);
	admin_http_stop(&c->http);
	control_stop(&c->control);
	c->magic = 0;
	free(c);
}
