/* client_requests.c - one request after another: a head is read whole, and what comes early waits. */
#include <string.h>

#include "lbd/proxy/client_parts.h"
#include "lbd/proxy/conn_tls.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_connection.h"

enum {
	HEAD_READ_MAX = 64 * 1024, /* bytes of a head and what comes with it; more than any head */
	PIPELINED_MAX = 16 * 1024, /* bytes of later requests that may wait */
	PARSE_ALWAYS = 4096
};

/*
 * A head is parsed from its start each time more of it comes.  Long ones only when there is a whole line
 * more, or too much of one, so that a drip of bytes costs no more than a drip.
 */
static bool
worth_parsing(const struct span *data, size_t kept, const struct http_limits *limits)
{
	return kept < PARSE_ALWAYS || data->n > limits->target_size ||
	    memchr(data->p + kept, '\n', data->n - kept) != NULL;
}

static void
head_incomplete(struct client *c, const struct span *data)
{
	if (c->conn.eof) {
		client_close(c, false);
		return;
	}
	if (conn_keep(&c->conn, data->p, data->n) < 0) {
		exchange_refuse(c, NULL, END_OUT_OF_MEMORY);
		return;
	}
	if (c->state == CLIENT_IDLE &&
	    c->requests) /* the first head's runs since the connection is there */
		conn_deadline(&c->conn, client_timeouts(c)->client_header);
	client_become(c, CLIENT_HEAD);
	if (c->conn.tls)
		conn_tls_read_on(&c->conn);
}

/* RFC 9113 3.3: the client knows that we speak HTTP/2; true also if that is still open. */
static bool
preface_seen(struct client *c, const struct span *data)
{
	size_t n = data->n < h2_preface.n ? data->n : h2_preface.n;

	if (memcmp(data->p, h2_preface.p, n) != 0)
		return false;
	if (n < h2_preface.n)
		head_incomplete(c, data);
	else
		h2_connection_start(c, *data);
	return true;
}

void
client_head_parse(struct client *c, struct span data, size_t kept)
{
	struct worker *w = c->conn.worker;
	const struct http_limits *limits = &c->listener->snapshot->config->limits.request;
	struct span rest;
	ssize_t eaten = 0;

	if (c->state == CLIENT_IDLE)
		c->head_started = w->now;
	if (c->requests == 0 && c->listener->conf->http2 && preface_seen(c, &data))
		return;
	if (worth_parsing(&data, kept, limits))
		eaten = h1_parse_request((struct str){ data.p, data.n }, limits, &w->head);
	if (eaten == 0) {
		head_incomplete(c, &data);
		return;
	}
	c->requests++;
	if (eaten < 0) {
		exchange_refuse(c, NULL, (enum termination) - eaten);
		return;
	}
	client_become(c, CLIENT_EXCHANGE);
	timer_clear(&c->conn.timer);
	conn_keep(&c->conn, NULL, 0);
	rest = (struct span){ data.p + eaten, data.n - (size_t)eaten };
	exchange_start(c, NULL, (size_t)eaten, rest);
}

void
client_head_readable(struct client *c, bool fed)
{
	struct span data;
	size_t kept = buffer_used(c->conn.in);
	ssize_t n;

	if (fed) {
		data = conn_kept(&c->conn);
		client_head_parse(c, data, 0);
		return;
	}
	n = conn_read(&c->conn, &data, HEAD_READ_MAX - kept);
	if (n == -EAGAIN)
		return;
	if (n <= 0)
		client_finish(
		    c); /* between requests, or in the middle of a head: no answer is due */
	else
		client_head_parse(c, data, kept);
}

/* Later requests wait, within reason. */
void
client_pipelined_readable(struct client *c)
{
	size_t kept = buffer_used(c->conn.in);
	struct span data;
	ssize_t n;

	if (kept >= PIPELINED_MAX) {
		conn_read_off(&c->conn);
		return;
	}
	n = conn_read(&c->conn, &data, PIPELINED_MAX - kept);
	if (n == -EAGAIN || n == 0) /* a client that only sends no more still gets its answer */
		return;
	if (n < 0 || conn_keep(&c->conn, data.p, data.n) < 0)
		client_close(c, false);
}

/* What arrived meanwhile is looked at in the next round of events, not deeper in this one. */
static void
client_next(struct client *c)
{
	if (!c->conn.in && c->conn.eof) {
		client_finish(c);
		return;
	}
	conn_read_on(&c->conn);
	if (!c->conn.in) {
		client_become(c, CLIENT_IDLE);
		conn_deadline(&c->conn, client_timeouts(c)->client_idle);
		return;
	}
	client_become(c, CLIENT_HEAD);
	c->head_started = c->conn.worker->now;
	conn_deadline(&c->conn, client_timeouts(c)->client_header);
	ev_feed_event(c->conn.worker->loop, &c->conn.read, EV_CUSTOM);
}

void
client_exchange_ended(struct client *c, bool keep_alive, bool linger)
{
	c->exchange = NULL;
	client_count_bytes(c);
	if (c->conn.broken)
		client_close(c, false);
	else if (keep_alive && !c->conn.worker->draining && !c->retired)
		client_next(c);
	else if (linger || c->conn.in || c->conn.out)
		client_linger(c);
	else
		client_finish(c);
}
