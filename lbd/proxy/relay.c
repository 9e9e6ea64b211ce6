/* relay.c - two flows, each from one connection to the other. */
#include "lbd/proxy/relay.h"

#include <errno.h>

#include "lbd/proxy/conn_ktls.h"
#include "lbd/proxy/conn_splice.h"
#include "lbd/proxy/proxy.h"

enum {
	LARGE_READ = 64 * 1024, /* a copy of so much is worth a pipe */
	SPLICE_WORTH = 16 * 1024, /* with less splice costs more than a copy */
	LARGE_READS = 2, /* so many more of the one than of the other make a flow large */
	LARGE_MOST = 4
};

/* One more read, of that size. */
static void
flow_learn(struct relay_flow *f, ssize_t n, ssize_t much)
{
	if (n >= much)
		f->large += f->large < LARGE_MOST;
	else if (n > 0)
		f->large -= f->large > 0;
}

static struct pipe_pool *
pipes_of(const struct relay_flow *f)
{
	return &f->to->worker->proxy->pipes;
}

/* `to` has not taken all yet. */
static bool
flow_waits(const struct relay_flow *f)
{
	return f->pipe || f->to->out;
}

/* Nothing will pass any more. */
static bool
flow_is_over(const struct relay_flow *f)
{
	return f->to->broken || (f->from->eof && !flow_waits(f));
}

static void
relay_finish(struct relay *r, enum termination why)
{
	r->ended = true;
	r->over(r, why);
}

static enum termination
how_it_ended(const struct relay *r)
{
	if (r->up.from->broken)
		return END_CLIENT_CLOSED;
	return r->up.to->broken ? END_SERVER_RESET : END_OK;
}

int64_t
relay_patience(const struct timeouts_config *t, bool client_ended, bool server_ended)
{
	int64_t most = t->tunnel;

	if (client_ended)
		most = t->server_fin;
	else if (server_ended)
		most = t->client_fin;
	return most < t->tunnel ? most : t->tunnel;
}

enum termination
relay_impatience(bool client_ended, bool server_ended)
{
	if (client_ended)
		return END_SERVER_FIN_TIMEOUT;
	return server_ended ? END_CLIENT_FIN_TIMEOUT : END_TUNNEL_IDLE;
}

static void
relay_active(struct relay *r)
{
	conn_deadline(r->up.to, relay_patience(r->timeouts, r->up.to->shut, r->down.to->shut));
}

/* `to` may get more when it has what came before; the end of `from` is passed on behind that. */
static void
flow_balance(struct relay_flow *f)
{
	if (f->to->broken) {
		pipe_put(pipes_of(f), &f->pipe);
		conn_discard(f->to);
		conn_read_off(f->from); /* nobody would get it */
	} else if (flow_waits(f)) {
		conn_read_off(f->from);
	} else if (!f->from->eof) {
		conn_read_on(f->from);
	} else if (!f->from->broken) { /* otherwise a reset follows */
		conn_shutdown(f->to);
	}
}

/* Where the kernel makes records it may still hold one: that is known only after the last word. */
static void
flow_settle(struct relay_flow *f)
{
	if (f->to->offloaded && f->from->eof && !f->from->broken && !flow_waits(f))
		conn_shutdown(f->to);
}

/* Something has moved.  At the very end both are closed, which says more than passing the last FIN on. */
static void
relay_balance(struct relay *r)
{
	if (r->ended)
		return;
	flow_settle(&r->down);
	if (flow_is_over(&r->up) && flow_is_over(&r->down)) {
		relay_finish(r, how_it_ended(r));
		return;
	}
	flow_balance(&r->up);
	flow_balance(&r->down);
	relay_active(r);
}

/* As far as `to` takes it. */
static int
flow_pour(struct relay_flow *f)
{
	int err = conn_splice_out(f->to, f->pipe);

	if (f->pipe->held == 0)
		pipe_put(pipes_of(f), &f->pipe);
	return err;
}

/* As conn_read; it is on its way then. */
static ssize_t
flow_splice(struct relay_flow *f)
{
	ssize_t n = conn_splice_in(f->from, f->pipe);

	if (n > 0)
		flow_pour(f);
	else
		pipe_put(pipes_of(f), &f->pipe);
	flow_learn(f, n, SPLICE_WORTH);
	return n;
}

static ssize_t
flow_copy(struct relay_flow *f)
{
	struct span data;
	ssize_t n = conn_read(f->from, &data, SCRATCH_READ);

	if (n > 0)
		conn_send(f->to, data.p, data.n); /* what breaks shows in `broken` */
	flow_learn(f, n, LARGE_READ);
	return n;
}

static bool
flow_is_large(const struct relay_flow *f)
{
	return f->large >= LARGE_READS && !f->from->tls && conn_takes_plain(f->to);
}

static void
flow_readable(struct relay *r, struct relay_flow *f)
{
	ssize_t n;

	if (r->ended || f->from->eof || f->to->broken || flow_waits(f))
		return;
	if (flow_is_large(f))
		f->pipe = pipe_get(pipes_of(f), f->to->worker->now);
	n = f->pipe ? flow_splice(f) : flow_copy(f);
	if (n != -EAGAIN)
		relay_balance(r);
}

static void
flow_writable(struct relay *r, struct relay_flow *f)
{
	int err;

	if (r->ended)
		return;
	err = f->pipe ? flow_pour(f) : conn_flush(f->to);
	if (err == -EAGAIN)
		relay_active(r);
	else
		relay_balance(r);
}

void
relay_client_readable(struct relay *r)
{
	flow_readable(r, &r->up);
}

void
relay_client_writable(struct relay *r)
{
	flow_writable(r, &r->down);
}

void
relay_server_readable(struct relay *r)
{
	flow_readable(r, &r->down);
}

void
relay_server_writable(struct relay *r)
{
	flow_writable(r, &r->up);
}

/* A slow reader has taken some of what left us long ago. */
static bool
relay_still_delivers(struct relay *r)
{
	size_t before = r->unsent;

	r->unsent = conn_unsent(r->up.to) + conn_unsent(r->down.to);
	return r->unsent && r->unsent != before;
}

void
relay_expired(struct relay *r)
{
	if (r->ended)
		return;
	if (relay_still_delivers(r))
		relay_active(r);
	else
		relay_finish(r, relay_impatience(r->up.to->shut, r->down.to->shut));
}

static void
flow_start(struct relay_flow *f, struct conn *from, struct conn *to)
{
	struct span kept = conn_kept(from);

	*f = (struct relay_flow){ .from = from, .to = to };
	conn_send(to, kept.p, kept.n);
	conn_keep(from, NULL, 0);
}

void
relay_start(struct relay *r, struct conn *client, struct conn *server,
    const struct timeouts_config *timeouts, void (*over)(struct relay *, enum termination))
{
	*r = (struct relay){ .timeouts = timeouts, .over = over };
	if (timeouts->tcp_keepalive) {
		conn_keepalive(client, timeouts->tcp_keepalive);
		conn_keepalive(server, timeouts->tcp_keepalive);
	}
	flow_start(&r->up, client, server);
	flow_start(&r->down, server, client);
	relay_balance(r);
}

void
relay_fini(struct relay *r)
{
	pipe_put(pipes_of(&r->up), &r->up.pipe);
	pipe_put(pipes_of(&r->down), &r->down.pipe);
}
