/*
 * channel.c - one packet per message: a fixed header, the text unless it is long, descriptors beside it.
 *
 * Descriptors travel in a fixed order (log, access log, admin HTTP, text, sockets); the header says which of
 * the first four are there.
 */
#include "lbd/supervisor/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/file.h"

enum { WIRE_MAGIC = 0x6c626368, INLINE_MAX = 16384, NAMED_FDS = 4 };
enum { FDS_MAX = NAMED_FDS + CHANNEL_SOCKETS_MAX };

struct wire {
	uint32_t magic, type, ok;
	uint32_t has; /* bit i: the i-th of the named descriptors is there */
	uint64_t number;
	uint64_t text_n;
};

union ancillary {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
};

int
channel_pair(int fds[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return err_set(err, -errno, "cannot make a socket pair: %s", strerror(errno));
	return 0;
}

void
channel_message_init(struct channel_message *m, enum channel_type type)
{
	*m = (struct channel_message){
		.type = type, .log_fd = -1, .access_log_fd = -1, .admin_http_fd = -1
	};
}

static void
fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
channel_message_fini(struct channel_message *m)
{
	unsigned i;

	fd_close(m->log_fd);
	fd_close(m->access_log_fd);
	fd_close(m->admin_http_fd);
	for (i = 0; i < m->n_sockets; i++)
		fd_close(m->sockets[i]);
	free((void *)(uintptr_t)m->text.p);
	channel_message_init(m, m->type);
}

/* fd or -errno. */
static int
text_to_memfd(const struct channel_message *m, struct err *err)
{
	int fd = memfd_create("lbd-message", MFD_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "cannot make a memfd: %s", strerror(errno));
	if (!file_write(fd, m->text)) {
		err_set(err, -errno, "cannot fill a memfd: %s", strerror(errno));
		close(fd);
		return err->code;
	}
	return fd;
}

/* All descriptors in their order; *has says which of the named ones are among them. */
static unsigned
fds_collect(const struct channel_message *m, int text_fd, uint32_t *has, int fds[FDS_MAX])
{
	const int named[NAMED_FDS] = { m->log_fd, m->access_log_fd, m->admin_http_fd, text_fd };
	unsigned i, n = 0;

	*has = 0;
	for (i = 0; i < NAMED_FDS; i++) {
		if (named[i] < 0)
			continue;
		*has |= 1u << i;
		fds[n++] = named[i];
	}
	for (i = 0; i < m->n_sockets; i++)
		fds[n++] = m->sockets[i];
	return n;
}

static int
packet_send(int fd, struct iovec v[2], const int *fds, unsigned n, struct err *err)
{
	union ancillary control = { 0 };
	struct msghdr h = { .msg_iov = v, .msg_iovlen = 2 };
	struct cmsghdr *c;
	ssize_t sent;

	if (n) {
		h.msg_control = control.bytes;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	do
		sent = sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return err_set(
		    err, -errno, "cannot send to the other process: %s", strerror(errno));
	return 0;
}

int
channel_send(int fd, const struct channel_message *m, struct err *err)
{
	struct wire w = { .magic = WIRE_MAGIC,
		.type = m->type,
		.ok = m->ok,
		.number = m->number,
		.text_n = m->text.n };
	struct iovec v[2] = { { &w, sizeof(w) }, { (void *)(uintptr_t)m->text.p, m->text.n } };
	int fds[FDS_MAX], text_fd = -1, code;
	unsigned n;

	if (m->text.n > CHANNEL_TEXT_MAX)
		return err_set(err, -EMSGSIZE, "a text for the other process is too long");
	if (m->text.n > INLINE_MAX) {
		text_fd = text_to_memfd(m, err);
		if (text_fd < 0)
			return text_fd;
		v[1].iov_len = 0;
	}
	n = fds_collect(m, text_fd, &w.has, fds);
	code = packet_send(fd, v, fds, n, err);
	fd_close(text_fd);
	return code;
}

/* Takes the descriptors out of a received packet; their number. */
static unsigned
fds_extract(struct msghdr *h, int fds[FDS_MAX])
{
	struct cmsghdr *c;
	unsigned n = 0;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	return n;
}

/* Gives each descriptor its place; the text's comes back.  Those that have no place are closed. */
static int
fds_place(struct channel_message *m, uint32_t has, const int *fds, unsigned n)
{
	int text_fd = -1;
	int *const places[NAMED_FDS] = { &m->log_fd, &m->access_log_fd, &m->admin_http_fd,
		&text_fd };
	unsigned i, next = 0;

	for (i = 0; i < NAMED_FDS; i++)
		if ((has & 1u << i) && next < n)
			*places[i] = fds[next++];
	for (; next < n; next++) {
		if (m->n_sockets < CHANNEL_SOCKETS_MAX)
			m->sockets[m->n_sockets++] = fds[next];
		else
			close(fds[next]);
	}
	return text_fd;
}

/* Only memfds have seals; to read any other descriptor might wait for ever. */
static bool
memfd_read(int fd, char *p, size_t size)
{
	size_t done = 0;
	ssize_t n;

	if (fcntl(fd, F_GET_SEALS) < 0)
		return false;
	while (done < size) {
		n = pread(fd, p + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* shorter than announced */
			return false;
		done += (size_t)n;
	}
	return true;
}

/* What is in the packet behind the header, or in the memfd, becomes the text. */
static int
text_receive(struct channel_message *m, const struct wire *w, struct str in_packet, int text_fd,
    struct err *err)
{
	bool by_fd = text_fd >= 0;
	size_t n = w->text_n;
	char *p;

	if (n > CHANNEL_TEXT_MAX || in_packet.n != (by_fd ? 0 : n))
		return err_set(err, -EBADMSG, "malformed message of the other process");
	p = malloc(n + 1); /* a NUL behind it */
	if (!p)
		return err_set(err, -ENOMEM, "out of memory");
	m->text = (struct str){ p, n };
	if (!by_fd)
		memcpy(p, in_packet.p, n);
	else if (!memfd_read(text_fd, p, n))
		return err_set(err, -EBADMSG, "text of a message is cut");
	p[n] = '\0';
	return 1;
}

/* One packet into `w` and `text`; its length, 0 at the end, -errno.  Descriptors are in `fds`. */
static ssize_t
packet_receive(
    int fd, struct wire *w, char text[INLINE_MAX], int *fds, unsigned *n_fds, struct err *err)
{
	union ancillary control;
	struct iovec v[2] = { { w, sizeof(*w) }, { text, INLINE_MAX } };
	struct msghdr h = { .msg_iov = v,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n;

	*n_fds = 0;
	do
		n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n < 0)
		return err_set(
		    err, -errno, "cannot receive from the other process: %s", strerror(errno));
	*n_fds = fds_extract(&h, fds);
	if (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return err_set(err, -EBADMSG, "message of the other process is cut");
	return n;
}

int
channel_receive(int fd, struct channel_message *m, struct err *err)
{
	char text[INLINE_MAX];
	struct wire w = { 0 };
	int fds[FDS_MAX], text_fd, code;
	unsigned n_fds;
	ssize_t n = packet_receive(fd, &w, text, fds, &n_fds, err);

	channel_message_init(m, CHANNEL_TYPES);
	text_fd = fds_place(m, w.has, fds, n_fds);
	if (n <= 0) {
		code = (int)n;
	} else if ((size_t)n < sizeof(w) || w.magic != WIRE_MAGIC || w.type >= CHANNEL_TYPES) {
		code = err_set(err, -EBADMSG, "malformed message of the other process");
	} else {
		m->type = w.type;
		m->ok = w.ok != 0;
		m->number = w.number;
		code =
		    text_receive(m, &w, (struct str){ text, (size_t)n - sizeof(w) }, text_fd, err);
	}
	explicit_bzero(text, sizeof(text)); /* keys come this way */
	fd_close(text_fd);
	if (code <= 0)
		channel_message_fini(m);
	return code;
}
