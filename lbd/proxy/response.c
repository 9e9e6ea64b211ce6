/*
 * response.c - the server's response on its way to the client.
 *
 * The head is written anew and put right in front of the body bytes that came with it, so that both leave
 * in one send.  While the client does not take bytes, nothing more is read from the server.
 */
#include <errno.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/proxy/affinity.h"
#include "lbd/proxy/downstream.h"
#include "lbd/proxy/edit.h"
#include "lbd/proxy/origin.h"

static const struct http_limits response_limits = {
	.head_size = 64 * 1024,
	.fields = HTTP_FIELDS_MAX,
};

/* What the client cannot take now must wait; what it will never take ends the exchange. */
static void
response_sent(struct exchange *x, int err)
{
	if (err) {
		downstream_cut(x, false);
		return;
	}
	if (x->response_body.done) {
		exchange_complete(x);
		return;
	}
	if (!downstream_full(x))
		return;
	origin_read_off(x);
	timer_clear(origin_timer(x));
	exchange_await_reader(x);
}

void
response_resume(struct exchange *x)
{
	origin_read_on(x);
	origin_deadline(x, exchange_timeouts(x)->response);
}

/* Decodes body bytes; *data becomes what the client gets of them.  False: the body is broken. */
static bool
body_take(struct exchange *x, struct span *data)
{
	struct body_step step = body_decode(&x->response_body, data->p, data->n);
	size_t rest = data->n - step.eaten;

	if (step.refusal)
		return false;
	if (x->response_body.done) {
		if (rest)
			x->server_keep_alive = false; /* bytes that answer nothing */
		rest = 0;
	}
	if (origin_keep(x, data->p + step.eaten, rest) < 0)
		return false;
	if (step.trailers && h2_stream_trailers(x->stream, data->p + step.out, step.trailers) < 0)
		return false;
	data->n = step.out;
	if (x->wrap && data->n)
		data->p = chunk_wrap(data->p, data->n, &data->n);
	return true;
}

/* The head goes in front of what stands at data.p, if there is room; else it is sent by itself. */
static int
send_head_and(struct exchange *x, struct str head, struct span data)
{
	char *start = data.p - head.n;
	int err;

	if (start < exchange_worker(x)->scratch - SCRATCH_BEFORE) {
		err = downstream_send(x, head.p, head.n);
		return err ? err : downstream_send(x, data.p, data.n);
	}
	memcpy(start, head.p, head.n);
	return downstream_send(x, start, head.n + data.n);
}

/* The same with one that was held. */
static int
send_body(struct exchange *x, struct span data)
{
	int err;

	if (!x->head)
		return downstream_send(x, data.p, data.n);
	err = send_head_and(x, buffer_text(x->head), data);
	buffer_put(&exchange_worker(x)->buffers, &x->head);
	return err;
}

static void
response_body(struct exchange *x, struct span data)
{
	if (!body_take(x, &data))
		exchange_cut(x, END_SERVER_BAD_RESPONSE);
	else
		response_sent(x, send_body(x, data));
}

/* "timeout=N" of a server's Keep-Alive: let go a second before it does. */
static void
learn_keep_alive(struct upstream *u, const struct http_head *head)
{
	const struct http_field *f = head_field(head, FIELD_KEEP_ALIVE);
	const struct str prefix = STR("timeout=");
	int64_t seconds = 0;
	const char *p;

	if (!f)
		return;
	p = memmem(f->value.p, f->value.n, prefix.p, prefix.n);
	if (!p)
		return;
	for (p += prefix.n; p < f->value.p + f->value.n && *p >= '0' && *p <= '9'; p++)
		if (seconds < 86400)
			seconds = seconds * 10 + (*p - '0');
	if (seconds > 0)
		u->idle_limit = seconds > 1 ? (seconds - 1) * NS_PER_S : NS_PER_S / 2;
}

/* HTTP/2 needs no length to say that nothing follows. */
static void
say_empty(const struct exchange *x, struct http_head *head)
{
	if (head->framing == FRAMING_NONE && x->method != METHOD_HEAD && head->status != 204 &&
	    head->status != 304)
		head->has_length = true;
}

/* How the body reaches the client. */
static struct reply
reply_to(struct exchange *x, const struct http_head *head)
{
	enum body_output output = BODY_AS_IS;
	enum http_framing framing = head->framing;

	if (x->minor == 0 && framing == FRAMING_CHUNKED) {
		output = BODY_PAYLOAD;
		framing = FRAMING_CLOSE;
	} else if (x->minor > 0 && framing == FRAMING_CLOSE) {
		x->wrap = true;
		framing = FRAMING_CHUNKED;
	}
	body_init(&x->response_body, head->framing, head->length, output, x->te_trailers);
	x->until_close = framing == FRAMING_CLOSE;
	if (x->until_close || request_awaits_continue(x) || x->client->conn.worker->draining ||
	    x->client->retired || client_yields(x->client))
		x->keep_alive = false;
	return (struct reply){
		.client_minor = x->minor,
		.keep_alive = x->keep_alive,
		.framing = framing,
	};
}

static void
note_response(struct exchange *x, const struct http_head *head)
{
	struct worker *w = exchange_worker(x);

	x->response_ns = w->now - x->sent_at;
	x->status = (uint16_t)head->status;
	x->server_keep_alive = head->keep_alive;
	if (x->try_by != TIMER_NEVER) { /* the try has come to its answer */
		x->try_by = TIMER_NEVER;
		origin_deadline(x, exchange_timeouts(x)->response);
	}
	if (x->pool->conf->algorithm == BALANCE_LEAST_RESPONSE_TIME)
		server_response_time(
		    w->servers, x->slot, (uint32_t)(x->response_ns / NS_PER_US), w->now);
	if (!x->call)
		learn_keep_alive(x->upstream, head);
}

/* HTTP/2 frames the body by itself, and says nothing of the connection. */
static void
stream_begin(struct exchange *x, struct span data)
{
	const struct http_head *head = &exchange_worker(x)->head;

	body_init(&x->response_body, head->framing, head->length, BODY_PAYLOAD, x->te_trailers);
	if (!body_take(x, &data)) {
		exchange_answer(x, END_SERVER_BAD_RESPONSE);
		return;
	}
	x->responding = true;
	response_sent(x, h2_stream_respond(x->stream, head, data, x->response_body.done));
}

/* HTTP/2: what follows the head has come with it as a rule, and is told next. */
static int
response_head(struct exchange *x, struct str head, struct span data)
{
	if (x->call && !x->response_body.done)
		return buffer_append(&exchange_worker(x)->buffers, &x->head, head.p, head.n);
	return send_head_and(x, head, data);
}

static void
response_begin(struct exchange *x, struct span data)
{
	struct worker *w = exchange_worker(x);
	struct writer out = { w->format, w->format + FORMAT_SIZE, false };
	struct reply reply;

	if (exchange_retry_status(
		x, w->head.status, head_field(&w->head, FIELD_RETRY_AFTER) != NULL))
		return;
	note_response(x, &w->head);
	if (!edit_response(x)) {
		exchange_answer(x, END_SERVER_BAD_RESPONSE);
		return;
	}
	if (x->listener->hsts_value.n)
		head_set_field(&w->head, STR("strict-transport-security"), x->listener->hsts_value);
	affinity_tell(x);
	if (x->stream) {
		stream_begin(x, data);
		return;
	}
	say_empty(x, &w->head);
	reply = reply_to(x, &w->head);
	h1_format_response(&out, &w->head, &reply);
	if (out.overflow || !body_take(x, &data)) {
		exchange_answer(x, END_SERVER_BAD_RESPONSE);
		return;
	}
	x->responding = true;
	response_sent(
	    x, response_head(x, (struct str){ w->format, (size_t)(out.p - w->format) }, data));
}

/* What stands in w->head, of which no body follows, as the client's protocol says it. */
static int
interim_send(struct exchange *x)
{
	struct worker *w = exchange_worker(x);
	struct writer out = { w->format, w->format + FORMAT_SIZE, false };
	struct reply reply = { .client_minor = 1, .keep_alive = true };

	if (x->stream)
		return h2_stream_respond(x->stream, &w->head, (struct span){ NULL, 0 }, false);
	h1_format_response(&out, &w->head, &reply);
	return downstream_send(x, w->format, (size_t)(out.p - w->format));
}

/* 100, 103 and the like; none for HTTP/1.0 clients.  False: the exchange is over. */
static bool
interim_forward(struct exchange *x)
{
	if (++x->interim > INTERIM_MAX) {
		exchange_answer(x, END_SERVER_BAD_RESPONSE);
		return false;
	}
	if (x->minor > 0) {
		if (interim_send(x) < 0) {
			downstream_cut(x, false);
			return false;
		}
		if (downstream_pending(x))
			exchange_await_reader(x);
	}
	if (x->interim == 1)
		request_resume(x); /* a client that waited for this has its turn now */
	return true;
}

static void
response_heads(struct exchange *x, struct span data)
{
	struct worker *w = exchange_worker(x);
	struct h1_expected expected = { x->method, x->wants_upgrade };
	ssize_t eaten;

	while (data.n > 0) {
		eaten = h1_parse_response(
		    (struct str){ data.p, data.n }, &response_limits, expected, &w->head);
		if (eaten < 0) {
			exchange_tell(x, CIRCUIT_BAD);
			exchange_answer(x, END_SERVER_BAD_RESPONSE);
			return;
		}
		if (eaten == 0)
			break;
		data = (struct span){ data.p + eaten, data.n - (size_t)eaten };
		if (w->head.status == 101) {
			tunnel_start(x, data);
			return;
		}
		if (w->head.status >= 200) {
			response_begin(x, data);
			return;
		}
		if (!interim_forward(x))
			return;
	}
	if (conn_keep(&x->upstream->conn, data.p, data.n) < 0)
		exchange_answer(x, END_OUT_OF_MEMORY);
}

void
exchange_upstream_head(struct exchange *x)
{
	struct worker *w = exchange_worker(x);

	CHECK(x->magic == EXCHANGE_MAGIC);
	origin_deadline(x, exchange_timeouts(x)->response);
	if (w->head.status < 200)
		interim_forward(x);
	else if (x->wants_upgrade && w->head.status < 300)
		tunnel_start(x, (struct span){ w->scratch, 0 });
	else
		response_begin(x, (struct span){ w->scratch, 0 });
}

void
exchange_upstream_quiet(struct exchange *x)
{
	CHECK(x->magic == EXCHANGE_MAGIC);
	if (x->head)
		response_sent(x, send_body(x, (struct span){ exchange_worker(x)->scratch, 0 }));
}

/* The server closed, or its connection broke (n < 0). */
static void
server_closed(struct exchange *x, ssize_t n)
{
	static const char last_chunk[] = "0\r\n\r\n";

	if (!x->responding) {
		exchange_try_failed(x, origin_failure(x), END_SERVER_RESET);
		return;
	}
	if (n < 0 || x->response_body.framing != FRAMING_CLOSE) {
		exchange_cut(x, END_SERVER_RESET);
		return;
	}
	x->response_body.done = true;
	x->server_keep_alive = false;
	if (x->wrap)
		response_sent(x, downstream_send(x, last_chunk, sizeof(last_chunk) - 1));
	else
		exchange_complete(x);
}

void
response_readable(struct exchange *x)
{
	struct span data;
	ssize_t n = origin_read(x, &data, downstream_room(x));

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		server_closed(x, n);
		return;
	}
	origin_deadline(x, exchange_timeouts(x)->response);
	if (x->responding)
		response_body(x, data);
	else
		response_heads(x, data);
}
