/* test_listen_table.c - sockets opened, kept, rolled back; and their options. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lbd/supervisor/listen_table.h"

enum { WORKERS = 3 };

struct fixture {
	struct listen_table table;
	struct address a, b; /* two free ports */
	struct address listens[4];
	struct listener_config listener;
	struct lbd_config config;
};

static void
address_pick(struct address *a)
{
	socklen_t len = sizeof(a->in);
	struct err err;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(address_parse(a, STR("127.0.0.1:1"), &err), 0);
	a->in.sin_port = 0;
	assert_int_equal(bind(fd, &a->sa, a->len), 0);
	assert_int_equal(getsockname(fd, &a->sa, &len), 0);
	close(fd);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	address_pick(&f->a);
	address_pick(&f->b);
	f->listener.bind = f->listens;
	f->config.listeners = &f->listener;
	f->config.n_listeners = 1;
	listen_table_init(&f->table, WORKERS, 0600);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	listen_table_fini(&f->table);
	listen_table_fini(&f->table);
	free(f);
	return 0;
}

static const struct lbd_config *
config_of(struct fixture *f, const struct address *a, const struct address *b)
{
	f->listener.n_bind = 0;
	if (a)
		f->listens[f->listener.n_bind++] = *a;
	if (b)
		f->listens[f->listener.n_bind++] = *b;
	return &f->config;
}

static bool
connects(const struct address *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM, 0);
	bool yes = connect(fd, &a->sa, a->len) == 0;

	close(fd);
	return yes;
}

static int
option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	getsockopt(fd, level, name, &value, &len);
	return value;
}

static void
test_options(void **state)
{
	struct fixture *f = *state;
	struct err err;
	int fd, i;

	assert_int_equal(listen_table_open(&f->table, config_of(f, &f->a, NULL), &err), 0);
	assert_int_equal(listen_table_fd(&f->table, &f->b, 0), -1);
	for (i = 0; i < WORKERS; i++) {
		fd = listen_table_fd(&f->table, &f->a, (unsigned)i);
		assert_true(fd >= 0);
		assert_int_equal(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
		assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
		assert_int_not_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
		assert_int_equal(option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_true(i == 0 || fd != listen_table_fd(&f->table, &f->a, 0));
	}
	assert_true(connects(&f->a));
}

static void
test_v6_only(void **state)
{
	struct fixture *f = *state;
	struct address any;
	struct err err;
	int fd;

	assert_int_equal(address_parse(&any, STR("[::]:1"), &err), 0);
	any.in6.sin6_port = f->a.in.sin_port;
	/* beside the same port of IPv4, which a dual socket would collide with */
	assert_int_equal(listen_table_open(&f->table, config_of(f, &f->a, &any), &err), 0);
	fd = listen_table_fd(&f->table, &any, 0);
	assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
}

static void
test_keeps_and_closes(void **state)
{
	struct fixture *f = *state;
	struct err err;
	int fd;

	assert_int_equal(listen_table_open(&f->table, config_of(f, &f->a, NULL), &err), 0);
	listen_table_commit(&f->table, &f->config);
	fd = listen_table_fd(&f->table, &f->a, 1);
	assert_int_equal(listen_table_open(&f->table, config_of(f, &f->a, &f->b), &err), 0);
	assert_int_equal(listen_table_fd(&f->table, &f->a, 1), fd);
	assert_true(connects(&f->b));
	listen_table_rollback(&f->table);
	assert_int_equal(listen_table_fd(&f->table, &f->b, 1), -1);
	assert_false(connects(&f->b));
	assert_true(connects(&f->a));
	assert_int_equal(listen_table_open(&f->table, config_of(f, &f->b, NULL), &err), 0);
	listen_table_commit(&f->table, &f->config);
	assert_false(connects(&f->a));
	assert_true(connects(&f->b));
	listen_table_rollback(&f->table); /* nothing is staged */
	assert_true(connects(&f->b));
}

/* A failure on the way closes what was opened before it. */
static void
test_taken(void **state)
{
	struct fixture *f = *state;
	const int on = 1;
	struct err err;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	/* even one that would share it */
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	assert_int_equal(bind(fd, &f->b.sa, f->b.len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(
	    listen_table_open(&f->table, config_of(f, &f->a, &f->b), &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "cannot listen on 127.0.0.1:"));
	assert_false(connects(&f->a));
	assert_int_equal(f->table.n, 0);
	close(fd);
	assert_int_equal(listen_table_open(&f->table, &f->config, &err), 0);
}

/* A wildcard beside one of its addresses is our own business. */
static void
test_own_port(void **state)
{
	struct fixture *f = *state;
	struct address any = f->a;
	struct err err;

	assert_int_equal(listen_table_open(&f->table, config_of(f, &f->a, NULL), &err), 0);
	listen_table_commit(&f->table, &f->config);
	any.in.sin_addr.s_addr = htonl(INADDR_ANY);
	assert_int_equal(listen_table_open(&f->table, config_of(f, &any, NULL), &err), 0);
	listen_table_commit(&f->table, &f->config);
	assert_true(connects(&f->a));
}

/* The other node has that address now; a documentation network stands for it. */
static void
test_address_of_the_other_node(void **state)
{
	struct fixture *f = *state;
	struct address vip;
	struct err err;

	assert_int_equal(address_parse(&vip, STR("192.0.2.77:8080"), &err), 0);
	assert_int_equal(listen_table_open(&f->table, config_of(f, &vip, NULL), &err), 0);
	assert_int_equal(option(listen_table_fd(&f->table, &vip, 0), SOL_SOCKET, SO_ACCEPTCONN), 1);
	assert_int_equal(address_parse(&vip, STR("[2001:db8::77]:8080"), &err), 0);
	assert_int_equal(listen_table_open(&f->table, config_of(f, &vip, NULL), &err), 0);
}

static void
test_unix(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/test_listen.XXXXXX", text[64];
	struct address a;
	struct stat st;
	struct err err;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(text, sizeof(text), "unix:%s/s", dir);
	assert_int_equal(address_parse(&a, str_of(text), &err), 0);
	assert_int_equal(listen_table_open_address(&f->table, &a, &err), 0);
	listen_table_commit_address(&f->table, &a);
	assert_int_equal(stat(text + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fd = listen_table_fd(&f->table, &a, 0);
	assert_int_equal(listen_table_fd(&f->table, &a, 2), fd); /* one for all */
	assert_true(connects(&a));
	listen_table_commit_address(&f->table, NULL);
	assert_int_equal(stat(text + 5, &st), -1);

	assert_int_equal(listen_table_open_address(&f->table, &a, &err), 0);
	listen_table_disown_files(&f->table);
	listen_table_fini(&f->table);
	assert_int_equal(stat(text + 5, &st), 0); /* the other process's to remove */
	unlink(text + 5);
	rmdir(dir);
}

/* As the proxy process does it: from descriptors that came over the channel. */
static void
test_add(void **state)
{
	struct fixture *f = *state;
	struct err err;
	int null[5], i;

	for (i = 0; i < 5; i++)
		null[i] = dup(STDOUT_FILENO);
	assert_int_equal(listen_table_add(&f->table, &f->a, 0, null[0], &err), 0);
	assert_int_equal(listen_table_add(&f->table, &f->a, 2, null[1], &err), 0);
	assert_int_equal(listen_table_fd(&f->table, &f->a, 2), null[1]);
	assert_int_equal(listen_table_fd(&f->table, &f->a, 1), -1);
	assert_int_equal(listen_table_add(&f->table, &f->a, 2, null[2], &err), -EINVAL);
	assert_int_equal(listen_table_add(&f->table, &f->a, WORKERS, null[3], &err), -EINVAL);
	listen_table_commit(&f->table, config_of(f, &f->a, NULL));
	assert_int_equal(listen_table_add(&f->table, &f->a, 1, null[4], &err), -EINVAL);
	for (i = 0; i < 5; i++) /* what was refused is closed */
		assert_int_equal(fcntl(null[i], F_GETFD) >= 0, i < 2);
}

#define IN_FIXTURE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(test_options),
		IN_FIXTURE(test_v6_only),
		IN_FIXTURE(test_keeps_and_closes),
		IN_FIXTURE(test_taken),
		IN_FIXTURE(test_own_port),
		IN_FIXTURE(test_address_of_the_other_node),
		IN_FIXTURE(test_unix),
		IN_FIXTURE(test_add),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
