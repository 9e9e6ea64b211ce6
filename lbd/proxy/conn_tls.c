/* conn_tls.c - records between a socket and the worker's TLS engine. */
#include "lbd/proxy/conn_tls.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/check.h"
#include "lbd/proxy/conn_ktls.h"

/* In front of what the engine wrote. */
static size_t
held_prepend(struct conn *c)
{
	struct tls_engine *e = c->tls->engine;
	struct str held = buffer_text(c->held);

	memmove(e->out + held.n, e->out, e->out_n);
	memcpy(e->out, held.p, held.n);
	buffer_put(&c->worker->buffers, &c->held);
	return held.n;
}

/* What the engine wrote goes out. */
static int
engine_send(struct conn *c)
{
	struct tls_engine *e = c->tls->engine;
	size_t n = e->out_n;

	if (n == 0)
		return 0;
	if (c->held)
		n += held_prepend(c);
	e->out_n = 0;
	return c->broken ? -EPIPE : conn_send_raw(c, e->out, n);
}

/* The engine gets what was kept of this connection. */
static void
engine_load(struct conn *c)
{
	struct tls_engine *e = c->tls->engine;
	size_t n = buffer_used(c->sealed);

	CHECK(n <= TLS_IN_SIZE && e->out_n == 0);
	if (n)
		memcpy(e->in_buffer, c->sealed->data + c->sealed->start, n);
	buffer_put(&c->worker->buffers, &c->sealed);
	e->in = (struct str){ e->in_buffer, n };
}

/* What the engine did not take is kept.  0 or -ENOMEM. */
static int
engine_unload(struct conn *c)
{
	struct tls_engine *e = c->tls->engine;
	struct str rest = e->in;

	e->in = (struct str){ NULL, 0 };
	return rest.n ? buffer_append(&c->worker->buffers, &c->sealed, rest.p, rest.n) : 0;
}

/* >0: so much came; 0: the peer's FIN; -EAGAIN; other -errno. */
static ssize_t
engine_receive(struct conn *c)
{
	struct tls_engine *e = c->tls->engine;
	ssize_t n = recv(c->read.fd, e->in_buffer, TLS_IN_SIZE, 0);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	e->in = (struct str){ e->in_buffer, (size_t)n };
	return n;
}

bool
conn_tls_has_more(const struct conn *c)
{
	return c->sealed || tls_has_more(c->tls);
}

void
conn_tls_read_on(struct conn *c)
{
	if (c->tls->secured && conn_tls_has_more(c))
		ev_feed_event(c->worker->loop, &c->read, EV_READ);
}

/*
 * The request came with the client's Finished: the ticket leaves with the answer and not in a packet of its
 * own.  Up to TLS 1.2 our Finished is in that flight, and the client waits for it.
 */
static void
ticket_hold(struct conn *c)
{
	struct tls_engine *e = c->tls->engine;

	if (SSL_is_server(c->tls->ssl) && tls_is_1_3(c->tls) && e->in.n && e->out_n &&
	    e->out_n <= TLS_HELD_MAX &&
	    buffer_append(&c->worker->buffers, &c->held, e->out, e->out_n) == 0)
		e->out_n = 0;
}

static int
handshake_steps(struct conn *c, enum tls_failure *why)
{
	int r;

	do {
		r = tls_handshake(c->tls, why);
		if (r == 0)
			ticket_hold(c);
		if (engine_send(c) < 0) {
			*why = TLS_FAIL_CLOSED;
			return -EPIPE;
		}
	} while (r == -EAGAIN && SSL_want_write(c->tls->ssl));
	return r;
}

int
conn_handshake_start(struct conn *c, enum tls_failure *why)
{
	c->tls->engine->in = (struct str){ NULL, 0 };
	return handshake_steps(c, why);
}

int
conn_tls_begin(struct conn *c, const char *p, size_t n)
{
	c->bytes_read -= n; /* what they hold counts when it is read */
	return n ? buffer_append(&c->worker->buffers, &c->sealed, p, n) : 0;
}

int
conn_handshake(struct conn *c, enum tls_failure *why)
{
	ssize_t n = 1;
	int r;

	*why = TLS_FAIL_CLOSED;
	if (c->sealed)
		engine_load(c);
	else
		n = engine_receive(c);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n <= 0)
		return conn_read_end(c, n < 0 ? (int)n : -ECONNRESET);
	r = handshake_steps(c, why);
	if (engine_unload(c) < 0) {
		*why = TLS_FAIL_MEMORY;
		return -ENOMEM;
	}
	return r;
}

/* Plaintext of all records that are here, as far as there is room. */
static ssize_t
records_read(struct tls *t, char *p, size_t most)
{
	size_t n = 0;
	ssize_t got;

	do {
		got = tls_read(t, p + n, most - n);
		if (got <= 0)
			return n ? (ssize_t)n : got;
		n += (size_t)got;
	} while (n < most && (t->engine->in.n || SSL_pending(t->ssl)));
	return (ssize_t)n;
}

/* The peer's FIN without a word that it ends: perhaps somebody cut it. */
static ssize_t
cut(struct conn *c)
{
	return conn_read_end(c, SSL_is_server(c->tls->ssl) ? 0 : -ECONNABORTED);
}

ssize_t
conn_tls_read(struct conn *c, struct span *data, size_t most)
{
	ssize_t n;

	if (conn_tls_has_more(c)) {
		engine_load(c);
	} else {
		n = engine_receive(c);
		if (n == 0)
			return cut(c);
		if (n < 0)
			return n == -EAGAIN ? n : conn_read_end(c, (int)n);
	}
	n = records_read(c->tls, data->p + data->n, most);
	if (engine_unload(c) < 0)
		n = -ENOMEM;
	if (engine_send(c) < 0 && n <= 0)
		n = -EPIPE;
	if (c->offloaded)
		conn_ktls_speak(c);
	if (n > 0) {
		data->n += (size_t)n;
		c->bytes_read += (uint64_t)n;
		conn_tls_read_on(c);
		return n;
	}
	return n == -EAGAIN ? n : conn_read_end(c, (int)n);
}

int
conn_tls_send(struct conn *c, const char *p, size_t n)
{
	size_t done = 0, piece;
	int err;

	if (!c->offloaded)
		conn_ktls_consider(c, n);
	if (c->offloaded)
		return conn_send_raw(c, p, n);
	for (; done < n; done += piece) {
		piece = n - done < TLS_WRITE_MAX ? n - done : TLS_WRITE_MAX;
		err = tls_write(c->tls, p + done, piece);
		if (err) {
			c->broken = true;
			c->tls->engine->out_n = 0; /* a record that is not whole is nobody's */
		} else {
			err = engine_send(c);
		}
		if (err)
			return done ? 0 : err; /* what broke after a part shows the next time */
		c->bytes_sent += piece;
	}
	return 0;
}

void
conn_tls_shutdown(struct conn *c)
{
	if (c->broken || !c->tls->secured)
		return;
	if (c->offloaded) {
		if (!c->out) /* else conn_flush does, behind that */
			conn_ktls_finish(c);
		return;
	}
	tls_shutdown(c->tls);
	(void)engine_send(c);
}

/* In order only after all that was to be sent, and if the end is not to look like a break. */
void
conn_tls_close(struct conn *c, bool reset)
{
	if (!reset && !c->shut && !c->out)
		conn_tls_shutdown(c);
	buffer_put(&c->worker->buffers, &c->sealed);
	buffer_put(&c->worker->buffers, &c->held);
	c->offloaded = false;
	tls_free(&c->tls);
}
