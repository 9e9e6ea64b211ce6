/*
 * backend.c - the servers behind the proxies: one thread, epoll, every answer built at start.
 *
 * usage: backend [-c CPU] [-r] ADDR:PORT[/COUNT]...      COUNT: that many addresses, counting up
 *
 * The path alone chooses the answer, whatever the method; a request body is read to its end first.
 *
 *     /128 /16k /1m     that many bytes, by Content-Length
 *     /chunked16k       four chunks of 4 KiB, head and all in one write
 *     /slow?MS          the 128 bytes, MS milliseconds later
 *     /health           200
 *
 * One process can be a thousand servers: all listeners share one loop.  It makes one recv and one
 * send per request and no other call but epoll_wait, so that the proxy saturates first.  One answer
 * at a time per connection: pipelined requests wait in `stash`.  Prints "ready" when it listens;
 * ends by signal.
 */
#include "common/clock.h"
#include "tests/bench/message.h"
#include "tests/bench/socket.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { READ_MAX = 65536, EVENTS = 256 };
enum source_kind { SOURCE_LISTENER, SOURCE_CONNECTION };

struct answer {
	const char *path;
	char *bytes;
	size_t n;
};

struct source {
	enum source_kind kind;
	int fd;
};

struct connection {
	struct source source; /* first: epoll hands it back */
	struct message message;
	const struct answer *out; /* being sent, NULL: reading */
	size_t sent;
	uint32_t watched; /* epoll events that are armed */
	bool close_after;
	char *stash; /* read but not understood yet; NULL: nothing */
	size_t stash_n;
	int64_t due_ns; /* while it sleeps */
	struct connection *next_sleeper;
};

static int poll_fd;
static char buffer[2 * READ_MAX];
static struct answer answers[] = { { "/128", NULL, 0 }, { "/16k", NULL, 0 }, { "/1m", NULL, 0 },
	{ "/chunked16k", NULL, 0 }, { "/health", NULL, 0 }, { NULL, NULL, 0 } };
static struct connection *sleepers; /* the next one due is first */

enum { ANSWER_128, ANSWER_16K, ANSWER_1M, ANSWER_CHUNKED, ANSWER_HEALTH, ANSWER_MISSING };

/* A head as common servers send it, then `chunks` chunks, or 0: one body by its length. */
static void
answer_build(struct answer *a, const char *status, size_t body, unsigned chunks)
{
	size_t room = body + 1024, part = chunks ? body / chunks : body;
	char *p = malloc(room);
	unsigned i;
	int n;

	if (!p)
		err(1, "malloc");
	n = snprintf(p, room,
	    "HTTP/1.1 %s\r\nServer: backend\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
	    "Content-Type: text/plain\r\n",
	    status);
	n += chunks ? snprintf(p + n, room - (size_t)n, "Transfer-Encoding: chunked\r\n\r\n")
		    : snprintf(p + n, room - (size_t)n, "Content-Length: %zu\r\n\r\n", body);
	a->bytes = p;
	p += n;
	for (i = 0; i < (chunks ? chunks : 1); i++) {
		if (chunks)
			p += sprintf(p, "%zx\r\n", part);
		memset(p, 'a' + (int)i, part);
		p += part;
		if (chunks)
			p += sprintf(p, "\r\n");
	}
	if (chunks)
		p += sprintf(p, "0\r\n\r\n");
	a->n = (size_t)(p - a->bytes);
}

static void
answers_build(void)
{
	answer_build(&answers[ANSWER_128], "200 OK", 128, 0);
	answer_build(&answers[ANSWER_16K], "200 OK", 16384, 0);
	answer_build(&answers[ANSWER_1M], "200 OK", 1 << 20, 0);
	answer_build(&answers[ANSWER_CHUNKED], "200 OK", 16384, 4);
	answer_build(&answers[ANSWER_HEALTH], "200 OK", 3, 0);
	answer_build(&answers[ANSWER_MISSING], "404 Not Found", 3, 0);
}

static const struct answer *
answer_find(const char *path)
{
	const struct answer *a;

	for (a = answers; a->path; a++)
		if (!strcmp(path, a->path))
			return a;
	return strncmp(path, "/slow?", 6) ? a : &answers[ANSWER_128];
}

static void
connection_close(struct connection *c)
{
	close(c->source.fd);
	free(c->stash);
	free(c);
}

static void
connection_watch(struct connection *c, uint32_t events)
{
	if (c->watched == events)
		return;
	c->watched = events;
	socket_watch(poll_fd, EPOLL_CTL_MOD, c->source.fd, events, c);
}

/* Keeps what came behind the request in hand. */
static bool
connection_keep(struct connection *c, const char *p, size_t n)
{
	if (n > READ_MAX)
		return false;
	if (n && !c->stash && !(c->stash = malloc(READ_MAX)))
		err(1, "malloc");
	if (n)
		memmove(c->stash, p, n);
	c->stash_n = n;
	return true;
}

/* Out of epoll until it is due: who hangs up meanwhile is noticed then.  In the order of waking. */
static void
connection_sleep(struct connection *c, int milliseconds)
{
	struct connection **at = &sleepers;

	c->due_ns = clock_ns() + milliseconds * NS_PER_MS;
	while (*at && (*at)->due_ns <= c->due_ns)
		at = &(*at)->next_sleeper;
	c->next_sleeper = *at;
	*at = c;
	socket_watch(poll_fd, EPOLL_CTL_DEL, c->source.fd, 0, c);
}

/* false: the connection is finished, one way or the other. */
static bool
connection_send(struct connection *c)
{
	ssize_t n = send(c->source.fd, c->out->bytes + c->sent, c->out->n - c->sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return false;
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < c->out->n) {
		connection_watch(c, EPOLLOUT);
		return true;
	}
	c->out = NULL;
	c->sent = 0;
	message_start(&c->message);
	connection_watch(c, EPOLLIN);
	return !c->close_after;
}

static bool
connection_answer(struct connection *c)
{
	const char *path = c->message.target;

	c->out = answer_find(path);
	c->close_after = c->message.close;
	if (!strncmp(path, "/slow?", 6)) {
		connection_sleep(c, atoi(path + 6));
		return true;
	}
	return connection_send(c);
}

/* Requests in p[0..n): answers each that is complete while the one before could be sent at once. */
static bool
connection_take(struct connection *c, const char *p, size_t n)
{
	size_t at = 0;

	c->stash_n = 0;
	while (at < n && !c->out) {
		at += message_eat(&c->message, p + at, n - at);
		if (c->message.stage == MESSAGE_BAD)
			return false;
		if (c->message.stage != MESSAGE_DONE)
			break;
		if (!connection_answer(c))
			return false;
	}
	return at == n || connection_keep(c, p + at, n - at);
}

static bool
connection_read(struct connection *c)
{
	ssize_t n;

	if (c->stash_n)
		memcpy(buffer, c->stash, c->stash_n);
	n = recv(c->source.fd, buffer + c->stash_n, READ_MAX - c->stash_n, 0);
	if (n < 0)
		return errno == EAGAIN;
	return n > 0 && connection_take(c, buffer, c->stash_n + (size_t)n);
}

static void
connection_event(struct connection *c, uint32_t events)
{
	bool alive = c->out ? connection_send(c) : connection_read(c);

	if (alive && (events & EPOLLOUT) && !c->out && c->stash_n)
		alive = connection_take(c, memcpy(buffer, c->stash, c->stash_n), c->stash_n);
	if (!alive)
		connection_close(c);
}

static void
connection_wake(struct connection *c)
{
	c->watched = EPOLLIN;
	socket_watch(poll_fd, EPOLL_CTL_ADD, c->source.fd, EPOLLIN, c);
	connection_event(c, EPOLLOUT);
}

/* Wakes who is due; how long epoll_wait may sleep for the next one. */
static int
sleepers_run(void)
{
	struct connection *c;
	int64_t now;

	while ((c = sleepers)) {
		now = clock_ns();
		if (c->due_ns > now)
			return (int)((c->due_ns - now) / NS_PER_MS) + 1;
		sleepers = c->next_sleeper;
		connection_wake(c);
	}
	return -1;
}

static void
listener_accept(int listener)
{
	struct connection *c;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (!(c = calloc(1, sizeof(*c))))
			err(1, "calloc");
		c->source = (struct source){ SOURCE_CONNECTION, fd };
		c->watched = EPOLLIN;
		socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		socket_watch(poll_fd, EPOLL_CTL_ADD, fd, EPOLLIN, c);
	}
	if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		err(1, "accept");
}

/* "ADDR:PORT[/COUNT]" */
static void
listeners_open(char *text, bool reuse_port)
{
	char *slash = strchr(text, '/');
	int count = slash ? atoi(slash + 1) : 1;
	struct sockaddr_in sa;
	struct source *s;

	if (slash)
		*slash = '\0';
	sa = socket_parse(text);
	while (count-- > 0) {
		if (!(s = malloc(sizeof(*s))))
			err(1, "malloc");
		*s = (struct source){ SOURCE_LISTENER, socket_listen(&sa, reuse_port) };
		socket_watch(poll_fd, EPOLL_CTL_ADD, s->fd, EPOLLIN, s);
		sa.sin_addr.s_addr = htonl(ntohl(sa.sin_addr.s_addr) + 1);
	}
}

static void
serve(void)
{
	struct epoll_event events[EVENTS];
	struct source *s;
	int i, n;

	for (;;) {
		n = epoll_wait(poll_fd, events, EVENTS, sleepers_run());
		if (n < 0 && errno != EINTR)
			err(1, "epoll_wait");
		for (i = 0; i < n; i++) {
			s = events[i].data.ptr;
			if (s->kind == SOURCE_LISTENER)
				listener_accept(s->fd);
			else
				connection_event((struct connection *)s, events[i].events);
		}
	}
}

int
main(int argc, char **argv)
{
	bool reuse_port = false;
	int opt;

	while ((opt = getopt(argc, argv, "c:r")) != -1) {
		if (opt == 'c')
			process_pin(atoi(optarg));
		else if (opt == 'r')
			reuse_port = true;
		else
			return 2;
	}
	if (optind == argc)
		errx(2, "usage: backend [-c CPU] [-r] ADDR:PORT[/COUNT]...");
	process_raise_files();
	signal(SIGPIPE, SIG_IGN);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poll_fd < 0)
		err(1, "epoll_create1");
	answers_build();
	for (; optind < argc; optind++)
		listeners_open(argv[optind], reuse_port);
	puts("ready");
	fflush(stdout);
	serve();
}
