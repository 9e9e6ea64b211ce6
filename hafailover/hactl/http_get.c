/* http_get.c - asks for the connection to be closed, reads to its end, and wants all that was announced. */
#include "hafailover/hactl/http_get.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/address.h"
#include "common/clock.h"

enum { RESPONSE_MAX = 32 << 20 };

/* 0 or -errno. */
static int
ready_wait(int fd, short events, int64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do {
		int64_t left = deadline_ns - clock_ns();
		struct timespec ts = { 0 };

		if (left > 0)
			ts = (struct timespec){ left / NS_PER_S, left % NS_PER_S };
		n = ppoll(&p, 1, &ts, NULL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

static int
connection_finish(int fd, int64_t deadline_ns)
{
	int code = ready_wait(fd, POLLOUT, deadline_ns), error = 0;
	socklen_t n = sizeof(error);

	if (code)
		return code;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return -errno;
	return -error;
}

/* fd or -errno. */
static int
connection_open(const struct address *address, int64_t deadline_ns)
{
	int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int code;

	if (fd < 0)
		return -errno;
	code = connect(fd, &address->sa, address->len) < 0 ? -errno : 0;
	if (code == -EINPROGRESS)
		code = connection_finish(fd, deadline_ns);
	if (!code)
		return fd;
	close(fd);
	return code;
}

static int
request_send(int fd, const char *address, const char *path, int64_t deadline_ns)
{
	char request[1024];
	int n = snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, address);
	struct str rest = { request, (size_t)n };
	int code = 0;

	if (n < 0 || (size_t)n >= sizeof(request))
		return -ENAMETOOLONG;
	while (rest.n && !code) {
		ssize_t sent = send(fd, rest.p, rest.n, MSG_NOSIGNAL);

		if (sent > 0)
			rest = str_skip(rest, (size_t)sent);
		else if (errno == EAGAIN)
			code = ready_wait(fd, POLLOUT, deadline_ns);
		else if (errno != EINTR)
			code = -errno;
	}
	return code;
}

static int
response_read(int fd, int64_t deadline_ns, struct text *response)
{
	char buffer[65536];
	int code;

	for (;;) {
		ssize_t n;

		code = ready_wait(fd, POLLIN, deadline_ns);
		if (code)
			return code;
		n = recv(fd, buffer, sizeof(buffer), 0);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0)
			text_append(response, (struct str){ buffer, (size_t)n });
		if (response->failed)
			return -EMSGSIZE;
	}
}

static int
response_parse(const struct text *response, struct text *body)
{
	static const char length_name[] = "\r\nContent-Length: ";
	const char *end = response->n ? strstr(response->p, "\r\n\r\n") : NULL;
	const char *length;
	size_t n;

	if (!end || strncmp(response->p, "HTTP/1.1 200 ", 13) != 0)
		return -EPROTO;
	n = response->n - (size_t)(end + 4 - response->p);
	length = strstr(response->p, length_name);
	if (length && length < end && strtoull(length + sizeof(length_name) - 1, NULL, 10) != n)
		return -EPIPE;
	text_append(body, (struct str){ end + 4, n });
	return body->failed ? -ENOMEM : 0;
}

static int
exchange(int fd, const char *address, const char *path, int64_t deadline_ns, struct text *body)
{
	struct text response;
	int code = request_send(fd, address, path, deadline_ns);

	text_init(&response, RESPONSE_MAX);
	if (!code)
		code = response_read(fd, deadline_ns, &response);
	if (!code)
		code = response_parse(&response, body);
	text_fini(&response);
	return code;
}

static const char *
failure_text(int code)
{
	switch (code) {
	case -EPROTO:
		return "not an answer of lbd";
	case -EPIPE:
		return "its answer is cut off";
	default:
		return strerror(-code);
	}
}

int
http_get(
    const char *address, const char *path, int64_t deadline_ns, struct text *body, struct err *err)
{
	struct address to;
	int fd, code;

	if (address_parse(&to, str_of(address), err) < 0)
		return err->code;
	fd = connection_open(&to, deadline_ns);
	code = fd < 0 ? fd : exchange(fd, address, path, deadline_ns, body);
	if (fd >= 0)
		close(fd);
	if (code)
		return err_set(err, code, "http://%s%s: %s", address, path, failure_text(code));
	return 0;
}
