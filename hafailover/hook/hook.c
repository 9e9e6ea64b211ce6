/* hook.c - what the rule says is done to one process, and told. */
#include "hafailover/hook/hook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/text.h"
#include "hafailover/hook/script_run.h"

enum { HOOK_MAGIC = 0x68686f6f, ENVIRONMENT_MAX = 1 << 16 };

struct hook {
	uint32_t magic;
	struct ev_loop *loop;
	const struct ha_config *config;
	void (*changed)(void *owner);
	void *owner;
	struct hook_rule rule;
	struct hook_role role;
	struct script_run run;
	enum ha_hook running; /* what runs, or ran last: not always the role's */
	int64_t began_ns;
	ev_timer timer;
	uint64_t runs[HA_HOOKS][HOOK_RESULTS];
};

const char *
hook_name(enum ha_hook hook)
{
	static const char *const names[HA_HOOKS] = { "active", "backup", "fault" };

	CHECK(hook < HA_HOOKS);
	return names[hook];
}

const char *
hook_result_name(enum hook_result r)
{
	static const char *const names[HOOK_RESULTS] = { "ok", "failed", "superseded" };

	return names[r];
}

/* HA_HOOKS: the role has none, whatever is configured. */
static enum ha_hook
hook_of(enum role role)
{
	switch (role) {
	case ROLE_ACTIVE:
		return HA_HOOK_ACTIVE;
	case ROLE_BACKUP:
	case ROLE_STANDBY:
		return HA_HOOK_BACKUP;
	case ROLE_FAULT:
		return HA_HOOK_FAULT;
	case ROLE_INITIALIZE:
	case ROLE_N:
		break;
	}
	return HA_HOOKS;
}

static struct str
command_of(const struct ha_config *c, enum role role)
{
	enum ha_hook hook = hook_of(role);

	return hook < HA_HOOKS ? c->hooks.commands[hook] : (struct str){ NULL, 0 };
}

/* --- what it is told --- */

/* Each ends with a NUL. */
static void
variables(const struct hook *h, struct text *t)
{
	const struct ha_instance_config *in = &h->config->instances[0];
	const struct hook_role *r = &h->role;
	char text[ADDRESS_TEXT_MAX];

	text_printf(t, "LBPAIR_HOOK=%s%c", hook_name(h->running), '\0');
	text_printf(t, "LBPAIR_ROLE=%s%c", role_name(r->to), '\0');
	text_printf(t, "LBPAIR_FROM=%s%c", role_name(r->from), '\0');
	text_printf(t, "LBPAIR_CAUSE=%s%c", cause_name(r->cause), '\0');
	text_printf(t, "LBPAIR_TERM=%llu%c", (unsigned long long)r->term, '\0');
	text_printf(t, "LBPAIR_TRY=%u%c", h->rule.tries, '\0');
	text_printf(t, "LBPAIR_NODE=%.*s%c", STR_ARG(ha_config_self(h->config)->name), '\0');
	text_printf(t, "LBPAIR_PEER=%.*s%c", STR_ARG(ha_config_peer(h->config)->name), '\0');
	text_printf(t, "LBPAIR_VIRTUAL_IPS=");
	for (uint32_t i = 0; i < in->n_vips; i++) {
		address_format_host(&in->vips[i].address, text);
		text_printf(t, "%s%s/%u", i ? " " : "", text, in->vips[i].prefix);
	}
	text_printf(t, "%c", '\0');
}

/* Ours first, then the daemon's own.  NULL: out of memory. */
static char **
environment_of(const struct text *t)
{
	size_t n = 0, size = 1;
	char **list;

	for (size_t i = 0; i < t->n; i++)
		size += t->p[i] == '\0';
	for (char **e = environ; *e; e++)
		size++;
	list = t->failed ? NULL : calloc(size, sizeof(*list));
	if (!list)
		return NULL;
	for (size_t at = 0; at < t->n; at += strlen(t->p + at) + 1)
		list[n++] = t->p + at;
	for (char **e = environ; *e; e++)
		list[n++] = *e;
	return list;
}

static bool
start(struct hook *h)
{
	struct text t;
	char **environment;
	bool good = false;

	text_init(&t, ENVIRONMENT_MAX);
	variables(h, &t);
	environment = environment_of(&t);
	if (environment)
		good = script_run_start(&h->run, command_of(h->config, h->role.to).p, environment,
		    h->config->hooks.timeout);
	else
		snprintf(h->run.reason, sizeof(h->run.reason), "out of memory");
	free(environment);
	text_fini(&t);
	return good;
}

/* --- what becomes of it --- */

static void
timer_set(struct hook *h)
{
	ev_timer_stop(h->loop, &h->timer);
	if (h->rule.state != HOOK_WAITING)
		return;
	ev_now_update(h->loop);
	ev_timer_set(&h->timer, (double)(h->rule.due_ns - clock_ns()) / NS_PER_S, 0.);
	ev_timer_start(h->loop, &h->timer);
}

static void
result_tell(struct hook *h, enum hook_result r, int64_t now)
{
	const char *name = hook_name(h->running);
	long long took = (now - h->began_ns) / NS_PER_MS;

	h->runs[h->running][r]++;
	switch (r) {
	case HOOK_OK:
		log_notice("hook_passed", "hook=%s try=%u took_ms=%lld", name, h->rule.tries, took);
		break;
	case HOOK_FAILED:
		log_warning("hook_failed", "hook=%s try=%u took_ms=%lld reason=%s again_in_ms=%lld",
		    name, h->rule.tries, took, log_quoted(str_of(h->run.reason)).text,
		    (long long)((h->rule.due_ns - now) / NS_PER_MS));
		break;
	case HOOK_SUPERSEDED:
		log_notice("hook_superseded", "hook=%s took_ms=%lld role=%s", name, took,
		    role_name(h->role.to));
		break;
	case HOOK_RESULTS:
		break;
	}
}

static void act(struct hook *, enum hook_do);

static void
ended(struct hook *h, bool passed)
{
	int64_t now = clock_ns();
	bool superseded = h->rule.state == HOOK_ENDING;
	enum hook_do next = hook_rule_ended(&h->rule, passed, now);

	result_tell(h, superseded ? HOOK_SUPERSEDED : passed ? HOOK_OK : HOOK_FAILED, now);
	act(h, next);
}

static void
act(struct hook *h, enum hook_do what)
{
	if (what == HOOK_DO_KILL)
		script_run_kill(&h->run);
	if (what == HOOK_DO_RUN) {
		h->running = hook_of(h->role.to);
		h->began_ns = clock_ns();
		if (!start(h)) {
			ended(h, false);
			return;
		}
	}
	timer_set(h);
	h->changed(h->owner);
}

static void
on_done(void *owner, bool passed)
{
	struct hook *h = owner;

	CHECK(h->magic == HOOK_MAGIC);
	ended(h, passed);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct hook *h = timer->data;

	(void)revents;
	CHECK(h->magic == HOOK_MAGIC && h->loop == loop);
	act(h, hook_rule_timer(&h->rule, clock_ns()));
}

/* --- from outside --- */

struct hook *
hook_new(struct ev_loop *loop, const struct ha_config *c, void (*changed)(void *owner), void *owner)
{
	struct hook *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	*h = (struct hook){ .magic = HOOK_MAGIC,
		.loop = loop,
		.config = c,
		.changed = changed,
		.owner = owner,
		.role = { ROLE_INITIALIZE, ROLE_INITIALIZE, CAUSE_START, 0 } };
	script_run_init(&h->run, loop, on_done, h);
	ev_init(&h->timer, on_timer);
	h->timer.data = h;
	return h;
}

void
hook_free(struct hook **hp)
{
	struct hook *h = *hp;

	*hp = NULL;
	if (!h)
		return;
	script_run_fini(&h->run);
	ev_timer_stop(h->loop, &h->timer);
	h->magic = 0;
	free(h);
}

static void
enter(struct hook *h)
{
	act(h, hook_rule_enter(&h->rule, command_of(h->config, h->role.to).n > 0));
}

void
hook_configure(struct hook *h, const struct ha_config *c)
{
	bool same = str_eq(command_of(h->config, h->role.to), command_of(c, h->role.to));

	h->config = c;
	if (!same)
		enter(h);
}

void
hook_role_began(struct hook *h, const struct hook_role *role)
{
	h->role = *role;
	enter(h);
}

void
hook_again(struct hook *h)
{
	enter(h);
}

struct hook_report
hook_report(const struct hook *h)
{
	const struct ha_hooks_config *c = &h->config->hooks;
	bool configured = false;

	for (unsigned i = 0; i < HA_HOOKS; i++)
		configured |= c->commands[i].n > 0;
	return (struct hook_report){
		.configured = configured,
		.name = h->rule.wanted ? hook_name(hook_of(h->role.to)) : NULL,
		.rule = h->rule,
		.failing = hook_rule_failing(&h->rule),
		.reason = h->run.reason,
		.runs = h->runs,
	};
}
