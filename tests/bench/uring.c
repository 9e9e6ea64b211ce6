/*
 * uring.c - the floor once more, by io_uring: what a TCP relay costs without a system call per read and write.
 *
 * usage: uring LISTEN SERVER...        all ADDR:PORT; clients take the servers in turn
 *
 * Each flow receives, sends what came, and receives again; a FIN is passed on.  All that is due goes to the kernel in
 * one call, which also waits.  Nothing is parsed, timed or counted.  Memory for a read is the flow's own.
 */
#include "tests/bench/socket.h"

#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <unistd.h>

enum { ENTRIES = 4096, BYTES = 16 * 1024 };

struct pair;

struct flow {
	struct pair *pair;
	int from, to;
	size_t at, n; /* of `bytes`: sent, received */
	bool over;
	char bytes[BYTES];
};

/* What the kernel has of a pair keeps it alive. */
struct pair {
	int client, server;
	struct flow up, down;
};

static struct io_uring ring;
static struct sockaddr_in *servers;
static int n_servers;
static int listener;

/* A call whose end comes back with `data`; the low bit says that it connects. */
static struct io_uring_sqe *
call_new(void)
{
	struct io_uring_sqe *e = io_uring_get_sqe(&ring);

	if (e)
		return e;
	io_uring_submit(&ring);
	e = io_uring_get_sqe(&ring);
	if (!e)
		errx(1, "the ring is full");
	return e;
}

static void
flow_receive(struct flow *f)
{
	struct io_uring_sqe *e = call_new();

	f->at = f->n = 0;
	io_uring_prep_recv(e, f->from, f->bytes, BYTES, 0);
	e->ioprio |=
	    IORING_RECVSEND_POLL_FIRST; /* the answer to what was just sent is not there yet */
	io_uring_sqe_set_data(e, f);
}

static void
flow_send(struct flow *f)
{
	struct io_uring_sqe *e = call_new();

	io_uring_prep_send(e, f->to, f->bytes + f->at, f->n - f->at, MSG_NOSIGNAL);
	io_uring_sqe_set_data(e, f);
}

static void
pair_connect(struct pair *p)
{
	static int turn;
	struct io_uring_sqe *e = call_new();

	io_uring_prep_connect(
	    e, p->server, (const struct sockaddr *)&servers[turn++ % n_servers], sizeof(*servers));
	io_uring_sqe_set_data64(e, (uintptr_t)p | 1);
}

static void
pair_free(struct pair *p)
{
	close(p->client);
	close(p->server);
	free(p);
}

static void
pair_new(int client)
{
	struct pair *p = malloc(sizeof(*p));

	if (!p)
		err(1, "malloc");
	p->client = client;
	p->server = socket_new();
	socket_option(client, IPPROTO_TCP, TCP_NODELAY, 1);
	socket_option(p->server, IPPROTO_TCP, TCP_NODELAY, 1);
	p->up.pair = p->down.pair = p;
	p->up.from = p->down.to = client;
	p->up.to = p->down.from = p->server;
	p->up.over = p->down.over = false;
	pair_connect(p);
}

/* The other flow hears of it by its own FIN, or at once when something broke. */
static void
flow_end(struct flow *f, bool broken)
{
	struct pair *p = f->pair;

	f->over = true;
	shutdown(f->to, broken ? SHUT_RDWR : SHUT_WR);
	if (broken)
		shutdown(f->from, SHUT_RDWR);
	if (p->up.over && p->down.over)
		pair_free(p);
}

static void
flow_step(struct flow *f, int result)
{
	if (result <= 0) {
		flow_end(f, result < 0);
	} else if (f->n == 0) {
		f->n = (size_t)result;
		flow_send(f);
	} else {
		f->at += (size_t)result;
		if (f->at < f->n)
			flow_send(f);
		else
			flow_receive(f);
	}
}

static void
pair_connected(struct pair *p, int result)
{
	if (result < 0) {
		pair_free(p);
		return;
	}
	flow_receive(&p->up);
	flow_receive(&p->down);
}

static void
clients_accept(void)
{
	struct io_uring_sqe *e = call_new();

	io_uring_prep_multishot_accept(e, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	io_uring_sqe_set_data(e, NULL);
}

static void
call_ended(const struct io_uring_cqe *c)
{
	uint64_t data = io_uring_cqe_get_data64(c);

	if (!data) {
		if (c->res >= 0)
			pair_new(c->res);
		if (!(c->flags & IORING_CQE_F_MORE))
			clients_accept();
	} else if (data & 1) {
		pair_connected((struct pair *)(uintptr_t)(data & ~UINT64_C(1)), c->res);
	} else {
		flow_step((struct flow *)(uintptr_t)data, c->res);
	}
}

static void
serve(void)
{
	struct io_uring_cqe *c;
	unsigned head, n;
	int result;

	for (;;) {
		result = io_uring_submit_and_wait(&ring, 1);
		if (result < 0 && result != -EINTR)
			errx(1, "io_uring_enter: %s", strerror(-result));
		n = 0;
		io_uring_for_each_cqe(&ring, head, c)
		{
			call_ended(c);
			n++;
		}
		io_uring_cq_advance(&ring, n);
	}
}

int
main(int argc, char **argv)
{
	struct io_uring_params parameters = { .flags = IORING_SETUP_SINGLE_ISSUER |
		    IORING_SETUP_DEFER_TASKRUN };
	struct sockaddr_in sa;
	int result;

	if (argc < 3)
		errx(2, "usage: uring LISTEN SERVER...");
	process_raise_files();
	signal(SIGPIPE, SIG_IGN);
	sa = socket_parse(argv[1]);
	n_servers = argc - 2;
	servers = calloc((size_t)n_servers, sizeof(*servers));
	if (!servers)
		err(1, "calloc");
	for (int i = 0; i < n_servers; i++)
		servers[i] = socket_parse(argv[i + 2]);
	result = io_uring_queue_init_params(ENTRIES, &ring, &parameters);
	if (result < 0)
		errx(1, "io_uring_setup: %s", strerror(-result));
	io_uring_register_ring_fd(&ring);
	listener = socket_listen(&sa, false);
	clients_accept();
	serve();
}
