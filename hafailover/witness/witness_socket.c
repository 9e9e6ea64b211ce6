/* witness_socket.c - the kernel says to which of our addresses a packet came, and is told the same. */
#include "hafailover/witness/witness_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "hafailover/peer/witness_wire.h"

enum { SOCKET_MAGIC = 0x6877736f, READ_MAX = 256, RECEIVE_BUFFER = 1 << 20, PRIORITY = 6 };

struct witness_socket {
	uint32_t magic;
	struct ev_loop *loop;
	struct witness_socket_events events;
	ev_io io;
};

union control {
	struct cmsghdr header; /* aligns it */
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
};

/* Answers leave by the route, not by the interface on which the question came. */
static void
control_turn(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	if (!c)
		return;
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo *i = (struct in_pktinfo *)CMSG_DATA(c);

		i->ipi_ifindex = 0;
		i->ipi_spec_dst = i->ipi_addr;
		m->msg_controllen = CMSG_SPACE(sizeof(*i));
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		struct in6_pktinfo *i = (struct in6_pktinfo *)CMSG_DATA(c);

		if (!IN6_IS_ADDR_LINKLOCAL(&i->ipi6_addr))
			i->ipi6_ifindex = 0;
		m->msg_controllen = CMSG_SPACE(sizeof(*i));
	} else {
		m->msg_controllen = 0;
	}
}

/* False: nothing is left. */
static bool
read_one(struct witness_socket *s)
{
	uint8_t bytes[WITNESS_WIRE_SIZE + 1]; /* one more: what is longer is seen to be */
	struct address from = { .len = 0 };
	union control control;
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_name = &from.sa,
		.msg_namelen = sizeof(from.in6),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(s->io.fd, &m, MSG_DONTWAIT);
	const uint8_t *reply;
	size_t size = 0;

	if (n < 0)
		return errno != EAGAIN;
	from.len = m.msg_namelen;
	reply = s->events.packet(
	    s->events.owner, (struct str){ (const char *)bytes, (size_t)n }, &from, &size);
	if (!reply)
		return true;
	memcpy(bytes, reply, size);
	part.iov_len = size;
	control_turn(&m);
	sendmsg(s->io.fd, &m, MSG_DONTWAIT); /* what is lost is asked again */
	return true;
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct witness_socket *s = io->data;

	(void)revents;
	CHECK(s->magic == SOCKET_MAGIC && s->loop == loop);
	for (unsigned i = 0; i < READ_MAX && read_one(s); i++)
		;
}

static int
open_at(const struct address *a, struct err *err)
{
	bool v6 = a->sa.sa_family == AF_INET6;
	int fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1, priority = PRIORITY, buffer = RECEIVE_BUFFER;
	char text[ADDRESS_TEXT_MAX];
	int code;

	address_format(a, text);
	if (fd < 0)
		return err_set(err, -errno, "no socket for %s: %s", text, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if ((v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on,
		sizeof(on)) < 0 ||
	    bind(fd, &a->sa, a->len) < 0) {
		code = err_set(err, -errno, "cannot listen on %s: %s", text, strerror(errno));
		close(fd);
		return code;
	}
	return fd;
}

struct witness_socket *
witness_socket_open(struct ev_loop *loop, const struct address *a,
    const struct witness_socket_events *events, struct err *err)
{
	struct witness_socket *s = calloc(1, sizeof(*s));
	int fd;

	if (!s) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	fd = open_at(a, err);
	if (fd < 0) {
		free(s);
		return NULL;
	}
	s->magic = SOCKET_MAGIC;
	s->loop = loop;
	s->events = *events;
	ev_io_init(&s->io, on_readable, fd, EV_READ);
	s->io.data = s;
	ev_io_start(loop, &s->io);
	return s;
}

void
witness_socket_close(struct witness_socket **sp)
{
	struct witness_socket *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	ev_io_stop(s->loop, &s->io);
	close(s->io.fd);
	s->magic = 0;
	free(s);
}
