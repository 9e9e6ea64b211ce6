/* control_client.c - a descriptor and the bytes that were read beyond the last line. */
#include "common/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/control.h"
#include "common/text.h"
#include "common/unix_socket.h"

struct control_client {
	int fd;
	struct text input;
	size_t used; /* of input: the line handed out last */
};

struct control_client *
control_client_open(const char *path, int64_t deadline_ns, struct err *err)
{
	struct control_client *c = calloc(1, sizeof(*c));
	int64_t left = deadline_ns - clock_ns();

	if (!c) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	c->fd = unix_socket_connect(path, left > 0 ? left : 0, err);
	text_init(&c->input, CONTROL_QUEUE_MAX + 1);
	if (c->fd < 0)
		control_client_close(&c);
	return c;
}

void
control_client_close(struct control_client **cp)
{
	struct control_client *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	text_fini(&c->input);
	free(c);
}

/* Waits for `events`; 0 or -errno with a reason. */
static int
socket_wait(int fd, short events, int64_t deadline_ns, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	struct timespec ts;
	int n;

	do {
		left = deadline_ns - clock_ns();
		if (left < 0)
			left = 0;
		ts = (struct timespec){ left / NS_PER_S, left % NS_PER_S };
		n = ppoll(&p, 1, &ts, NULL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, -errno, "cannot wait for the daemon: %s", strerror(errno));
	if (n == 0)
		return err_set(err, -ETIMEDOUT, "the daemon did not answer in time");
	return 0;
}

static int
bytes_send(int fd, struct str s, int64_t deadline_ns, struct err *err)
{
	ssize_t n;
	int code;

	while (s.n) {
		n = send(fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			code = socket_wait(fd, POLLOUT, deadline_ns, err);
			if (code)
				return code;
		} else if (n < 0 && errno != EINTR) {
			return err_set(
			    err, -errno, "cannot send to the daemon: %s", strerror(errno));
		} else if (n > 0) {
			s = str_skip(s, (size_t)n);
		}
	}
	return 0;
}

int
control_client_send(struct control_client *c, struct str line, int64_t deadline_ns, struct err *err)
{
	int code = bytes_send(c->fd, line, deadline_ns, err);

	return code ? code : bytes_send(c->fd, STR("\n"), deadline_ns, err);
}

/* More input; 0 or -errno with a reason. */
static int
input_fill(struct control_client *c, int64_t deadline_ns, struct err *err)
{
	char buffer[65536];
	int code = socket_wait(c->fd, POLLIN, deadline_ns, err);
	ssize_t n;

	if (code)
		return code;
	n = recv(c->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return err_set(err, -EPIPE, "the daemon closed the connection");
	if (n < 0)
		return err_set(err, -errno, "cannot read from the daemon: %s", strerror(errno));
	text_append(&c->input, (struct str){ buffer, (size_t)n });
	if (c->input.failed)
		return err_set(err, -EMSGSIZE, "the daemon's answer is too long");
	return 0;
}

int
control_client_read(
    struct control_client *c, struct str *line, int64_t deadline_ns, struct err *err)
{
	const char *end;
	size_t searched = 0;
	int code;

	text_drop(&c->input, c->used);
	c->used = 0;
	for (;;) {
		size_t n = c->input.n - searched;

		end = n ? memchr(c->input.p + searched, '\n', n) : NULL;
		if (end)
			break;
		searched = c->input.n;
		code = input_fill(c, deadline_ns, err);
		if (code)
			return code;
	}
	*line = (struct str){ c->input.p, (size_t)(end - c->input.p) };
	c->used = line->n + 1;
	return 0;
}

int
control_client_fd(const struct control_client *c)
{
	return c->fd;
}
