/* conn_splice.c - splice(2), both ways. */
#include "lbd/proxy/conn_splice.h"

#include <errno.h>
#include <fcntl.h>

#include "common/check.h"
#include "lbd/proxy/conn_ktls.h"
#include "lbd/proxy/conn_tls.h"

ssize_t
conn_splice_in(struct conn *c, struct pipe *p)
{
	ssize_t n;

	CHECK(!c->tls && !c->in && p->held == 0);
	n = splice(c->read.fd, NULL, p->in, NULL, PIPE_SIZE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n > 0) {
		c->bytes_read += (uint64_t)n;
		p->held = (size_t)n;
		return n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	return conn_read_end(c, n < 0 ? -errno : 0);
}

int
conn_splice_out(struct conn *c, struct pipe *p)
{
	ssize_t n;

	CHECK(conn_takes_plain(c) && !c->out);
	if (c->broken)
		return -EPIPE;
	n = splice(p->out, NULL, c->write.fd, NULL, p->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		c->broken = true;
		conn_discard(c);
		return -errno;
	}
	if (n > 0) {
		c->bytes_sent += (uint64_t)n;
		p->held -= (size_t)n;
	}
	if (p->held) {
		ev_io_start(c->worker->loop, &c->write);
		return -EAGAIN;
	}
	ev_io_stop(c->worker->loop, &c->write);
	return 0;
}
