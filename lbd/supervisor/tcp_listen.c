/* tcp_listen.c - socket options, and bind in its variants. */
#include "lbd/supervisor/tcp_listen.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "common/log.h"

enum { LISTEN_BACKLOG = 65535 }; /* the kernel cuts it to net.core.somaxconn */

static bool
option_set(int fd, int level, int name)
{
	const int on = 1;

	return setsockopt(fd, level, name, &on, sizeof(on)) == 0;
}

static int
bind_anywhere(int fd, const struct address *a, bool *foreign)
{
	bool v6 = a->sa.sa_family == AF_INET6;

	if (bind(fd, &a->sa, a->len) == 0)
		return 0;
	if (errno != EADDRNOTAVAIL)
		return -errno;
	*foreign = true;
	if (!option_set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND) ||
	    bind(fd, &a->sa, a->len) < 0)
		return -errno;
	return 0;
}

/* Bound, not yet listening.  fd or -errno. */
static int
socket_bind(const struct address *a, bool shared, bool *foreign)
{
	int fd, code;

	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* TCP_NODELAY is inherited by every accepted connection: one call less for each */
	if (!option_set(fd, SOL_SOCKET, SO_REUSEADDR) ||
	    !option_set(fd, IPPROTO_TCP, TCP_NODELAY) ||
	    (shared && !option_set(fd, SOL_SOCKET, SO_REUSEPORT)) ||
	    (a->sa.sa_family == AF_INET6 && !option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY)))
		code = -errno;
	else
		code = bind_anywhere(fd, a, foreign);
	if (code) {
		close(fd);
		return code;
	}
	return fd;
}

static int
sockets_open(const struct address *a, const struct tcp_listen_options *o, int *fds, bool *foreign)
{
	unsigned i;
	int fd;

	if (!o->port_is_ours) {
		fd = socket_bind(a, false, foreign);
		if (fd < 0)
			return fd;
		close(fd);
	}
	for (i = 0; i < o->n; i++) {
		fd = socket_bind(a, true, foreign);
		if (fd < 0)
			return fd;
		fds[i] = fd;
	}
	for (i = 0; i < o->n; i++) /* one after the other bound: now none gets a backlog alone */
		if (listen(fds[i], LISTEN_BACKLOG) < 0)
			return -errno;
	return 0;
}

int
tcp_listen_open(
    const struct address *a, const struct tcp_listen_options *o, int *fds, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	bool foreign = false;
	unsigned i;
	int code;

	for (i = 0; i < o->n; i++)
		fds[i] = -1;
	code = sockets_open(a, o, fds, &foreign);
	address_format(a, text);
	if (code)
		return err_set(err, code, "cannot listen on %s: %s%s", text, strerror(-code),
		    code == -EACCES ? " (ports below 1024 need CAP_NET_BIND_SERVICE)" : "");
	if (foreign)
		log_info("listen_not_local", "address=%s", text);
	return 0;
}

static in_port_t
port_of(const struct address *a)
{
	return a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port;
}

bool
tcp_listen_same_port(const struct address *a, const struct address *b)
{
	return a->sa.sa_family == b->sa.sa_family && a->sa.sa_family != AF_UNIX &&
	    port_of(a) == port_of(b);
}
