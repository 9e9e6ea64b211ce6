/*
 * access_log_sink.c - one buffer of whole lines, written from its front.
 *
 * Standard error may be a pipe or terminal that others share, so it must not be made
 * non-blocking: it is asked with poll, and then takes PIPE_BUF bytes without waiting.
 */
#include "lbd/worker/access_log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	SINK_SIZE = 4 * ACCESS_LINE_MAX,
	SINK_DATAGRAMS = 32, /* sent with one call */
	PREFIX_MAX = 128,
	SYSLOG_PRIORITY = 3 << 3 | 6 /* daemon, informational */
};

int
access_sink_init(struct access_sink *s)
{
	*s = (struct access_sink){ .fd = -1, .out = malloc(SINK_SIZE) };
	return s->out ? 0 : -ENOMEM;
}

void
access_sink_fini(struct access_sink *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->out);
	s->out = NULL;
}

static void
datagrams_connect(struct access_sink *s)
{
	s->to_length = sizeof(s->to);
	if (getpeername(s->fd, (struct sockaddr *)&s->to, &s->to_length) == 0)
		return;
	s->to_length = sizeof(s->to);
	s->to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(s->to.sun_path, sizeof(s->to.sun_path), "%s",
	    s->type == ACCESS_LOG_SYSLOG ? "/dev/log" : "/run/systemd/journal/socket");
	/* when nobody listens yet, sending finds out, and tries again */
	(void)!connect(s->fd, (struct sockaddr *)&s->to, s->to_length);
}

void
access_sink_use(struct access_sink *s, enum access_log_sink type, int fd)
{
	struct stat st;
	bool known = fd >= 0 && fstat(fd, &st) == 0;

	if (s->fd >= 0)
		close(s->fd);
	s->type = type;
	s->fd = fd;
	s->torn = s->given_up = false;
	s->regular = known && S_ISREG(st.st_mode);
	s->socket = known && S_ISSOCK(st.st_mode);
	s->nonblocking = fd >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK);
	if (fd >= 0 && type != ACCESS_LOG_FD)
		datagrams_connect(s);
}

char *
access_sink_room(struct access_sink *s)
{
	return SINK_SIZE - s->end >= ACCESS_LINE_MAX ? s->out + s->end : NULL;
}

void
access_sink_commit(struct access_sink *s, size_t n)
{
	s->end += n;
}

static uint64_t
count_lines(const char *p, size_t n)
{
	const char *end = p + n;
	uint64_t lines = 0;

	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		lines++;
		p++;
	}
	return lines;
}

static void
eat(struct access_sink *s, size_t n)
{
	counter_add(&s->written, count_lines(s->out + s->from, n));
	s->from += n;
}

static void
drop(struct access_sink *s)
{
	counter_add(&s->dropped, count_lines(s->out + s->from, s->end - s->from));
	if (s->from > 0 && s->out[s->from - 1] != '\n')
		s->torn = true;
	s->from = s->end = 0;
}

/* The number of bytes written, or -errno: -EAGAIN when it would wait. */
static ssize_t
stream_write(struct access_sink *s, const char *p, size_t n)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };
	ssize_t r;

	if (s->socket) {
		r = send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		if (!s->regular && !s->nonblocking) {
			if (poll(&pfd, 1, 0) == 0)
				return -EAGAIN;
			n = n < PIPE_BUF ? n : PIPE_BUF;
		}
		r = write(s->fd, p, n);
	}
	if (r == 0)
		return -EIO;
	return r < 0 ? -errno : r;
}

static ssize_t
stream_send(struct access_sink *s)
{
	ssize_t r;

	if (s->torn) {
		r = stream_write(s, "\n", 1);
		if (r < 0)
			return r;
		s->torn = false;
	}
	return stream_write(s, s->out + s->from, s->end - s->from);
}

/* What stands before every line of a datagram; its length. */
static size_t
datagram_prefix(const struct access_sink *s, char text[PREFIX_MAX])
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	if (s->type == ACCESS_LOG_JOURNAL)
		return (size_t)snprintf(
		    text, PREFIX_MAX, "PRIORITY=6\nSYSLOG_IDENTIFIER=lbd\nMESSAGE=");
	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	return (size_t)snprintf(
	    text, PREFIX_MAX, "<%d>%s lbd[%d]: ", SYSLOG_PRIORITY, stamp, (int)getpid());
}

/* Up to SINK_DATAGRAMS lines; the journal wants the newline, syslog does not. */
static ssize_t
datagrams_send_some(struct access_sink *s)
{
	struct mmsghdr messages[SINK_DATAGRAMS] = { 0 };
	struct iovec parts[SINK_DATAGRAMS][2];
	char prefix[PREFIX_MAX], *p = s->out + s->from, *end = s->out + s->end;
	size_t prefix_length = datagram_prefix(s, prefix), bytes = 0;
	unsigned n = 0;
	int sent;

	for (; n < SINK_DATAGRAMS && p < end; n++) {
		size_t line = (size_t)((char *)memchr(p, '\n', (size_t)(end - p)) + 1 - p);

		parts[n][0] = (struct iovec){ prefix, prefix_length };
		parts[n][1] = (struct iovec){ p, line - (s->type == ACCESS_LOG_SYSLOG) };
		messages[n].msg_hdr.msg_iov = parts[n];
		messages[n].msg_hdr.msg_iovlen = 2;
		p += line;
	}
	sent = sendmmsg(s->fd, messages, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	for (int i = 0; i < sent; i++)
		bytes += parts[i][1].iov_len + (s->type == ACCESS_LOG_SYSLOG);
	return (ssize_t)bytes;
}

/* One line that is too long for a datagram costs only itself. */
static ssize_t
datagram_skip(struct access_sink *s)
{
	char *p = s->out + s->from;

	s->from = (size_t)((char *)memchr(p, '\n', s->end - s->from) + 1 - s->out);
	counter_add(&s->dropped, 1);
	return 0;
}

static ssize_t
datagrams_send(struct access_sink *s)
{
	ssize_t r = datagrams_send_some(s);

	if (r == -EMSGSIZE)
		return datagram_skip(s);
	if (r >= 0 || r == -EAGAIN || r == -EINTR)
		return r;
	/* the daemon behind the socket has been restarted */
	if (connect(s->fd, (struct sockaddr *)&s->to, s->to_length) < 0)
		return -errno;
	return datagrams_send_some(s);
}

bool
access_sink_flush(struct access_sink *s)
{
	ssize_t r;

	if (s->fd < 0 || s->given_up)
		drop(s);
	while (s->from < s->end) {
		r = s->type == ACCESS_LOG_FD ? stream_send(s) : datagrams_send(s);
		if (r == -EAGAIN)
			return false;
		if (r >= 0)
			eat(s, (size_t)r);
		else if (r != -EINTR)
			drop(s);
	}
	s->from = s->end = 0;
	return true;
}

void
access_sink_give_up(struct access_sink *s)
{
	drop(s);
	s->given_up = true;
}
