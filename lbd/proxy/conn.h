/*
 * conn.h - one socket on a worker's loop, client's or server's: reading, sending, waiting, closing.
 *
 * Reads land in the worker's scratch memory behind whatever was kept from before.  Sends go to the
 * socket at once; what it does not take waits in `out`, and only then is there a write watcher.  The read
 * watcher stays armed for the socket's whole life, except while the other side must drain first.  Knows
 * nothing of HTTP.  Embedded in struct client and struct upstream.  With TLS all of this stays true of the
 * plaintext; `out` then holds records, unless the kernel makes them.
 */
#ifndef LBD_PROXY_CONN_H
#define LBD_PROXY_CONN_H

#include "lbd/worker/worker.h"

struct tls;

struct conn {
	ev_io read, write;
	struct timer timer;
	struct worker *worker;
	struct buffer *in; /* read, not yet used */
	struct buffer *out; /* not yet taken by the socket */
	struct tls *tls; /* NULL: plain; conn_tls.h */
	struct buffer *sealed; /* TLS: received, not yet decrypted */
	struct buffer *held; /* TLS: records that leave with the next ones */
	uint64_t bytes_read, bytes_sent;
	bool eof; /* the peer sends no more */
	bool ending; /* FIN follows in this turn: may leave with what is sent before it */
	bool broken; /* a send or read failed: nothing more can be sent */
	bool shut; /* we send no more */
	bool offloaded; /* TLS: the kernel makes records of what is sent; conn_ktls.h */
};

struct conn_events {
	void (*readable)(struct ev_loop *, ev_io *, int revents);
	void (*writable)(struct ev_loop *, ev_io *, int revents);
	void (*expired)(struct timer *);
};

/* Takes over fd.  The read watcher is not started. */
void conn_init(struct conn *, struct worker *, int fd, const struct conn_events *);

/* Others hear of it from now on. */
void conn_events_set(struct conn *, const struct conn_events *);

/* Closes the socket and returns the buffers.  Closing twice is harmless.  `reset`: with RST. */
void conn_close(struct conn *, bool reset);

static inline bool
conn_is_open(const struct conn *c)
{
	return c->read.fd >= 0;
}

struct span {
	char *p;
	size_t n;
};

/*
 * *data becomes what was kept and what could be read, in scratch memory; at most `most` new bytes, which
 * is at most SCRATCH_READ.
 * >0: that many new bytes.  0: the peer has finished sending.  -EAGAIN: nothing new.  Else -errno: broken.
 */
ssize_t conn_read(struct conn *, struct span *data, size_t most);

/* What was kept, in scratch memory, without reading.  n is 0 if nothing was. */
struct span conn_kept(struct conn *);

/*
 * Keeps the bytes at p (in scratch memory) for the next conn_read; n = 0 forgets what was kept.
 * At most SCRATCH_KEPT.  0 or -ENOMEM.
 */
int conn_keep(struct conn *, const char *p, size_t n);

/*
 * Sends or queues all of it.  0, or -errno: broken.  When `out` was empty before and the result is an
 * error, nothing was sent: what broke after a part of it shows the next time.
 */
int conn_send(struct conn *, const char *p, size_t n);

/*
 * The first bytes of a connection, before TLS; few, and more follows at once, with which they leave.  0 or -errno:
 * broken.
 */
int conn_send_ahead(struct conn *, const char *p, size_t n);

/* Sends what waits.  0 when nothing waits any more, -EAGAIN, or -errno: broken. */
int conn_flush(struct conn *);

/* What waits is not sent any more. */
void conn_discard(struct conn *);

/* What the socket says of its connect: 0, or why it failed. */
int conn_error(const struct conn *);

/* Of what the socket took, what its peer has not acknowledged; a FIN counts as a byte. */
size_t conn_unsent(const struct conn *);

/*
 * The kernel asks a peer that has been silent for so long whether it is still there, and again, soon; one that is gone
 * shows as broken after twice that time.
 */
void conn_keepalive(struct conn *, int64_t idle_ns);

/* We send no more: FIN after what waits. */
void conn_shutdown(struct conn *);

/* TLS: looks again at what was received but not read.  conn_tls.c */
void conn_tls_read_on(struct conn *);

static inline void
conn_read_on(struct conn *c)
{
	if (c->eof || !conn_is_open(c))
		return;
	ev_io_start(c->worker->loop, &c->read);
	if (c->tls)
		conn_tls_read_on(c);
}

static inline void
conn_read_off(struct conn *c)
{
	ev_io_stop(c->worker->loop, &c->read);
}

static inline void
conn_deadline(struct conn *c, int64_t timeout_ns)
{
	timer_set(&c->worker->wheel, &c->timer, c->worker->now + timeout_ns);
}

#endif
