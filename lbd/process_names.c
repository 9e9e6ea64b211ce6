/*
 * process_names.c - names of servers in the proxy process: asked before a configuration is used, followed while it is.
 *
 * A configuration waits for the first answers of its new names, so that no request finds a pool empty that need not
 * be; but not for long, for lbd serves without DNS, too.  Later changes are rolled out like a reload.  That costs as
 * much as one, so there is a pause between them, which grows with the number of old configurations that long requests
 * hold.  What is known is kept for the process after this one, and for the lbd after this one.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "lbd/process.h"

static const double FIRST_ANSWERS_S = 2.5;
static const struct str NO_FILE = { "off", 3 };
static const int64_t PACE_NS = NS_PER_S / 5, REFUSED_NS = 5 * NS_PER_S;
enum { PACE_DOUBLINGS_MAX = 9 }; /* to 102 s */

/* A configuration to come. */
struct names_wait {
	struct process *process;
	ev_timer deadline;
	void (*go)(void *arg, const char *why_not);
	void *arg;
};

/* --- the first answers --- */

static void
wait_end(struct process *p, const char *why_not)
{
	struct names_wait w = *p->names_wait;

	ev_timer_stop(p->loop, &p->names_wait->deadline);
	free(p->names_wait);
	p->names_wait = NULL;
	w.go(w.arg, why_not);
}

static void
on_settled(void *arg)
{
	struct process *p = arg;

	if (p->names_wait)
		ev_feed_event(p->loop, &p->names_wait->deadline, EV_CUSTOM);
}

/* Or all answers are there. */
static void
on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct names_wait *w = t->data;

	(void)loop;
	if (!(revents & EV_CUSTOM))
		log_warning("names_late", "seconds=%.1f", FIRST_ANSWERS_S);
	wait_end(w->process, NULL);
}

void
process_names_await(struct process *p, struct lbd_config *config,
    void (*go)(void *arg, const char *why_not), void *arg)
{
	struct names_wait *w;
	struct err err;

	CHECK(!p->names_wait);
	if (resolver_add(p->resolver, config, &err) < 0) {
		go(arg, err.text);
		return;
	}
	w = resolver_settled(p->resolver) ? NULL : calloc(1, sizeof(*w));
	if (!w) { /* or no memory to wait with */
		go(arg, NULL);
		return;
	}
	*w = (struct names_wait){ .process = p, .go = go, .arg = arg };
	ev_timer_init(&w->deadline, on_deadline, FIRST_ANSWERS_S, 0.);
	w->deadline.data = w;
	ev_now_update(p->loop);
	ev_timer_start(p->loop, &w->deadline);
	p->names_wait = w;
}

/* --- changes --- */

static int64_t
pace_ns(const struct process *p)
{
	unsigned held = rollout_generations(&p->rollout) - 1;

	return PACE_NS << (held < PACE_DOUBLINGS_MAX ? held : PACE_DOUBLINGS_MAX);
}

/* To the supervisor, for the process after this one, and to the file, for the lbd after this one. */
static void
names_keep(struct process *p)
{
	struct str file = p->written->resolver.state_file;
	struct channel_message m;
	struct text text;

	text_init(&text, CHANNEL_TEXT_MAX);
	resolver_format(p->resolver, &text);
	channel_message_init(&m, CHANNEL_NAMES);
	m.text = (struct str){ text.p, text.n };
	if (text.n && !text.failed) {
		process_send(p, &m);
		if (!str_eq(file, NO_FILE))
			names_file_keep(p->names_file, file, m.text);
	}
	text_fini(&text);
}

static void
pace_start(struct process *p, int64_t ns)
{
	ev_now_update(p->loop);
	ev_timer_set(&p->names_pace, ns > 0 ? (double)ns / NS_PER_S : 0., 0.);
	ev_timer_start(p->loop, &p->names_pace);
}

static void
on_pace(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct process *p = t->data;
	struct err err;

	(void)loop;
	(void)revents;
	if (p->draining || p->names_wait)
		return; /* what follows that rolls out, too */
	if (process_config_again(p, &err) == 0) {
		process_names_follow(p);
		return;
	}
	log_err("names_refused", "reason=%s", log_quoted(str_of(err.text)).text);
	pace_start(p, REFUSED_NS);
}

/* Unless a rollout is about to begin anyway. */
static void
names_roll(struct process *p)
{
	if (p->config && p->names_changed && !p->names_wait && !ev_is_active(&p->names_pace))
		pace_start(p, p->rolled_ns + pace_ns(p) - clock_ns());
}

static void
on_changed(void *arg)
{
	struct process *p = arg;

	p->names_changed = true;
	names_roll(p);
}

void
process_names_follow(struct process *p)
{
	p->names_changed = false;
	ev_timer_stop(p->loop, &p->names_pace);
	resolver_keep(p->resolver, p->written);
	names_keep(p);
}

/* Names may have changed while the other one was waited for. */
void
process_names_revert(struct process *p)
{
	struct err err;

	if (resolver_add(p->resolver, p->written, &err) < 0)
		log_err("names_refused", "reason=%s", log_quoted(str_of(err.text)).text);
	resolver_keep(p->resolver, p->written);
	names_roll(p);
}

/* --- start and end --- */

struct first {
	struct process *process;
	struct err *err;
	bool done;
};

static void
first_go(void *arg, const char *why_not)
{
	struct first *f = arg;

	f->done = true;
	if (why_not)
		err_set(f->err, -ENOMEM, "%s", why_not);
	ev_break(f->process->loop, EVBREAK_ALL);
}

/* What an earlier lbd knew.  Whatever is wrong with it, lbd starts. */
static void
names_recall(struct process *p)
{
	struct lbd_config *config = p->start->config;
	struct str file = config->resolver.state_file;
	struct resolver_count count;
	struct err err = { 0 };
	char *text;
	size_t n;
	int wrong;

	if (p->start->names.n || !config_has_names(config) || str_eq(file, NO_FILE))
		return;
	if (names_file_read(file.p, &text, &n, &err) < 0) {
		if (err.code != -ENOENT)
			log_warning(
			    "names_not_read", "reason=%s", log_quoted(str_of(err.text)).text);
		return;
	}
	wrong = resolver_recall(p->resolver, config, (struct str){ text, n });
	free(text);
	if (wrong > 0) /* without memory resolver_add fails, too, and says so */
		log_warning("names_damaged", "file=%s lines=%d", log_quoted(file).text, wrong);
	resolver_count(p->resolver, &count);
	log_info("names_recalled", "file=%s names=%u", log_quoted(file).text,
	    count.resolved + count.stale);
}

int
process_names_start(struct process *p, struct err *err)
{
	const struct resolver_hooks hooks = { on_changed, on_settled, p };
	struct first first = { p, err, false };

	err->code = 0;
	ev_timer_init(&p->names_pace, on_pace, 0., 0.);
	p->names_pace.data = p;
	p->resolver = resolver_new(p->loop, &hooks);
	p->names_file = names_file_new();
	if (!p->resolver || !p->names_file)
		return err_set(err, -ENOMEM, "out of memory");
	resolver_take(p->resolver, p->start->names);
	names_recall(p);
	process_names_await(p, p->start->config, first_go, &first);
	if (!first.done)
		ev_run(p->loop, 0);
	return err->code;
}

void
process_names_stop(struct process *p)
{
	if (p->names_wait)
		wait_end(p, "lbd ends");
	ev_timer_stop(p->loop, &p->names_pace);
	resolver_free(&p->resolver);
	names_file_free(&p->names_file);
}
