/* node_command.c - what the operator and systemd ask of the node: view, moves, standby, reload. */
#include <unistd.h>

#include "common/sd_notify.h"
#include "hafailover/node/node_private.h"

static void
command_view(void *owner, struct ha_view *v)
{
	*v = node_view(owner);
}

static enum refusal
command_refusal(const struct node *n)
{
	if (!n->begun)
		return REFUSAL_STARTING;
	if (node_machine_stopped(n)) /* it lingers and steps no more */
		return REFUSAL_STOPPING;
	return n->command ? REFUSAL_BUSY : REFUSAL_NONE;
}

static void
command_run(struct node *n, struct control_token *token, const struct election_event *ev)
{
	enum refusal why = command_refusal(n);

	if (why != REFUSAL_NONE) {
		control_refuse(token, "%s", refusal_text(why));
		return;
	}
	n->command = token;
	node_feed(n, ev);
}

static void
command_failover(void *owner, struct control_token *token, enum election_target to, bool force)
{
	const struct election_event ev = {
		.type = ELECTION_FAILOVER,
		.failover = { to, force },
	};

	command_run(owner, token, &ev);
}

static void
command_standby(void *owner, struct control_token *token, bool on, bool force)
{
	const struct election_event ev = {
		.type = ELECTION_STANDBY,
		.standby = { on, force },
	};

	command_run(owner, token, &ev);
}

static int
reload(struct node *n, struct err *err)
{
	int code;

	sd_notify_reloading();
	code = node_config_apply(n, err);
	sd_notify_ready();
	if (code)
		log_err("reload_failed", "reason=%s", log_quoted(str_of(err->text)).text);
	else
		log_notice("reloaded", "file=%s", log_quoted(str_of(n->options.file)).text);
	return code;
}

static void
command_reload(void *owner, struct control_token *token)
{
	struct err err;

	if (reload(owner, &err) < 0)
		control_refuse(token, "%s", err.text);
	else
		control_reply(token, NULL);
}

void
node_reload(struct node *n)
{
	struct err err;

	reload(n, &err);
}

void
node_log_reopen(struct node *n)
{
	struct err err;

	if (service_log_use(&n->config->log, &err) < 0)
		log_err("logs_reopen_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	else
		log_notice("logs_reopened", "pid=%d", getpid());
}

int
node_control_open(struct node *n, const struct node_options *o, struct err *err)
{
	const struct ha_control_source source = { n, command_view, command_failover,
		command_standby, command_reload };

	n->control = ha_control_start(n->loop, &source, o->control_fd, err);
	if (!n->control) {
		if (o->http_fd >= 0)
			close(o->http_fd);
		return err->code;
	}
	return ha_control_listen(n->control, o->http_fd, err);
}
