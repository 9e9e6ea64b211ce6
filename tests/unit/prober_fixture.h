/*
 * prober_fixture.h - a loop with servers that refuse, hang, drip, lie or work, and a prober beside
 * them.
 *
 * Nothing sleeps: the loop runs until what is expected has happened, and a test fails when that
 * takes longer than RUN_MAX_S.
 */
#ifndef TESTS_UNIT_PROBER_FIXTURE_H
#define TESTS_UNIT_PROBER_FIXTURE_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/health/prober.h"

static const double RUN_MAX_S = 10;

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define ERROR_ANSWER "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"

/* -- servers -- */

enum manner { ANSWER, HANG, DRIP, CLOSE, FLOOD };

enum { CONNS_MAX = 8 };

struct fake_conn {
	ev_io io;
	ev_timer drip;
	struct fake *fake;
	size_t sent;
};

struct fake {
	ev_io accept;
	struct address address;
	enum manner manner;
	const char *answer;
	uint32_t accepted, gone; /* connections so far, and those that the other side closed */
	char request[1024]; /* the last one */
	struct fake_conn conns[CONNS_MAX];
};

static struct ev_loop *loop;
static struct server_table table;
static void *shared;
static struct prober *prober;

static inline void
conn_close(struct fake_conn *c)
{
	ev_io_stop(loop, &c->io);
	ev_timer_stop(loop, &c->drip);
	close(c->io.fd);
	c->fake = NULL;
}

static inline void
on_drip(struct ev_loop *l, ev_timer *w, int revents)
{
	struct fake_conn *c = w->data;
	const char *answer = c->fake->answer;

	(void)l;
	(void)revents;
	if (answer[c->sent])
		send(c->io.fd, &answer[c->sent++], 1, MSG_NOSIGNAL);
}

static inline void
conn_answer(struct fake_conn *c)
{
	static char flood[20000];
	struct fake *f = c->fake;

	switch (f->manner) {
	case HANG:
		return;
	case DRIP:
		ev_timer_init(&c->drip, on_drip, 0., 0.01);
		c->drip.data = c;
		ev_timer_start(loop, &c->drip);
		return;
	case FLOOD:
		memset(flood, 'x', sizeof(flood));
		memcpy(flood, "HTTP/1.1 200 OK\r\nX: ", 20);
		send(c->io.fd, flood, sizeof(flood), MSG_NOSIGNAL);
		return;
	case ANSWER:
		send(c->io.fd, f->answer, strlen(f->answer), MSG_NOSIGNAL);
		return; /* the other side closes: it must not be left in TIME_WAIT */
	case CLOSE:
		conn_close(c);
	}
}

static inline void
on_request(struct ev_loop *l, ev_io *w, int revents)
{
	struct fake_conn *c = w->data;
	struct fake *f = c->fake;
	ssize_t n = recv(w->fd, f->request, sizeof(f->request) - 1, 0);

	(void)l;
	(void)revents;
	if (n <= 0) {
		f->gone++;
		conn_close(c);
		return;
	}
	f->request[n] = '\0';
	conn_answer(c);
}

static inline void
on_accept(struct ev_loop *l, ev_io *w, int revents)
{
	struct fake *f = w->data;
	struct fake_conn *c = f->conns;
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)l;
	(void)revents;
	if (fd < 0)
		return;
	while (c < f->conns + CONNS_MAX && c->fake)
		c++;
	assert_true(c < f->conns + CONNS_MAX);
	f->accepted++;
	c->fake = f;
	c->sent = 0;
	ev_timer_init(&c->drip, on_drip, 0., 0.);
	ev_io_init(&c->io, on_request, fd, EV_READ);
	c->io.data = c;
	ev_io_start(loop, &c->io);
}

/* A listening socket at a port that the kernel chooses. */
static inline int
listen_at(const char *text, int backlog, struct address *a)
{
	struct err err;
	int fd;

	assert_int_equal(address_parse(a, str_of(text), &err), 0);
	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &a->sa, a->len) < 0)
		return -1;
	assert_int_equal(listen(fd, backlog), 0);
	if (a->sa.sa_family != AF_UNIX)
		assert_int_equal(getsockname(fd, &a->sa, &a->len), 0);
	return fd;
}

static inline bool
fake_start_at(struct fake *f, const char *text, enum manner manner, const char *answer)
{
	int fd;

	memset(f, 0, sizeof(*f));
	f->manner = manner;
	f->answer = answer;
	fd = listen_at(text, 128, &f->address);
	ev_io_init(&f->accept, on_accept, fd, EV_READ);
	f->accept.data = f;
	if (fd >= 0)
		ev_io_start(loop, &f->accept);
	return fd >= 0;
}

static inline void
fake_start(struct fake *f, enum manner manner, const char *answer)
{
	assert_true(fake_start_at(f, "127.0.0.1:0", manner, answer));
}

static inline void
fake_stop(struct fake *f)
{
	int i;

	ev_io_stop(loop, &f->accept);
	if (f->accept.fd >= 0)
		close(f->accept.fd);
	for (i = 0; i < CONNS_MAX; i++)
		if (f->conns[i].fake)
			conn_close(&f->conns[i]);
}

/* -- configurations -- */

enum { SERVERS_MAX = 300 };

struct setting {
	struct lbd_config config;
	struct pool_config pool;
	struct server_config servers[SERVERS_MAX];
	char names[SERVERS_MAX][8];
};

static const uint16_t expect_ok[] = { 200 };

/* Another pool for a config that was made by hand: fast, so that tests are. */
static inline void
setting_make(struct setting *s, enum check_type type)
{
	memset(s, 0, sizeof(*s));
	s->pool = (struct pool_config){ .name = STR("web"), .servers = s->servers };
	s->pool.health = (struct health_config){ .type = type,
		.path = STR("/health"),
		.expect_status = expect_ok,
		.n_expect_status = 1,
		.interval = 60 * NS_PER_MS,
		.timeout = 1 * NS_PER_S,
		.fall = 3,
		.rise = 2 };
	s->config = (struct lbd_config){ .pools = &s->pool, .n_pools = 1 };
}

static inline uint32_t
setting_add(struct setting *s, const struct address *address)
{
	uint32_t i = s->pool.n_servers++;
	struct server_config *c = &s->servers[i];

	snprintf(s->names[i], sizeof(s->names[i]), "s%u", i);
	c->name = str_of(s->names[i]);
	c->address = *address;
	c->weight = 1;
	c->slot = (uint32_t)server_table_slot(&table, s->pool.name, c->name);
	return c->slot;
}

static struct setting one;

static inline int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	shared = calloc(1, server_table_shared_size());
	loop = ev_loop_new(EVFLAG_AUTO);
	if (!shared || !loop || server_table_init(&table, shared) < 0)
		return -1;
	prober = prober_new(loop, &table, NULL, NULL);
	return prober ? 0 : -1;
}

static inline int
teardown(void **state)
{
	(void)state;
	prober_free(&prober);
	ev_loop_destroy(loop);
	server_table_fini(&table);
	free(shared);
	return 0;
}

static inline void
prober_use(const struct lbd_config *c)
{
	static const struct tls_files none;
	struct err err;

	assert_int_equal(prober_prepare(prober, c, &none, &err), 0);
	prober_apply(prober, c);
}

/* -- running until something is true -- */

static inline void
on_limit(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)revents;
	*(bool *)w->data = true;
}

#define RUN_UNTIL(condition)                                                                       \
	do {                                                                                       \
		bool over = false;                                                                 \
		ev_timer limit;                                                                    \
		ev_now_update(loop);                                                               \
		ev_timer_init(&limit, on_limit, RUN_MAX_S, 0.);                                    \
		limit.data = &over;                                                                \
		ev_timer_start(loop, &limit);                                                      \
		while (!(condition) && !over)                                                      \
			ev_run(loop, EVRUN_ONCE);                                                  \
		ev_timer_stop(loop, &limit);                                                       \
		if (over)                                                                          \
			fail_msg("never became true: %s", #condition);                             \
	} while (0)

static inline uint64_t
checks(uint32_t slot)
{
	return table.load[slot].checks_passed + table.load[slot].checks_failed;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
