/*
 * request.c - the request's body on its way to the server.
 *
 * Body bytes that came with the head go out in the same send as the head, from scratch memory, if there is
 * a connection; else they are held.  Later ones are passed on as they come; while the server does not take
 * them, nothing more is read from the client.
 */
#include <errno.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/proxy/downstream.h"
#include "lbd/proxy/origin.h"

/* A body may be slow, but not this slow: bytes per second once it has been waited for so long. */
static const int64_t MIN_RATE_AFTER_NS = 5 * NS_PER_S;
enum {
	MIN_RATE = 240,
	HOLD_MAX = 64 * 1024 /* of a body, for a server that may refuse it */
};

/* Decodes what came; x->piece is what may go on.  Anything but END_OK: the request is over. */
static enum termination
body_take(struct exchange *x, struct span data)
{
	uint64_t limit = x->snapshot->config->limits.body_size;
	struct body_step step = body_decode(&x->request_body, data.p, data.n);

	x->bytes_in += step.eaten;
	if (step.refusal)
		return (enum termination)step.refusal;
	if (limit && x->request_body.payload > limit)
		return (enum termination)REFUSE_BODY_SIZE;
	if (downstream_keep(x, data.p + step.eaten, data.n - step.eaten) < 0)
		return END_OUT_OF_MEMORY;
	x->piece = (struct span){ data.p, step.out };
	return END_OK;
}

enum termination
request_start(struct exchange *x, struct span rest)
{
	const struct http_head *head = &exchange_worker(x)->head;
	const struct lbd_config *config = x->snapshot->config;
	uint64_t limit = config->limits.body_size;

	body_init(&x->request_body, head->framing, head->length, BODY_AS_IS, true);
	x->request_body.reserved = config->reserved;
	x->request_body.n_reserved = config->n_reserved;
	if (limit && head->framing == FRAMING_LENGTH && head->length > limit)
		return (enum termination)REFUSE_BODY_SIZE;
	if (!x->request_body.done)
		return body_take(x, rest);
	return downstream_keep(x, rest.p, rest.n) < 0 ? END_OUT_OF_MEMORY : END_OK;
}

int
request_hold(struct exchange *x)
{
	int err = 0;

	if (x->piece.n)
		err = buffer_append(&exchange_worker(x)->buffers, &x->held, x->piece.p, x->piece.n);
	x->piece = (struct span){ NULL, 0 };
	return err;
}

/* Worth keeping for another try?  Only what is complete and may be repeated. */
static bool
worth_holding(const struct exchange *x)
{
	const struct retry_config *r = &x->pool->conf->retry;

	return x->request_body.done && (http_method_idempotent(x->method) || r->non_idempotent);
}

/*
 * HTTP/2: a server may refuse what it has not looked at, when it likes, and then all of it is sent anew.  0 or
 * -errno: it is not.
 */
static int
hold_copy(struct exchange *x, struct span piece)
{
	if (buffer_used(x->held) + piece.n > HOLD_MAX ||
	    (x->stream && !h2_stream_hold_copy(x->stream, piece.n)))
		return -ENOBUFS;
	return buffer_append(&exchange_worker(x)->buffers, &x->held, piece.p, piece.n);
}

/* A call undoes the framing of the piece: it is copied before. */
static int
ask_with_piece(struct exchange *x)
{
	struct span piece = x->piece;
	int err = origin_ask(x, x->request->data, x->request->end);

	if (err)
		return err;
	x->replayable = hold_copy(x, piece) == 0;
	return origin_send(x, piece.p, piece.n);
}

/* HTTP/1: head and piece in one send, the head right in front of the piece. */
static int
send_with_piece(struct exchange *x)
{
	struct buffer *head = x->request;
	char *start = x->piece.p - head->end;
	int err;

	if (start < exchange_worker(x)->scratch - SCRATCH_BEFORE) {
		err = origin_ask(x, head->data, head->end);
		if (!err)
			origin_send(x, x->piece.p, x->piece.n); /* an error shows when we read */
	} else {
		memcpy(start, head->data, head->end);
		err = origin_ask(x, start, head->end + x->piece.n);
	}
	if (err)
		return err;
	if (!worth_holding(x) || request_hold(x) < 0)
		x->replayable = false;
	return 0;
}

int
request_send(struct exchange *x)
{
	int err;

	if (x->piece.n) {
		err = x->call ? ask_with_piece(x) : send_with_piece(x);
		if (!err)
			x->piece = (struct span){ NULL, 0 };
		return err;
	}
	err = origin_ask(x, x->request->data, x->request->end);
	if (!err && x->held)
		origin_send(x, x->held->data, x->held->end);
	return err;
}

static int64_t
smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

bool
request_awaits_continue(const struct exchange *x)
{
	return x->expects_continue && x->interim == 0 && x->request_body.payload == 0 &&
	    !x->request_body.done;
}

static void
body_look_in(struct exchange *x, int64_t ns)
{
	x->body_by = exchange_worker(x)->now + ns;
	exchange_client_timer(x);
}

/* It is not the client's turn: all is here, or the server must take some first. */
static void
body_not_awaited(struct exchange *x)
{
	x->body_by = TIMER_NEVER;
	exchange_client_timer(x);
}

void
request_resume(struct exchange *x)
{
	if (x->request_body.done || origin_pending(x) || origin_broken(x))
		return;
	downstream_read_on(x);
	if (request_awaits_continue(x)) /* it waits for us: it is not slow */
		return;
	x->body_since = x->body_last = exchange_worker(x)->now;
	x->body_base = x->request_body.payload;
	body_look_in(x, smaller(exchange_timeouts(x)->client_body, MIN_RATE_AFTER_NS));
}

static void
request_broken(struct exchange *x, enum termination why)
{
	if (x->responding)
		exchange_cut(x, why);
	else
		exchange_answer(x, why);
}

static void
request_forward(struct exchange *x)
{
	struct span piece = x->piece;

	x->piece = (struct span){ NULL, 0 };
	x->body_last = exchange_worker(x)->now;
	if (x->request_body.done)
		body_not_awaited(x);
	if (piece.n == 0)
		return;
	if (!x->call || !x->replayable || hold_copy(x, piece) < 0)
		x->replayable = false;
	origin_deadline(x, exchange_timeouts(x)->response);
	if (origin_send(x, piece.p, piece.n) < 0 || origin_pending(x)) {
		downstream_read_off(
		    x); /* until it drained; if it broke, reading from it tells how */
		body_not_awaited(x);
	} else if (x->body_by == TIMER_NEVER) {
		request_resume(x); /* the client did not wait for 100 (Continue) */
	}
}

/* Of a known length: nothing of the next request, which waits in the socket. */
static size_t
body_read_max(const struct body *b)
{
	return b->framing == FRAMING_LENGTH && b->left < SCRATCH_READ ? (size_t)b->left
								      : SCRATCH_READ;
}

void
request_readable(struct exchange *x)
{
	struct span data;
	enum termination why;
	ssize_t n;

	if (!x->upstream || origin_opening(x) || origin_pending(x)) {
		downstream_read_off(x);
		return;
	}
	n = downstream_read(x, &data, body_read_max(&x->request_body));
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		downstream_cut(x, false); /* the body is not complete and never will be */
		return;
	}
	why = body_take(x, data);
	if (why != END_OK)
		request_broken(x, why);
	else
		request_forward(x);
}

/* Waited for long enough to judge, and slower than MIN_RATE since? */
static bool
body_too_slow(const struct exchange *x, int64_t now)
{
	int64_t waited = now - x->body_since;
	uint64_t came = x->request_body.payload - x->body_base;

	return waited >= MIN_RATE_AFTER_NS &&
	    came < (uint64_t)(waited / NS_PER_MS) * MIN_RATE / 1000;
}

void
request_expired(struct exchange *x)
{
	int64_t now = exchange_worker(x)->now, idle = now - x->body_last;
	int64_t limit = exchange_timeouts(x)->client_body;

	if (idle < limit && !body_too_slow(x, now))
		body_look_in(x, smaller(limit - idle, NS_PER_S));
	else
		request_broken(x, END_CLIENT_BODY_TIMEOUT);
}
