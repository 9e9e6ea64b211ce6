/* track_script.c - runs it again and again, and counts what comes of it. */
#include "hafailover/track/track_script.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "hafailover/hook/script_run.h"

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
	struct script_run run;
	ev_timer start;
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
		    log_quoted(str_of(s->command)).text, log_quoted(str_of(s->run.reason)).text);
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

static void
on_done(void *owner, bool passed)
{
	struct track_script *s = owner;

	CHECK(s->magic == SCRIPT_MAGIC);
	result(s, passed);
}

/* --- its times --- */

static void
on_start(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct track_script *s = timer->data;

	(void)revents;
	CHECK(s->magic == SCRIPT_MAGIC && s->loop == loop);
	if (!script_run_active(&s->run) &&
	    !script_run_start(&s->run, s->command, NULL, s->timeout_ns))
		result(s, false);
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
	script_run_init(&s->run, loop, on_done, s);
	ev_timer_init(&s->start, on_start, 0., (double)s->interval_ns / NS_PER_S);
	s->start.data = s;
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
	script_run_fini(&s->run);
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
	return s->ran ? s->run.reason : "has not run yet";
}
