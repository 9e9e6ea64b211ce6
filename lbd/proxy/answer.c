/* answer.c - what lbd itself says to a client, and the record of how an exchange ended. */
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/http/uri.h"
#include "lbd/proxy/downstream.h"
#include "lbd/proxy/edit.h"
#include "lbd/proxy/error_page.h"
#include "lbd/proxy/route.h"
#include "lbd/tls/tls.h"

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

/* NULL: there is none, and things stay as they are. */
static void
page_use(struct str *content_type, struct str *body, const struct page_config *page,
    const struct h2_stream *stream)
{
	if (!page || !page_fits(page, stream))
		return;
	*content_type = page->content_type;
	*body = page->body;
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
	page_use(&r.content_type, &r.body, error_page_of_exchange(x), x->stream);
	h1_format_error(&out, &r);
	answer_send(x, &out);
}

/* What the listener or its route says instead of a server. */
struct own_answer {
	uint16_t status;
	const struct template *location; /* of a redirect; else NULL */
	struct str content_type, body;
};

static struct own_answer
own_answer_of(const struct exchange *x)
{
	const struct route_config *r = x->route;
	struct own_answer own = { .status = x->listener->redirect.status };
	const struct page_config *page;

	if (!r) {
		own.location = x->listener->redirect.location;
	} else if (r->redirect.location) {
		own.status = r->redirect.status;
		own.location = r->redirect.location;
	} else {
		own.status = r->respond.status;
		own.content_type = r->respond.content_type;
		own.body = r->respond.body;
		page = own.body.n ? NULL : page_find(&x->listener->error_pages, own.status);
		page_use(&own.content_type, &own.body, page, x->stream);
	}
	return own;
}

/* "Location", which is written to that room.  False: it does not fit. */
static bool
location_add(struct exchange *x, const struct template *location, struct writer room)
{
	struct str values[VARIABLE_COUNT];
	char *start = room.p;

	route_variables(x, &x->sent, values);
	template_write(location, values, uri_write, &room);
	return !room.overflow &&
	    head_add_field(&exchange_worker(x)->head, STR("Location"),
		(struct str){ start, (size_t)(room.p - start) });
}

/* Takes the place of the request's.  False: it grew too large by what the request says. */
static bool
own_head(struct exchange *x, const struct own_answer *own, struct writer room)
{
	struct http_head *head = &exchange_worker(x)->head;

	memset(head, 0, offsetof(struct http_head, fields));
	head->status = own->status;
	head->reason = str_of(http_reason(own->status));
	head->has_length = own->status != 204 && own->status != 304; /* RFC 9110 8.6 */
	head->length = own->body.n;
	if (own->body.n)
		head_add_field(head, STR("Content-Type"), own->content_type);
	if (own->location && !location_add(x, own->location, room))
		return false;
	if (!edit_response(x))
		return false;
	return !x->listener->hsts_value.n ||
	    head_set_field(head, STR("Strict-Transport-Security"), x->listener->hsts_value);
}

/* HTTP/1.0 knows no hosts: where would it go? */
static bool
goes_nowhere(const struct exchange *x, const struct template *location)
{
	return location && exchange_worker(x)->head.host.n == 0 &&
	    template_has(location, VARIABLE_BIT(VARIABLE_HOST) | VARIABLE_BIT(VARIABLE_HOSTNAME));
}

void
exchange_answer_own(struct exchange *x)
{
	const struct own_answer own = own_answer_of(x);
	struct worker *w = exchange_worker(x);
	char *half = w->format + FORMAT_SIZE / 2, *end = w->format + FORMAT_SIZE;
	struct writer out = { w->format, own.location ? half : end, false };
	struct reply reply = { .client_minor = x->minor };

	if (goes_nowhere(x, own.location)) {
		exchange_answer(x, (enum termination)REFUSE_HOST);
		return;
	}
	if (!own_head(x, &own, (struct writer){ half, end, false })) {
		exchange_answer(x, (enum termination)REFUSE_TARGET_LENGTH);
		return;
	}
	answer_begin(x, own.status, true);
	reply.keep_alive = x->keep_alive;
	h1_format_response(&out, &w->head, &reply);
	if (x->method != METHOD_HEAD)
		write_str(&out, own.body);
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

static void
refuse(struct client *c, struct h2_stream *stream, enum termination why, unsigned retry_after_s)
{
	struct worker *w = c->conn.worker;
	struct writer out = { w->format, w->format + FORMAT_SIZE, false };
	char lines[LINES_MAX];
	struct error_response r = {
		.status = status_of(why),
		.head_only = is_refusal(why) && str_eq(w->head.method, STR("HEAD")),
		.retry_after = retry_after_s,
		.lines = lines_of(c->listener->conf, lines),
	};
	size_t n;

	page_use(
	    &r.content_type, &r.body, page_find(&c->listener->conf->error_pages, r.status), stream);
	h1_format_error(&out, &r);
	n = (size_t)(out.p - w->format);
	refusal_record(c, why, r.status, n);
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
	refuse(c, stream, why, 0);
}

void
exchange_refuse_for(struct client *c, enum termination why, unsigned retry_after_s)
{
	refuse(c, NULL, why, retry_after_s);
}
