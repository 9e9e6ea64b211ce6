/*
 * socket.h - the few socket calls that the three bench programs share.
 *
 * Header-only, because every .c file in this directory is a program of its own.  IPv4 on loopback
 * is all that a bench needs.  Whatever fails here at start-up ends the program with one line on
 * stderr.
 */
#ifndef BENCH_SOCKET_H
#define BENCH_SOCKET_H

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* "ADDR:PORT" */
static inline struct sockaddr_in
socket_parse(const char *text)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	char host[INET_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : sizeof(host);

	if (n >= sizeof(host))
		errx(2, "%s: not ADDR:PORT", text);
	memcpy(host, text, n);
	host[n] = '\0';
	sa.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &sa.sin_addr) != 1 || !sa.sin_port)
		errx(2, "%s: not ADDR:PORT", text);
	return sa;
}

static inline void
socket_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		err(1, "setsockopt %d of level %d", name, level);
}

static inline int
socket_new(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "socket");
	return fd;
}

static inline int
socket_listen(const struct sockaddr_in *sa, bool reuse_port)
{
	int fd = socket_new();

	socket_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (reuse_port)
		socket_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 || listen(fd, 4096) < 0)
		err(1, "cannot listen on %s:%d", inet_ntoa(sa->sin_addr), ntohs(sa->sin_port));
	return fd;
}

static inline void
socket_watch(int poll_fd, int op, int fd, uint32_t events, void *data)
{
	struct epoll_event ev = { .events = events, .data.ptr = data };

	if (epoll_ctl(poll_fd, op, fd, &ev) < 0)
		err(1, "epoll_ctl");
}

static inline void
process_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		err(1, "cannot run on CPU %d", cpu);
}

/* As many descriptors as the hard limit allows. */
static inline void
process_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(1, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(1, "setrlimit");
}

#endif
