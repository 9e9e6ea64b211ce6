/* handshake.c - turns, steps and ends of handshakes with clients. */
#include "lbd/proxy/handshake.h"

#include <errno.h>

#include "common/log.h"

static uint32_t
share(const struct client *c)
{
	const struct lbd_config *config = c->listener->snapshot->config;

	return (config->limits.tls_handshakes + config->workers - 1) / config->workers;
}

static void
queue_add(struct proxy *proxy, struct client *c)
{
	c->newer = NULL;
	c->older = proxy->handshake_last;
	if (c->older)
		c->older->newer = c;
	else
		proxy->handshake_first = c;
	proxy->handshake_last = c;
}

static void
queue_remove(struct proxy *proxy, struct client *c)
{
	if (c->older)
		c->older->newer = c->newer;
	else
		proxy->handshake_first = c->newer;
	if (c->newer)
		c->newer->older = c->older;
	else
		proxy->handshake_last = c->older;
}

static void
turn_take(struct client *c)
{
	c->handshaking = true;
	c->conn.worker->proxy->n_handshakes++;
}

void
handshake_enter(struct client *c)
{
	struct proxy *proxy = c->conn.worker->proxy;

	conn_deadline(&c->conn, c->listener->snapshot->config->timeouts.tls_handshake);
	if (proxy->handshake_first || proxy->n_handshakes >= share(c)) {
		queue_add(proxy, c);
		return;
	}
	turn_take(c);
	handshake_readable(c);
	if (c->state == CLIENT_HANDSHAKE)
		conn_read_on(&c->conn);
}

/* They start in the next round of events, not deeper in this one. */
static void
queue_serve(struct proxy *proxy)
{
	struct client *next;

	while ((next = proxy->handshake_first) && proxy->n_handshakes < share(next)) {
		queue_remove(proxy, next);
		turn_take(next);
		ev_feed_event(next->conn.worker->loop, &next->conn.read, EV_READ);
		conn_read_on(&next->conn);
	}
}

void
handshake_leave(struct client *c)
{
	struct proxy *proxy = c->conn.worker->proxy;

	if (!c->handshaking) {
		queue_remove(proxy, c);
		return;
	}
	c->handshaking = false;
	proxy->n_handshakes--;
	queue_serve(proxy);
}

void
handshake_failed(struct client *c, enum tls_failure why)
{
	counter_add(&c->stats->tls_failures[why], 1);
	log_debug("tls_handshake_failed", "listener=%s client=%s reason=%s",
	    log_quoted(c->listener->conf->name).text, log_quoted(client_address(c)).text,
	    tls_failure_name(why));
	client_close(c, false);
}

enum stats_handshake
handshake_kind(const struct tls *t)
{
	if (tls_is_1_3(t))
		return tls_was_resumed(t) ? STATS_TLS_1_3_RESUMED : STATS_TLS_1_3;
	return tls_was_resumed(t) ? STATS_TLS_1_2_RESUMED : STATS_TLS_1_2;
}

static void
handshake_done(struct client *c)
{
	counter_add(&c->stats->tls_handshakes[handshake_kind(c->conn.tls)], 1);
	handshake_leave(c);
	client_secured(c);
}

void
handshake_readable(struct client *c)
{
	enum tls_failure why = TLS_FAIL_MEMORY;
	int r = -ENOMEM;

	if (!c->conn.tls)
		c->conn.tls = tls_accept(c->listener->tls);
	if (c->conn.tls)
		r = conn_handshake(&c->conn, &why);
	if (r == 0)
		handshake_done(c);
	else if (r != -EAGAIN)
		handshake_failed(c, why);
}
