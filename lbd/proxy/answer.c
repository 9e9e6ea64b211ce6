/* answer.c - what lbd itself says to a client, and the record of how an exchange ended. */
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/http/redirect.h"
#include "lbd/proxy/downstream.h"
#include "lbd/proxy/error_page.h"
#include "lbd/proxy/route.h"
#include "lbd/tls/tls.h"

enum {
	ANSWER_MAX = 4096, /* of a redirect, without its line */
	LOCATION_MAX = 3584
};

/* Whole seconds after which another try may be worth it; after a 503, when the next checks are through. */
static unsigned
retry_after(const struct exchange *x, unsigned status)
{
	int64_t seconds;

	if (x->retry_after)
		return x->retry_after;
	if (status != 503)
		return 0;
	seconds = x->pool ? x->pool->conf->health.interval / NS_PER_S : 0;
	return seconds < 1 ? 1 : (unsigned)seconds;
}

static unsigned
status_of(enum termination why)
{
	switch ((int)why) {
	case END_CLIENT_HEADER_TIMEOUT:
	case END_CLIENT_BODY_TIMEOUT:
		return 408;
	case END_CLIENT_LIMIT:
	case END_RATE_LIMIT:
		return 429;
	case END_ACCESS_DENIED:
		return 403;
	case END_SERVER_TLS:
	case END_SERVER_RESET:
	case END_SERVER_BAD_RESPONSE:
		return 502;
	case END_NO_SERVER:
	case END_QUEUE_TIMEOUT:
	case END_QUEUE_FULL:
	case END_CONNECT_FAILED:
	case END_CONNECT_TIMEOUT:
	case END_OUT_OF_MEMORY:
	case END_NO_RESOURCES:
		return 503;
	case END_SERVER_TLS_TIMEOUT:
	case END_SERVER_TIMEOUT:
		return 504;
	default:
		CHECK(why < (enum termination)REFUSE_COUNT);
		return refusal_status((enum refusal)why);
	}
}

static bool
is_refusal(enum termination why)
{
	return (int)why < (int)REFUSE_COUNT;
}

enum { LINES_MAX = 160 };

/* What every answer of this listener says. */
static struct str
lines_of(const struct listener_config *l, char room[LINES_MAX])
{
	struct writer w = { room, room + LINES_MAX, false };

	if (l->hsts_value.n)
		write_line(&w, STR("Strict-Transport-Security: "), l->hsts_value);
	CHECK(!w.overflow);
	return (struct str){ room, (size_t)(w.p - room) };
}

/* In HTTP/2 many may be asked for at once and not be read: what would be held for that is bounded. */
static bool
page_fits(const struct page_config *page, const struct h2_stream *stream)
{
	return !stream || h2_stream_may_answer(stream, page->body.n);
}

static void
page_use(struct error_response *r, const struct page_config *page, const struct h2_stream *stream)
{
	if (!page || !page_fits(page, stream))
		return;
	r->content_type = page->content_type;
	r->body = page->body;
}

/* Before the answer is formatted. */
static void
answer_begin(struct exchange *x, unsigned status, bool may_go_on)
{
	struct worker *w = exchange_worker(x);

	x->status = (uint16_t)status;
	exchange_release_server(x, false);
	if (!may_go_on || !x->request_body.done || w->draining || x->client->retired ||
	    client_yields(x->client))
		x->keep_alive = false;
}

/* What was formatted is all there is. */
static void
answer_send(struct exchange *x, const struct writer *out)
{
	struct worker *w = exchange_worker(x);
	size_t n = (size_t)(out->p - w->format);

	x->responding = true;
	/* a broken connection is seen by exchange_complete */
	if (x->stream)
		h2_stream_answer(x->stream, w->format, n);
	else
		downstream_send(x, w->format, n);
	exchange_complete(x);
}

void
exchange_answer(struct exchange *x, enum termination why)
{
	char lines[LINES_MAX];
	struct worker *w = exchange_worker(x);
	struct writer out = { w->format, w->format + FORMAT_SIZE, false };
	struct error_response r;

	x->termination = why;
	answer_begin(x, status_of(why), !is_refusal(why));
	r = (struct error_response){
		.status = x->status,
		.head_only = x->method == METHOD_HEAD,
		.keep_alive = x->keep_alive,
		.retry_after = retry_after(x, x->status),
		.lines = lines_of(x->listener, lines),
	};
	page_use(&r, error_page_of_exchange(x), x->stream);
	h1_format_error(&out, &r);
	answer_send(x, &out);
}

void
exchange_answer_route(struct exchange *x)
{
	const struct route_config *r = x->route;
	struct worker *w = exchange_worker(x);
	struct writer out = { w->format, w->format + FORMAT_SIZE, false };
	struct str values[VARIABLE_COUNT];
	char lines[LINES_MAX];
	const struct page_config *page;
	struct own_response own = {
		.content_type = r->respond.content_type,
		.body = r->respond.body,
		.head_only = x->method == METHOD_HEAD,
	};

	answer_begin(x, r->redirect.location ? r->redirect.status : r->respond.status, true);
	own.status = x->status;
	own.keep_alive = x->keep_alive;
	page = r->respond.body.n ? NULL : error_page_of_exchange(x);
	if (page && page_fits(page, x->stream)) {
		own.content_type = page->content_type;
		own.body = page->body;
	}
	h1_format_own_begin(&out, &own);
	if (r->redirect.location) {
		route_variables(x, &x->sent, values);
		write_str(&out, STR("Location: "));
		template_write(r->redirect.location, values, uri_write, &out);
		write_str(&out, STR("\r\n"));
	}
	write_str(&out, lines_of(x->listener, lines));
	h1_format_own_end(&out, &own);
	if (out.overflow)
		exchange_answer(x, (enum termination)REFUSE_TARGET_LENGTH);
	else
		answer_send(x, &out);
}

static bool
log_is_on(const struct snapshot *s)
{
	return s->config->log.access_format != ACCESS_OFF;
}

static struct str
tls_version_of(const struct client *c)
{
	return c->conn.tls ? tls_version_name(c->conn.tls) : (struct str){ NULL, 0 };
}

static void
exchange_log(const struct exchange *x, int64_t duration)
{
	struct worker *w = exchange_worker(x);
	const struct client *c = x->client;

	access_log_put(w->access_log, w->id,
	    &(struct access_record){
		.wall_ns = clock_wall_ns() - duration,
		.duration_ns = duration,
		.connect_ns = x->connect_ns,
		.response_ns = x->response_ns,
		.bytes_in = x->bytes_in,
		.bytes_out = downstream_bytes_sent(x) - x->sent_before,
		.status = x->status,
		.retries = x->retries,
		.minor = x->minor,
		.termination = x->termination,
		.listener = x->listener->name,
		.client = client_address(c),
		.method = x->sent.method,
		.host = x->sent.host,
		.target = x->sent.target,
		.pool = x->pool ? x->pool->conf->name : (struct str){ NULL, 0 },
		.server = x->server ? x->server->name : (struct str){ NULL, 0 },
		.request_id = x->sent.request_id,
		.referer = x->sent.referer,
		.user_agent = x->sent.user_agent,
		.tls_version = tls_version_of(c),
	    });
}

void
exchange_record(struct exchange *x)
{
	struct worker *w = exchange_worker(x);
	int64_t duration = w->now - x->started;

	client_count_end(x->client, x->termination);
	stats_exchange(w->stats,
	    &(struct stats_exchange){
		.listener = (uint16_t)x->listener->id,
		.pool = x->pool ? (uint16_t)x->pool->conf->id : STATS_NO_POOL,
		.server = x->server ? (uint16_t)x->server->id : STATS_NO_SERVER,
		.status = x->status,
		.duration_ns = duration,
		.connect_ns = x->connect_ns,
		.response_ns = x->response_ns,
	    },
	    w->now);
	if (log_is_on(x->snapshot))
		exchange_log(x, duration);
}

/* As the access log has it: in TCP mode, and before TLS, there is no other. */
static uint8_t
protocol_of(const struct client *c)
{
	if (c->h2)
		return HTTP_2;
	return c->listener->conf->protocol == LISTENER_TCP || (c->listener->tls && !c->conn.tls)
	    ? ACCESS_TCP
	    : 1;
}

/* Nothing is known of the request but what the parser understood before it refused. */
static void
refusal_log(struct client *c, enum termination why, unsigned status, size_t sent)
{
	struct worker *w = c->conn.worker;
	int64_t duration = w->now - c->head_started;
	struct access_record r = {
		.wall_ns = clock_wall_ns() - duration,
		.duration_ns = duration,
		.connect_ns = -1,
		.response_ns = -1,
		.bytes_in = c->conn.bytes_read - c->counted_in,
		.bytes_out = sent,
		.status = (uint16_t)status,
		.minor = protocol_of(c),
		.termination = why,
		.listener = c->listener->conf->name,
		.client = client_address(c),
		.tls_version = tls_version_of(c),
	};

	if (is_refusal(why)) {
		r.method = w->head.method;
		r.host = w->head.host;
		r.target = w->head.target;
	}
	access_log_put(w->access_log, w->id, &r);
}

static void
refusal_record(struct client *c, enum termination why, unsigned status, size_t sent)
{
	struct worker *w = c->conn.worker;

	client_count_end(c, why);
	stats_exchange(w->stats,
	    &(struct stats_exchange){
		.listener = (uint16_t)c->listener->conf->id,
		.pool = STATS_NO_POOL,
		.server = STATS_NO_SERVER,
		.status = (uint16_t)status,
		.duration_ns = w->now - c->head_started,
		.connect_ns = -1,
		.response_ns = -1,
	    },
	    w->now);
	if (log_is_on(c->listener->snapshot))
		refusal_log(c, why, status, sent);
}

void
exchange_refuse_silently(struct client *c, enum termination why)
{
	refusal_record(c, why, 0, 0);
}

/* What stands in w->format is the last word. */
static void
last_send(struct client *c, struct h2_stream *stream, size_t n)
{
	struct worker *w = c->conn.worker;

	if (stream) {
		h2_stream_refuse(stream, w->format, n);
		return;
	}
	conn_send(&c->conn, w->format, n);
	client_exchange_ended(c, false, true);
}

void
exchange_refuse(struct client *c, struct h2_stream *stream, enum termination why)
{
	struct worker *w = c->conn.worker;
	struct writer out = { w->format, w->format + FORMAT_SIZE, false };
	char lines[LINES_MAX];
	struct error_response r = {
		.status = status_of(why),
		.head_only = is_refusal(why) && str_eq(w->head.method, STR("HEAD")),
		.lines = lines_of(c->listener->conf, lines),
	};
	size_t n;

	page_use(&r, page_find(&c->listener->conf->error_pages, r.status), stream);
	h1_format_error(&out, &r);
	n = (size_t)(out.p - w->format);
	refusal_record(c, why, r.status, n);
	last_send(c, stream, n);
}

/* The line is written first, behind what it will be a part of. */
void
exchange_redirect(struct client *c, struct h2_stream *stream)
{
	struct worker *w = c->conn.worker;
	const struct redirect_config *conf = &c->listener->conf->redirect;
	char *line = w->format + ANSWER_MAX;
	struct writer out = { w->format, line, false };
	struct writer location = { line, line + LOCATION_MAX, false };
	size_t n;

	if (w->head.host.n == 0) {
		exchange_refuse(c, stream, (enum termination)REFUSE_HOST);
		return;
	}
	write_str(&location, STR("Location: "));
	redirect_write(&location, &w->head, conf->port);
	write_str(&location, STR("\r\n"));
	if (location.overflow) {
		exchange_refuse(c, stream, (enum termination)REFUSE_TARGET_LENGTH);
		return;
	}
	h1_format_error(&out,
	    &(struct error_response){
		.status = conf->status,
		.head_only = w->head.method_id == METHOD_HEAD,
		.lines = { line, (size_t)(location.p - line) },
	    });
	CHECK(!out.overflow);
	n = (size_t)(out.p - w->format);
	refusal_record(c, END_OK, conf->status, n);
	last_send(c, stream, n);
}
