/* conn.c - the system calls of a connection: recv, send, shutdown, close, and hardly another. */
#include "lbd/proxy/conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/proxy/conn_ktls.h"
#include "lbd/proxy/conn_tls.h"

enum { KEEPALIVE_PROBES = 3 };

void
conn_init(struct conn *c, struct worker *w, int fd, const struct conn_events *events)
{
	*c = (struct conn){ .worker = w };
	ev_io_init(&c->read, events->readable, fd, EV_READ);
	ev_io_init(&c->write, events->writable, fd, EV_WRITE);
	c->read.data = c->write.data = c;
	timer_init(&c->timer, events->expired);
}

void
conn_events_set(struct conn *c, const struct conn_events *events)
{
	ev_set_cb(&c->read, events->readable);
	ev_set_cb(&c->write, events->writable);
	c->timer.fire = events->expired;
}

void
conn_close(struct conn *c, bool reset)
{
	struct worker *w = c->worker;
	int fd = c->read.fd;

	if (fd < 0)
		return;
	if (c->tls)
		conn_tls_close(c, reset);
	ev_io_stop(w->loop, &c->read);
	ev_io_stop(w->loop, &c->write);
	timer_remove(&w->wheel, &c->timer);
	buffer_put(&w->buffers, &c->in);
	buffer_put(&w->buffers, &c->out);
	if (reset) {
		struct linger now = { .l_onoff = 1 };

		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	} else if (c->ending && !c->shut) {
		shutdown(fd, SHUT_WR); /* lest close() throws away what was held back */
	}
	close(fd);
	ev_io_set(&c->read, -1, EV_READ);
	ev_io_set(&c->write, -1, EV_WRITE);
}

struct span
conn_kept(struct conn *c)
{
	struct span data = { c->worker->scratch, buffer_used(c->in) };

	if (data.n)
		memcpy(data.p, c->in->data + c->in->start, data.n);
	return data;
}

int
conn_read_end(struct conn *c, int err)
{
	c->eof = true;
	conn_read_off(c);
	if (err)
		c->broken = true;
	return err;
}

ssize_t
conn_read(struct conn *c, struct span *data, size_t most)
{
	ssize_t n;

	CHECK(most > 0 && most <= SCRATCH_READ);
	*data = conn_kept(c);
	CHECK(data->n <= SCRATCH_KEPT);
	if (c->tls)
		return conn_tls_read(c, data, most);
	n = recv(c->read.fd, data->p + data->n, most, 0);
	if (n > 0) {
		data->n += (size_t)n;
		c->bytes_read += (uint64_t)n;
		return n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	return conn_read_end(c, n < 0 ? -errno : 0);
}

int
conn_keep(struct conn *c, const char *p, size_t n)
{
	struct buffer_pool *pool = &c->worker->buffers;

	if (c->in && (n == 0 || c->in->size < n))
		buffer_put(pool, &c->in);
	if (n == 0)
		return 0;
	CHECK(n <= SCRATCH_KEPT);
	if (c->in)
		c->in->start = c->in->end = 0;
	return buffer_append(pool, &c->in, p, n);
}

void
conn_discard(struct conn *c)
{
	buffer_put(&c->worker->buffers, &c->out);
	ev_io_stop(c->worker->loop, &c->write);
}

static int
conn_break(struct conn *c, int err)
{
	c->broken = true;
	conn_discard(c);
	return -err;
}

/* Bytes that the socket took, 0 if it is full, -1 if it is broken (errno). */
static ssize_t
socket_send(struct conn *c, const char *p, size_t n)
{
	int more =
	    c->ending && !c->offloaded ? MSG_MORE : 0; /* the kernel would leave a record open */
	ssize_t sent = send(c->write.fd, p, n, MSG_NOSIGNAL | more);

	if (sent >= 0) {
		if (conn_takes_plain(c)) /* else plaintext counts */
			c->bytes_sent += (uint64_t)sent;
		return sent;
	}
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

int
conn_send_raw(struct conn *c, const char *p, size_t n)
{
	ssize_t sent = 0;
	int err;

	if (!c->out) {
		sent = socket_send(c, p, n);
		if (sent < 0)
			return conn_break(c, errno);
		if ((size_t)sent == n)
			return 0;
	}
	err = buffer_append(&c->worker->buffers, &c->out, p + sent, n - (size_t)sent);
	if (err) {
		conn_break(c, -err);
		return sent ? 0 : err;
	}
	ev_io_start(c->worker->loop, &c->write);
	return 0;
}

int
conn_send(struct conn *c, const char *p, size_t n)
{
	if (c->broken || c->shut)
		return -EPIPE;
	if (n == 0)
		return 0;
	return c->tls ? conn_tls_send(c, p, n) : conn_send_raw(c, p, n);
}

int
conn_send_ahead(struct conn *c, const char *p, size_t n)
{
	ssize_t sent = send(c->write.fd, p, n, MSG_NOSIGNAL | MSG_MORE);

	if (sent != (ssize_t)n) /* the buffer of a new socket has room */
		return conn_break(c, sent < 0 ? errno : EPIPE);
	c->bytes_sent += n;
	return 0;
}

int
conn_flush(struct conn *c)
{
	struct buffer *b = c->out;
	ssize_t sent;

	if (c->broken)
		return -EPIPE;
	if (!b)
		return 0;
	sent = buffer_used(b) ? socket_send(c, b->data + b->start, b->end - b->start) : 0;
	if (sent < 0)
		return conn_break(c, errno);
	b->start += (uint32_t)sent;
	if (b->start < b->end || (c->offloaded && c->shut && conn_ktls_finish(c) < 0))
		return -EAGAIN;
	buffer_put(&c->worker->buffers, &c->out);
	ev_io_stop(c->worker->loop, &c->write);
	if (c->shut)
		shutdown(c->write.fd, SHUT_WR);
	return 0;
}

int
conn_error(const struct conn *c)
{
	socklen_t size = sizeof(int);
	int err = 0;

	if (getsockopt(c->read.fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
		return -errno;
	return -err;
}

size_t
conn_unsent(const struct conn *c)
{
	int n = 0;

	return ioctl(c->write.fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

static void
option_set(const struct conn *c, int level, int name, int value)
{
	setsockopt(c->read.fd, level, name, &value, sizeof(value)); /* not of unix sockets */
}

void
conn_keepalive(struct conn *c, int64_t idle_ns)
{
	int seconds = (int)(idle_ns / NS_PER_S), apart = seconds / KEEPALIVE_PROBES;

	option_set(c, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
	option_set(c, IPPROTO_TCP, TCP_KEEPINTVL, apart < 1 ? 1 : apart);
	option_set(c, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	option_set(c, SOL_SOCKET, SO_KEEPALIVE, 1);
}

void
conn_shutdown(struct conn *c)
{
	if (c->shut || !conn_is_open(c))
		return;
	if (c->tls)
		conn_tls_shutdown(c);
	c->shut = true;
	if (!c->out && !c->broken)
		shutdown(c->write.fd, SHUT_WR);
}
