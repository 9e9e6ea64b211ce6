/*
 * probe.c - a small machine of phases; each does what it can and says whether to go on at
 * once.
 *
 * Whatever decides a probe, the deadline's timer delivers the result: set to now, so that it comes
 * from the loop with nothing of the probe on the stack.
 */
#include "lbd/health/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/units.h"
#include "lbd/health/probe_h2.h"
#include "lbd/health/probe_tcp.h"
#include "lbd/health/stream.h"
#include "lbd/http/proxy_header.h"

/* Request, then answer: a head longer than that is no answer to a health check. */
enum { TEXT_MAX = 16384, PROBE_MAGIC = 0x70726f62 };

/* A timer later than that was not late by chance: the loop did not run. */
static const int64_t STALL_NS = 50 * NS_PER_MS;

enum phase { PHASE_CONNECT, PHASE_HANDSHAKE, PHASE_REQUEST, PHASE_RESPONSE, PHASE_HTTP2 };

static const char *const phase_names[] = { "connect", "tls", "request", "response", "http2" };

struct probe {
	unsigned magic;
	struct ev_loop *loop;
	struct probe_question question;
	struct address address; /* with the port to check */
	enum phase phase;
	struct stream stream;
	struct probe_h2 *h2; /* NULL: it speaks HTTP/1, or nothing yet */
	ev_io io;
	ev_timer deadline;
	bool granted, decided;
	int64_t started_ns, deadline_ns;
	void (*done)(void *owner, const struct probe_result *);
	void *owner;
	struct probe_result result;
	size_t n, sent; /* bytes of `text`: all, and sent */
	struct str output; /* HTTP/2: of which `sent` counts */
	char text[TEXT_MAX];
};

static void
decide(struct probe *p, bool passed)
{
	CHECK(!p->decided);
	p->decided = true;
	p->result.passed = passed;
	p->result.duration_ns = clock_ns() - p->started_ns;
	ev_io_stop(p->loop, &p->io);
	ev_timer_stop(p->loop, &p->deadline);
	ev_timer_set(&p->deadline, 0., 0.);
	ev_timer_start(p->loop, &p->deadline);
}

__attribute__((format(printf, 2, 3))) static bool
fail(struct probe *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->result.reason, sizeof(p->result.reason), format, args);
	va_end(args);
	decide(p, false);
	return false;
}

/* A call of the stream got nowhere yet, or never will. */
static bool
wait_or_fail(struct probe *p, ssize_t outcome)
{
	if (outcome < 0 && p->phase == PHASE_CONNECT)
		return fail(p, "%s", p->stream.error);
	if (outcome < 0)
		return fail(p, "%s (%s)", p->stream.error, phase_names[p->phase]);
	if (!ev_is_active(&p->io) || p->io.events != p->stream.want) {
		ev_io_stop(p->loop, &p->io);
		ev_io_set(&p->io, p->stream.fd, p->stream.want);
		ev_io_start(p->loop, &p->io);
	}
	return false;
}

/* -- the phases: true to go on, false when waiting or decided -- */

static bool
http2_begin(struct probe *p, struct str request)
{
	p->h2 = probe_h2_new(p->question.health, request, p->stream.ssl != NULL);
	if (!p->h2)
		return fail(p, "out of memory");
	p->phase = PHASE_HTTP2;
	return true;
}

static bool
request_begin(struct probe *p)
{
	int n = probe_http_request(p->question.health, &p->address, p->text, sizeof(p->text));

	if (n < 0)
		return fail(p, "the request is too long");
	if (p->stream.ssl ? stream_chose_h2(&p->stream) : p->question.http2)
		return http2_begin(p, (struct str){ p->text, (size_t)n });
	p->n = (size_t)n;
	p->phase = PHASE_REQUEST;
	return true;
}

static bool
pass(struct probe *p, const char *reason)
{
	snprintf(p->result.reason, sizeof(p->result.reason), "%s", reason);
	decide(p, true);
	return false;
}

/* Said all, or there was nothing to say. */
static bool
response_begin(struct probe *p, const char *done)
{
	const struct health_config *h = p->question.health;

	if (h->type == CHECK_TCP && probe_tcp_expect(h).n == 0)
		return pass(p, done);
	p->n = 0;
	p->phase = PHASE_RESPONSE;
	return true;
}

static bool
text_begin(struct probe *p)
{
	struct str text = probe_tcp_send(p->question.health);

	if (text.n == 0)
		return response_begin(p, "connected");
	memcpy(p->text, text.p, text.n);
	p->n = text.n;
	p->phase = PHASE_REQUEST;
	return true;
}

/* There is a connection such as clients' requests get. */
static bool
question_begin(struct probe *p)
{
	return p->question.health->type == CHECK_TCP ? text_begin(p) : request_begin(p);
}

static bool
handshake_begin(struct probe *p)
{
	int rc = stream_use_tls(&p->stream, p->question.tls, p->question.name);

	if (rc < 0)
		return wait_or_fail(p, rc);
	if (p->question.health->type == CHECK_TCP)
		stream_offer_nothing(&p->stream);
	p->phase = PHASE_HANDSHAKE;
	return true;
}

/* >0: sent, or there is nothing to send. */
static ssize_t
send_proxy_header(struct probe *p)
{
	static const struct proxy_header own = { .kind = PROXY_LOCAL };
	char header[PROXY_FORMAT_MAX];

	if (!p->question.proxy_header)
		return 1;
	return stream_write(
	    &p->stream, header, proxy_header_format(&own, p->question.proxy_header, NULL, header));
}

static bool
phase_connect(struct probe *p)
{
	ssize_t rc = stream_connected(&p->stream);

	if (rc > 0)
		rc = send_proxy_header(p);
	if (rc <= 0)
		return wait_or_fail(p, rc);
	return p->question.tls ? handshake_begin(p) : question_begin(p);
}

static bool
phase_handshake(struct probe *p)
{
	int rc = stream_handshake(&p->stream);

	return rc > 0 ? question_begin(p) : wait_or_fail(p, rc);
}

static bool
phase_request(struct probe *p)
{
	ssize_t rc = stream_write(&p->stream, p->text + p->sent, p->n - p->sent);

	if (rc <= 0)
		return wait_or_fail(p, rc);
	p->sent += (size_t)rc;
	return p->sent < p->n || response_begin(p, "sent");
}

/* >0 passed, 0 need more, <0 failed. */
static int
judge(struct probe *p, bool last)
{
	const struct health_config *h = p->question.health;
	struct str answer = { p->text, p->n };

	return h->type == CHECK_TCP ? probe_tcp_judge(h, answer, last, p->result.reason)
				    : probe_http_judge(h, answer, p->result.reason);
}

static bool
phase_response(struct probe *p)
{
	ssize_t rc = stream_read(&p->stream, p->text + p->n, sizeof(p->text) - p->n);
	int verdict;

	if (rc < 0 && p->n && p->question.health->type == CHECK_TCP) {
		decide(p, judge(p, true) > 0);
		return false;
	}
	if (rc <= 0)
		return wait_or_fail(p, rc);
	p->n += (size_t)rc;
	verdict = judge(p, p->n == sizeof(p->text));
	if (verdict == 0)
		return p->n < sizeof(p->text) || fail(p, "response head too large");
	decide(p, verdict > 0);
	return false;
}

/* What there is to say, then what there is to hear. */
static bool
phase_http2(struct probe *p)
{
	ssize_t rc;
	int verdict;

	if (p->sent == p->output.n) {
		p->output = probe_h2_output(p->h2);
		p->sent = 0;
	}
	if (p->output.n) {
		rc = stream_write(&p->stream, p->output.p + p->sent, p->output.n - p->sent);
		if (rc <= 0)
			return wait_or_fail(p, rc);
		p->sent += (size_t)rc;
		return true;
	}
	rc = stream_read(&p->stream, p->text, sizeof(p->text));
	if (rc <= 0)
		return wait_or_fail(p, rc);
	verdict = probe_h2_judge(
	    p->h2, (struct str){ p->text, (size_t)rc }, clock_ns(), p->result.reason);
	if (verdict == 0)
		return true;
	decide(p, verdict > 0);
	return false;
}

static void
on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	static bool (*const phases[])(struct probe *) = { phase_connect, phase_handshake,
		phase_request, phase_response, phase_http2 };
	struct probe *p = w->data;

	(void)revents;
	CHECK(p->magic == PROBE_MAGIC && p->loop == loop && !p->decided);
	while (phases[p->phase](p))
		;
}

/* -- its beginning and end -- */

static void
deadline_start(struct probe *p)
{
	int64_t timeout = p->question.health->timeout;

	p->deadline_ns = clock_ns() + timeout;
	ev_now_update(p->loop);
	ev_timer_set(&p->deadline, (double)timeout / NS_PER_S, 0.);
	ev_timer_start(p->loop, &p->deadline);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct probe *p = w->data;
	char timeout[UNITS_TEXT_MAX];

	(void)revents;
	CHECK(p->magic == PROBE_MAGIC && p->loop == loop);
	if (p->decided) {
		p->done(p->owner, &p->result);
	} else if (!p->granted && clock_ns() - p->deadline_ns > STALL_NS) {
		p->granted = true;
		deadline_start(p);
	} else {
		duration_format(p->question.health->timeout, timeout);
		fail(p, "timeout after %s (%s)", timeout, phase_names[p->phase]);
	}
}

static void
port_set(struct address *a, uint16_t port)
{
	if (port && a->sa.sa_family == AF_INET)
		a->in.sin_port = htons(port);
	else if (port && a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
}

struct probe *
probe_start(struct ev_loop *loop, const struct probe_question *question,
    void (*done)(void *owner, const struct probe_result *), void *owner)
{
	struct probe *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	memset(p, 0, offsetof(struct probe, text));
	p->magic = PROBE_MAGIC;
	p->loop = loop;
	p->question = *question;
	p->address = *question->address;
	port_set(&p->address, question->health->port);
	p->done = done;
	p->owner = owner;
	p->started_ns = clock_ns();
	ev_io_init(&p->io, on_io, -1, 0);
	ev_timer_init(&p->deadline, on_deadline, 0., 0.);
	p->io.data = p->deadline.data = p;
	deadline_start(p);
	wait_or_fail(p, stream_open(&p->stream, &p->address));
	return p;
}

void
probe_free(struct probe **pp)
{
	struct probe *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	CHECK(p->magic == PROBE_MAGIC);
	ev_io_stop(p->loop, &p->io);
	ev_timer_stop(p->loop, &p->deadline);
	stream_close(&p->stream);
	probe_h2_free(&p->h2);
	p->magic = 0;
	free(p);
}

void
probe_adopt(struct probe *p, const struct health_config *health)
{
	p->question.health = health;
}
