/*
 * floor.c - a proxy without features: what a request costs before any proxy does anything for it.
 *
 * usage: floor [options] LISTEN SERVER...        all ADDR:PORT; clients take the servers in turn
 *
 * recv, send, recv, send.  Each client connection has a server connection of its own from accept to
 * close; nothing is parsed, rewritten, timed or counted.  So it shows the kernel's share and no
 * proxy on the same design gets below it; it cannot reuse server connections and says nothing about
 * `close`.  With -p the next server in turn gets each request, over a connection that is idle: what
 * many servers cost the kernel.  That takes one read for a message, so only small ones will do.
 *
 * Options try what a data path could do otherwise (results: docs/benchmark.md):
 *   -p        pooled connections to the servers
 *   -b BYTES  read at most so much at once (65536)     -l N  reads per event while they fill up (1)
 *   -s        answers through a pipe with splice       -z    answers with MSG_ZEROCOPY
 *   -e        edge-triggered                           -x    EPOLLEXCLUSIVE on the listener
 *   -m CALLS  recv, read or recvmsg, and their send    -q    TCP_QUICKACK after every read
 *   -y USEC   SO_BUSY_POLL                             -R BYTES, -S BYTES  SO_RCVBUF, SO_SNDBUF
 */
#include "tests/bench/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <signal.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EVENTS = 256, PIPE_BYTES = 1 << 20 };
enum calls { CALLS_RECV, CALLS_READ, CALLS_RECVMSG };

/* Bytes on their way from one side to the other that a send did not take. */
struct rest {
	char *bytes; /* NULL: nothing */
	size_t at, n;
};

struct server {
	struct sockaddr_in address;
	struct side *idle; /* with -p, the one used last first */
};

struct side {
	int fd;
	bool is_server, dead;
	struct server *server; /* of a server's side */
	struct side *peer; /* with -p: NULL between messages */
	uint32_t watched;
	struct rest rest; /* to be sent to this side */
	int pipe[2]; /* with splice: towards this side */
	size_t piped;
	struct side *next; /* in `idle` or `doomed` */
};

static struct {
	size_t bytes;
	int reads, busy_poll, receive_buffer, send_buffer;
	bool pooled, splice, zerocopy, edge, exclusive, quickack;
	enum calls calls;
	struct server *servers;
	unsigned n_servers;
} conf = { .bytes = 65536, .reads = 1 };

static int poll_fd, listener;
static unsigned next_server;
static char *buffer; /* what is read next; changes hands when a send takes only a part */
static struct side *doomed; /* closed in this turn, freed when no event can name them any more */

static char *
buffer_new(void)
{
	char *p = malloc(conf.bytes);

	if (!p)
		err(1, "malloc");
	return p;
}

/* ---- the calls under trial ---- */

static ssize_t
take(struct side *s, char *p, size_t n)
{
	struct iovec iov = { p, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	switch (conf.calls) {
	case CALLS_RECV:
		return recv(s->fd, p, n, 0);
	case CALLS_READ:
		return read(s->fd, p, n);
	case CALLS_RECVMSG:
		return recvmsg(s->fd, &msg, 0);
	}
	return -1;
}

static ssize_t
give(struct side *s, char *p, size_t n)
{
	struct iovec iov = { p, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (conf.zerocopy && !s->is_server)
		return send(s->fd, p, n, MSG_NOSIGNAL | MSG_ZEROCOPY);
	switch (conf.calls) {
	case CALLS_RECV:
		return send(s->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	case CALLS_READ:
		return write(s->fd, p, n);
	case CALLS_RECVMSG:
		return sendmsg(s->fd, &msg, MSG_NOSIGNAL);
	}
	return -1;
}

/* Buffers are not kept until the kernel lets go of them: content may be torn, the cost is right. */
static void
zerocopy_reap(struct side *s)
{
	char control[128];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };

	while (recvmsg(s->fd, &msg, MSG_ERRQUEUE) >= 0)
		msg.msg_controllen = sizeof(control);
}

/* ---- both sides ---- */

static void
side_options(struct side *s)
{
	socket_option(s->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (conf.busy_poll)
		socket_option(s->fd, SOL_SOCKET, SO_BUSY_POLL, conf.busy_poll);
	if (conf.receive_buffer)
		socket_option(s->fd, SOL_SOCKET, SO_RCVBUF, conf.receive_buffer);
	if (conf.send_buffer)
		socket_option(s->fd, SOL_SOCKET, SO_SNDBUF, conf.send_buffer);
	if (conf.zerocopy)
		socket_option(s->fd, SOL_SOCKET, SO_ZEROCOPY, 1);
}

static struct side *
side_new(int fd, bool is_server)
{
	struct side *s = calloc(1, sizeof(*s));

	if (!s)
		err(1, "calloc");
	s->fd = fd;
	s->is_server = is_server;
	if (conf.splice && !is_server) {
		if (pipe2(s->pipe, O_NONBLOCK | O_CLOEXEC) < 0)
			err(1, "pipe");
		fcntl(s->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	}
	side_options(s);
	return s;
}

static void
side_watch(struct side *s, uint32_t events)
{
	events |= conf.edge ? EPOLLET : 0;
	if (s->watched == events)
		return;
	socket_watch(poll_fd, s->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, events, s);
	s->watched = events;
}

static void
side_close(struct side *s)
{
	close(s->fd);
	if (conf.splice && !s->is_server) {
		close(s->pipe[0]);
		close(s->pipe[1]);
	}
	free(s->rest.bytes);
	s->rest.bytes = NULL;
	s->dead = true;
	s->next = doomed;
	doomed = s;
}

static void
side_unlink(struct side *s)
{
	struct side **at = &s->server->idle;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

static void
pair_close(struct side *s)
{
	if (s->dead)
		return;
	if (s->peer)
		side_close(s->peer);
	else if (s->is_server)
		side_unlink(s);
	side_close(s);
}

/* One side cannot take more: stop reading the other until it can. */
static void
pair_block(struct side *to)
{
	side_watch(to->peer, EPOLLRDHUP);
	side_watch(to, EPOLLIN | EPOLLOUT);
}

static void
pair_unblock(struct side *to)
{
	side_watch(to, EPOLLIN);
	side_watch(to->peer, EPOLLIN);
}

/* ---- the servers ---- */

static struct server *
server_next(void)
{
	return &conf.servers[next_server++ % conf.n_servers];
}

static struct side *
server_connect(struct server *server)
{
	const struct sockaddr_in *sa = &server->address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct side *s;

	if (fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		err(1, "cannot connect to a server");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	s = side_new(fd, true);
	s->server = server;
	side_watch(s, EPOLLIN);
	return s;
}

static void
pair_join(struct side *client, struct side *server)
{
	client->peer = server;
	server->peer = client;
}

static void
pair_part(struct side *server)
{
	server->peer->peer = NULL;
	server->peer = NULL;
	server->next = server->server->idle;
	server->server->idle = server;
}

/* Finds one for a client that has none.  An idle server that sends something has closed. */
static struct side *
peer_of(struct side *from)
{
	struct server *server;
	struct side *s;

	if (from->peer || from->is_server)
		return from->peer;
	server = server_next();
	s = server->idle;
	if (s)
		server->idle = s->next;
	else
		s = server_connect(server);
	pair_join(from, s);
	return s;
}

/* ---- moving bytes ---- */

/* How much moved; 0 the end, -1 see errno. */
static ssize_t
copy_once(struct side *from, struct side *to)
{
	ssize_t n = take(from, buffer, conf.bytes), sent;

	if (n <= 0)
		return n;
	sent = give(to, buffer, (size_t)n);
	if (sent < 0 && errno != EAGAIN)
		return -1;
	sent = sent < 0 ? 0 : sent;
	if (sent < n) {
		to->rest = (struct rest){ buffer, (size_t)sent, (size_t)n };
		buffer = buffer_new();
		pair_block(to);
	}
	return n;
}

static bool
rest_send(struct side *to)
{
	struct rest *r = &to->rest;
	ssize_t n;

	if (!r->bytes)
		return true;
	n = give(to, r->bytes + r->at, r->n - r->at);
	if (n < 0 && errno != EAGAIN)
		return false;
	r->at += n > 0 ? (size_t)n : 0;
	if (r->at < r->n)
		return true;
	free(buffer);
	buffer = r->bytes;
	r->bytes = NULL;
	pair_unblock(to);
	return true;
}

static bool
pipe_drain(struct side *to)
{
	ssize_t n = splice(to->pipe[0], NULL, to->fd, NULL, to->piped, SPLICE_F_NONBLOCK);

	if (n < 0 && errno != EAGAIN)
		return false;
	to->piped -= n > 0 ? (size_t)n : 0;
	if (to->piped)
		pair_block(to);
	else if (to->watched & EPOLLOUT)
		pair_unblock(to);
	return true;
}

static ssize_t
splice_once(struct side *from, struct side *to)
{
	ssize_t n = splice(from->fd, NULL, to->pipe[1], NULL, conf.bytes, SPLICE_F_NONBLOCK);

	if (n <= 0)
		return n;
	to->piped += (size_t)n;
	return pipe_drain(to) ? n : -1;
}

/* false: this pair is over. */
static bool
side_read(struct side *from)
{
	struct side *to = peer_of(from);
	ssize_t n;
	int i;

	if (!to)
		return false;
	for (i = 0; (conf.edge || i < conf.reads) && !to->rest.bytes && !to->piped; i++) {
		n = conf.splice && from->is_server ? splice_once(from, to) : copy_once(from, to);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		if (conf.quickack)
			socket_option(from->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
		if ((size_t)n < conf.bytes) /* a short read: nothing is left */
			break;
	}
	if (conf.pooled && from->is_server)
		pair_part(from);
	return true;
}

static void
side_event(struct side *s, uint32_t events)
{
	bool alive = true;

	if (s->dead)
		return;
	if (conf.zerocopy && (events & EPOLLERR))
		zerocopy_reap(s);
	if (events & EPOLLOUT)
		alive = s->piped ? pipe_drain(s) : rest_send(s);
	if (alive && (events & (EPOLLIN | EPOLLHUP)))
		alive = side_read(s);
	if (!alive)
		pair_close(s);
}

/* ---- connections ---- */

static void
pairs_accept(void)
{
	struct side *client;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		client = side_new(fd, false);
		if (!conf.pooled)
			pair_join(client, server_connect(server_next()));
		side_watch(client, EPOLLIN);
	}
}

static void
doomed_free(void)
{
	struct side *s;

	while ((s = doomed)) {
		doomed = s->next;
		free(s);
	}
}

static void
serve(void)
{
	struct epoll_event events[EVENTS];
	int i, n;

	for (;;) {
		n = epoll_wait(poll_fd, events, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			err(1, "epoll_wait");
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr)
				side_event(events[i].data.ptr, events[i].events);
			else
				pairs_accept();
		}
		doomed_free();
	}
}

/* ---- start ---- */

static enum calls
calls_parse(const char *name)
{
	if (!strcmp(name, "read"))
		return CALLS_READ;
	return strcmp(name, "recvmsg") ? CALLS_RECV : CALLS_RECVMSG;
}

static void
options_parse(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "pb:l:szexm:qy:R:S:")) != -1) {
		switch (opt) {
		case 'p':
			conf.pooled = true;
			break;
		case 'b':
			conf.bytes = strtoul(optarg, NULL, 10);
			break;
		case 'l':
			conf.reads = atoi(optarg);
			break;
		case 's':
			conf.splice = true;
			break;
		case 'z':
			conf.zerocopy = true;
			break;
		case 'e':
			conf.edge = true;
			break;
		case 'x':
			conf.exclusive = true;
			break;
		case 'm':
			conf.calls = calls_parse(optarg);
			break;
		case 'q':
			conf.quickack = true;
			break;
		case 'y':
			conf.busy_poll = atoi(optarg);
			break;
		case 'R':
			conf.receive_buffer = atoi(optarg);
			break;
		case 'S':
			conf.send_buffer = atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in sa;
	int i;

	options_parse(argc, argv);
	if (argc - optind < 2)
		errx(2, "usage: floor [options] LISTEN SERVER...; see the head of floor.c");
	process_raise_files();
	signal(SIGPIPE, SIG_IGN);
	sa = socket_parse(argv[optind]);
	conf.servers = calloc((size_t)argc, sizeof(*conf.servers));
	if (!conf.servers)
		err(1, "calloc");
	for (i = optind + 1; i < argc; i++)
		conf.servers[conf.n_servers++].address = socket_parse(argv[i]);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poll_fd < 0)
		err(1, "epoll_create1");
	buffer = buffer_new();
	listener = socket_listen(&sa, false);
	socket_watch(poll_fd, EPOLL_CTL_ADD, listener,
	    conf.exclusive ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN, NULL);
	serve();
}
