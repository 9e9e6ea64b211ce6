/* probe_h2.c - one stream of one session. */
#include "lbd/health/probe_h2.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct http_limits limits = { .head_size = 65536, .fields = HTTP_FIELDS_MAX };

struct probe_h2 {
	struct h2_session *session;
	const struct health_config *health;
	struct http_head head;
	bool answered; /* the verdict is there */
	int verdict;
	char reason[PROBE_REASON_MAX];
	char out[H2_OUTPUT_MIN];
};

/* It failed, unless the verdict is there already. */
__attribute__((format(printf, 2, 3))) static void
fail(struct probe_h2 *p, const char *format, ...)
{
	va_list args;

	if (p->answered)
		return;
	p->answered = true;
	p->verdict = -1;
	va_start(args, format);
	vsnprintf(p->reason, sizeof(p->reason), format, args);
	va_end(args);
}

/* --- what the session tells --- */

static bool
on_awaits(void *arg)
{
	return !((const struct probe_h2 *)arg)->answered;
}

static void
on_response(void *arg, enum refusal refusal, bool end)
{
	struct probe_h2 *p = arg;

	(void)end;
	if (refusal)
		fail(p, "bad response (%s)", refusal_name(refusal));
	if (p->answered || p->head.status < 200)
		return;
	p->answered = true;
	p->verdict = probe_http_status(p->health, p->head.status, p->reason);
}

static void
on_closed(void *arg, enum h2_closing how)
{
	fail(arg, "%s", how == H2_CLOSED ? "stream was reset" : "stream was refused");
}

static void
on_data(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n; /* the body does not matter, and need not come */
}

static void
on_end(void *arg, struct str trailers)
{
	(void)arg;
	(void)trailers;
}

static void
on_sent(void *arg, size_t bytes, bool end)
{
	(void)arg;
	(void)bytes;
	(void)end;
}

/* A GET has no body: what else there is to tell of one is never asked. */
static const struct h2_events events = {
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
	.sent = on_sent,
	.response = on_response,
	.awaits = on_awaits,
};

/* --- for the probe --- */

struct probe_h2 *
probe_h2_new(const struct health_config *health, struct str request, bool secure)
{
	struct probe_h2 *p = malloc(sizeof(*p));
	struct str scheme = secure ? STR("https") : STR("http");

	if (!p)
		return NULL;
	p->health = health;
	p->answered = false;
	p->session = h2_session_connect(&events, p, &limits, &p->head, H2_WINDOW_ANSWER);
	if (!p->session || h2_session_ask(p->session, request, scheme, H2_NOTHING, p) < 0)
		probe_h2_free(&p);
	return p;
}

void
probe_h2_free(struct probe_h2 **pp)
{
	struct probe_h2 *p = *pp;

	*pp = NULL;
	if (p)
		h2_session_free(&p->session);
	free(p);
}

struct str
probe_h2_output(struct probe_h2 *p)
{
	return (struct str){ p->out, h2_session_output(p->session, p->out, sizeof(p->out)) };
}

int
probe_h2_judge(struct probe_h2 *p, struct str answer, int64_t now, char reason[PROBE_REASON_MAX])
{
	h2_session_feed(p->session, answer.p, answer.n, now);
	if (h2_session_offence(p->session))
		fail(p, "no HTTP/2 (%s)", h2_offence_name(h2_session_offence(p->session)));
	if (!p->answered)
		return 0;
	memcpy(reason, p->reason, PROBE_REASON_MAX);
	return p->verdict;
}
