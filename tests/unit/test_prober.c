/*
 * test_prober.c - real checks of loopback servers that refuse, hang, drip, lie or work.
 *
 * The servers live in the same loop, except the one that speaks TLS, which has a thread.  Nothing sleeps: the
 * loop runs until what is expected has happened, and a test fails when that takes longer than RUN_MAX_S.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/health/health_rule.h"
#include "lbd/health/prober.h"
#include "lbd/health/watch.h"

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

static void
conn_close(struct fake_conn *c)
{
	ev_io_stop(loop, &c->io);
	ev_timer_stop(loop, &c->drip);
	close(c->io.fd);
	c->fake = NULL;
}

static void
on_drip(struct ev_loop *l, ev_timer *w, int revents)
{
	struct fake_conn *c = w->data;
	const char *answer = c->fake->answer;

	(void)l;
	(void)revents;
	if (answer[c->sent])
		send(c->io.fd, &answer[c->sent++], 1, MSG_NOSIGNAL);
}

static void
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

static void
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

static void
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
static int
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

static bool
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

static void
fake_start(struct fake *f, enum manner manner, const char *answer)
{
	assert_true(fake_start_at(f, "127.0.0.1:0", manner, answer));
}

static void
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
static void
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

static uint32_t
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

/* Room for two configurations: before and after a reload. */
static struct setting one, two;

static int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	shared = calloc(1, server_table_shared_size());
	loop = ev_loop_new(EVFLAG_AUTO);
	if (!shared || !loop || server_table_init(&table, shared) < 0)
		return -1;
	prober = prober_new(loop, &table);
	return prober ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	prober_free(&prober);
	ev_loop_destroy(loop);
	server_table_fini(&table);
	free(shared);
	return 0;
}

/* -- running until something is true -- */

static void
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

static uint64_t
checks(uint32_t slot)
{
	return table.load[slot].checks_passed + table.load[slot].checks_failed;
}

/* The one server's first check, and what came of it. */
static void
check_once(const struct address *address, bool passes, const char *reason)
{
	uint32_t slot = setting_add(&one, address);

	assert_int_equal(prober_apply(prober, &one.config), 0);
	RUN_UNTIL(checks(slot) > 0);
	assert_string_equal(prober_reason(prober, slot), reason);
	assert_int_equal(table.load[slot].checks_passed, passes);
	assert_int_equal(table.load[slot].checks_failed, !passes);
	assert_int_equal(table.shared[slot].health, passes ? HEALTH_UP : HEALTH_DOWN);
	assert_true(prober_checked_wall_ns(prober, slot) > 0);
	assert_true(table.load[slot].check_duration_us > 0);
}

/* -- what servers do -- */

static void
test_tcp(void **state)
{
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_TCP);
	check_once(&f.address, true, "connected");
	fake_stop(&f);
}

static void
test_tcp_refused(void **state)
{
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	fake_stop(&f);
	setting_make(&one, CHECK_TCP);
	check_once(&f.address, false, "connection refused");
}

/* A listen queue that is full: connecting takes for ever. */
static void
test_tcp_connect_timeout(void **state)
{
	struct address address;
	int fd = listen_at("127.0.0.1:0", 0, &address), fillers[3], i;

	(void)state;
	for (i = 0; i < 3; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fillers[i], &address.sa, address.len);
	}
	setting_make(&one, CHECK_TCP);
	one.pool.health.timeout = 200 * NS_PER_MS;
	check_once(&address, false, "timeout after 200ms (connect)");
	assert_in_range(table.load[one.servers[0].slot].check_duration_us, 200000, 2000000);
	for (i = 0; i < 3; i++)
		close(fillers[i]);
	close(fd);
}

static void
test_http(void **state)
{
	char wanted[256];
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, OK_ANSWER);
	setting_make(&one, CHECK_HTTP);
	check_once(&f.address, true, "status 200");
	snprintf(wanted, sizeof(wanted),
	    "GET /health HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: lbpair-check\r\n"
	    "Accept: */*\r\nConnection: close\r\n\r\n",
	    ntohs(f.address.in.sin_port));
	assert_string_equal(f.request, wanted);
	fake_stop(&f);
}

static void
test_http_failures(void **state)
{
	static const struct {
		enum manner manner;
		const char *answer, *reason;
	} rows[] = {
		{ ANSWER, ERROR_ANSWER, "status 500" },
		{ ANSWER, "220 mail.example.org ESMTP\r\n", "bad response (status_line)" },
		{ HANG, "", "timeout after 150ms (response)" },
		{ DRIP, "HTTP/1.1 200 OK\r\nX: 0123456789012345678901234567890123456789\r\n",
		    "timeout after 150ms (response)" },
		{ CLOSE, "", "connection closed (response)" },
		{ FLOOD, "", "response head too large" },
	};
	struct fake f;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fake_start(&f, rows[i].manner, rows[i].answer);
		setting_make(&one, CHECK_HTTP);
		one.pool.health.timeout = 150 * NS_PER_MS;
		check_once(&f.address, false, rows[i].reason);
		fake_stop(&f);
		teardown(state);
		setup(state);
	}
}

static void
test_other_port(void **state)
{
	struct address elsewhere;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, OK_ANSWER);
	elsewhere = f.address;
	elsewhere.in.sin_port = htons(1);
	setting_make(&one, CHECK_HTTP);
	one.pool.health.port = ntohs(f.address.in.sin_port);
	check_once(&elsewhere, true, "status 200");
	fake_stop(&f);
}

static void
test_ipv6(void **state)
{
	struct fake f;

	(void)state;
	if (!fake_start_at(&f, "[::1]:0", ANSWER, OK_ANSWER)) {
		fake_stop(&f);
		print_message("no IPv6 here\n");
		skip();
	}
	setting_make(&one, CHECK_HTTP);
	check_once(&f.address, true, "status 200");
	fake_stop(&f);
}

static void
test_unix(void **state)
{
	char directory[] = "/tmp/test_prober.XXXXXX", text[64];
	struct fake f;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(text, sizeof(text), "unix:%s/s", directory);
	assert_true(fake_start_at(&f, text, ANSWER, OK_ANSWER));
	setting_make(&one, CHECK_HTTP);
	check_once(&f.address, true, "status 200");
	fake_stop(&f);
	RUN_UNTIL(checks(one.servers[0].slot) > 1);
	assert_string_equal(prober_reason(prober, one.servers[0].slot), "connection refused");
	unlink(f.address.un.sun_path);
	assert_int_equal(rmdir(directory), 0);
	RUN_UNTIL(checks(one.servers[0].slot) > 2);
	assert_string_equal(
	    prober_reason(prober, one.servers[0].slot), "no such file or directory");
}

/* -- TLS -- */

struct tls_server {
	pthread_t thread;
	SSL_CTX *context;
	int fd;
	char name[256]; /* what SNI said */
};

static SSL_CTX *
tls_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	assert_true(context && key && x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)"somebody else", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(context, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
	X509_free(x);
	EVP_PKEY_free(key);
	return context;
}

/* One connection, blocking, in its thread. */
static void *
tls_serve(void *arg)
{
	struct tls_server *t = arg;
	int fd = accept(t->fd, NULL, NULL);
	SSL *ssl = SSL_new(t->context);
	char request[1024];

	if (fd >= 0 && ssl && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1 &&
	    SSL_read(ssl, request, sizeof(request)) > 0) {
		const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

		snprintf(t->name, sizeof(t->name), "%s", name ? name : "");
		SSL_write(ssl, OK_ANSWER, sizeof(OK_ANSWER) - 1);
		SSL_read(ssl, request, sizeof(request)); /* until the other side is done */
	}
	SSL_free(ssl);
	close(fd);
	return NULL;
}

static void
check_https(const char *host, const char *name)
{
	struct tls_server t = { .context = tls_context() };
	struct address address;

	t.fd = listen_at("127.0.0.1:0", 5, &address);
	fcntl(t.fd, F_SETFL, 0);
	assert_int_equal(pthread_create(&t.thread, NULL, tls_serve, &t), 0);
	setting_make(&one, CHECK_HTTPS);
	one.pool.health.interval = 100 * NS_PER_S; /* the server answers but once */
	one.pool.health.host = str_of(host);
	check_once(&address, true, "status 200");
	pthread_join(t.thread, NULL);
	assert_string_equal(t.name, name);
	close(t.fd);
	SSL_CTX_free(t.context);
}

/* Self-signed, and for another name: the server works, which is what a check asks. */
static void
test_https(void **state)
{
	static const struct {
		const char *host, *name;
	} rows[] = {
		{ "www.example.org", "www.example.org" },
		{ "www.example.org:8443", "www.example.org" },
		{ "192.0.2.1", "" },
		{ "192.0.2.1:443", "" },
		{ "[2001:db8::1]:443", "" },
		{ "", "" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		check_https(rows[i].host, rows[i].name);
		teardown(state);
		setup(state);
	}
}

static void
test_https_to_a_server_without_tls(void **state)
{
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, "HTTP/1.1 400 Bad Request\r\n\r\n");
	setting_make(&one, CHECK_HTTPS);
	check_once(&f.address, false, "wrong version number (tls)");
	fake_stop(&f);
}

static void
test_https_failures(void **state)
{
	struct fake f;

	fake_start(&f, CLOSE, "");
	setting_make(&one, CHECK_HTTPS);
	check_once(&f.address, false, "connection closed (tls)");
	fake_stop(&f);
	teardown(state);
	setup(state);
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_HTTPS);
	one.pool.health.timeout = 150 * NS_PER_MS;
	check_once(&f.address, false, "timeout after 150ms (tls)");
	fake_stop(&f);
}

/* -- verdicts over time -- */

static void
test_fall_and_rise(void **state)
{
	uint32_t slot;
	uint64_t version, failed, passed;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, OK_ANSWER);
	setting_make(&one, CHECK_HTTP);
	slot = setting_add(&one, &f.address);
	assert_true(server_available(&table, slot)); /* no traffic is refused meanwhile */
	prober_apply(prober, &one.config);
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	version = table.version;
	passed = table.load[slot].checks_passed;
	RUN_UNTIL(table.load[slot].checks_passed == passed + 2);
	f.answer = ERROR_ANSWER;
	RUN_UNTIL(table.shared[slot].health == HEALTH_DOWN);
	assert_int_equal(table.load[slot].checks_failed, 3);
	assert_int_equal(table.version, version + 1);
	failed = table.load[slot].checks_failed;
	RUN_UNTIL(table.load[slot].checks_failed == failed + 2);
	f.answer = OK_ANSWER;
	passed = table.load[slot].checks_passed;
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	assert_int_equal(table.load[slot].checks_passed, passed + 2);
	assert_int_equal(table.version, version + 2);
	fake_stop(&f);
}

/* Workers cannot reach it: it is checked now, not after an interval, and one success is enough. */
static void
test_suspect(void **state)
{
	uint32_t slot;
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_TCP);
	one.pool.health.interval = 1000 * NS_PER_S;
	slot = setting_add(&one, &f.address);
	server_set_unreachable(&table, slot, true);
	prober_suspect(prober, slot); /* not watched yet: nothing happens */
	prober_apply(prober, &one.config);
	prober_suspect(prober, slot);
	RUN_UNTIL(server_available(&table, slot));
	assert_int_equal(checks(slot), 1);
	prober_suspect(prober, slot); /* it is reachable: nothing to check */
	assert_int_equal(prober_running(prober), 0);
	fake_stop(&f);
}

/* Workers that complain again and again cause no more checks than a server in doubt gets. */
static void
test_suspect_is_not_a_flood(void **state)
{
	uint32_t slot;
	int64_t began;
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_TCP);
	one.pool.health.interval = 1 * NS_PER_S; /* in doubt: 200 ms */
	slot = setting_add(&one, &f.address);
	began = clock_ns();
	prober_apply(prober, &one.config);
	while (checks(slot) < 4) {
		server_set_unreachable(&table, slot, true);
		prober_suspect(prober, slot);
		RUN_UNTIL(server_available(&table, slot));
	}
	assert_true(clock_ns() - began >= 590 * NS_PER_MS);
	fake_stop(&f);
}

/* What has no check is given another chance after the cool-down. */
static void
test_unchecked_server(void **state)
{
	struct watch_site site = { .loop = loop, .table = &table };
	struct fake f;
	struct watch *w;
	uint32_t slot;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_NONE);
	slot = setting_add(&one, &f.address);
	server_set_health(&table, slot, HEALTH_DOWN, 0); /* by a check that there was once */
	w = watch_new(&site, slot);
	assert_true(watch_adopt(w, &one.pool, &one.servers[0]));
	watch_begin(w, 0);
	assert_int_equal(table.shared[slot].health, HEALTH_UNKNOWN);
	assert_false(ev_is_active(&w->due));
	server_set_unreachable(&table, slot, true);
	watch_suspect(w);
	assert_true(ev_is_active(&w->due));
	assert_true(ev_timer_remaining(loop, &w->due) > 4.9);
	assert_true(ev_timer_remaining(loop, &w->due) < 5.1);
	assert_false(server_available(&table, slot));
	ev_timer_stop(loop, &w->due);
	ev_invoke(loop, &w->due, EV_TIMER);
	assert_true(server_available(&table, slot));
	assert_int_equal(checks(slot), 0);
	/* unreachable since before a crash: nobody will report it again */
	server_set_unreachable(&table, slot, true);
	watch_begin(w, 0);
	assert_true(ev_timer_remaining(loop, &w->due) > 4.9);
	watch_free(&w);
	assert_null(w);
	fake_stop(&f);
}

/* -- reload and crash -- */

static void
test_reload_keeps_a_running_check(void **state)
{
	uint32_t slot;
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_HTTP);
	slot = setting_add(&one, &f.address);
	prober_apply(prober, &one.config);
	RUN_UNTIL(f.request[0]);
	setting_make(&two, CHECK_HTTP);
	assert_int_equal(setting_add(&two, &f.address), slot);
	prober_apply(prober, &two.config);
	memset(&one, 0xee, sizeof(one)); /* the old configuration is gone */
	assert_int_equal(prober_running(prober), 1);
	send(f.conns[0].io.fd, OK_ANSWER, sizeof(OK_ANSWER) - 1, MSG_NOSIGNAL);
	RUN_UNTIL(checks(slot) == 1);
	assert_int_equal(f.accepted, 1);
	assert_string_equal(prober_reason(prober, slot), "status 200");
	fake_stop(&f);
}

static void
test_reload_keeps_schedule_and_counts(void **state)
{
	uint32_t slot, i;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, OK_ANSWER);
	setting_make(&one, CHECK_HTTP);
	setting_make(&two, CHECK_HTTP);
	one.pool.health.interval = two.pool.health.interval = 1000 * NS_PER_S;
	slot = setting_add(&one, &f.address);
	setting_add(&two, &f.address);
	prober_apply(prober, &one.config);
	RUN_UNTIL(checks(slot) == 1);
	for (i = 0; i < 10; i++) {
		prober_apply(prober, i % 2 ? &one.config : &two.config);
		ev_run(loop, EVRUN_NOWAIT);
	}
	assert_int_equal(f.accepted, 1);
	assert_int_equal(table.shared[slot].checks_good, 1);
	assert_string_equal(prober_reason(prober, slot), "status 200");
	fake_stop(&f);
}

static void
test_reload_drops_what_is_gone(void **state)
{
	uint32_t slot;
	struct fake f;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_HTTP);
	slot = setting_add(&one, &f.address);
	prober_apply(prober, &one.config);
	RUN_UNTIL(f.request[0]);
	setting_make(&two, CHECK_HTTP);
	prober_apply(prober, &two.config);
	assert_int_equal(prober_running(prober), 0);
	RUN_UNTIL(f.gone == 1); /* the check was cut off */
	assert_int_equal(checks(slot), 0);
	assert_string_equal(prober_reason(prober, slot), "");
	prober_suspect(prober, slot);
	fake_stop(&f);
}

static void
test_reload_with_another_check_begins_anew(void **state)
{
	uint32_t slot, n;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, ERROR_ANSWER);
	setting_make(&one, CHECK_HTTP);
	setting_make(&two, CHECK_HTTP);
	one.pool.health.interval = two.pool.health.interval = 1 * NS_PER_S;
	two.pool.health.path = STR("/alive");
	slot = setting_add(&one, &f.address);
	setting_add(&two, &f.address);
	prober_apply(prober, &one.config);
	RUN_UNTIL(checks(slot) == 1);
	assert_int_equal(table.shared[slot].health, HEALTH_DOWN);
	f.answer = OK_ANSWER;
	n = f.accepted;
	prober_apply(prober, &two.config);
	assert_int_equal(table.shared[slot].health, HEALTH_DOWN); /* until the new check speaks */
	assert_int_equal(table.shared[slot].checks_bad, 0);
	RUN_UNTIL(f.accepted == n + 1);
	RUN_UNTIL(checks(slot) == 2);
	assert_memory_equal(f.request, "GET /alive ", 11);
	assert_int_equal(table.shared[slot].health, HEALTH_DOWN);
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	assert_int_equal(checks(slot), 3);
	fake_stop(&f);
}

/* The same name at another address is another server: its first check decides. */
static void
test_reload_with_another_address(void **state)
{
	struct fake f, g;
	uint32_t slot;

	(void)state;
	fake_start(&f, HANG, "");
	fake_stop(&f);
	fake_start(&g, ANSWER, OK_ANSWER);
	setting_make(&one, CHECK_HTTP);
	setting_make(&two, CHECK_HTTP);
	slot = setting_add(&one, &f.address);
	setting_add(&two, &g.address);
	prober_apply(prober, &one.config);
	RUN_UNTIL(table.shared[slot].health == HEALTH_DOWN);
	server_set_unreachable(&table, slot, true);
	prober_apply(prober, &two.config);
	assert_int_equal(table.shared[slot].health, HEALTH_UNKNOWN);
	assert_true(server_available(&table, slot));
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	assert_int_equal(table.load[slot].checks_passed, 1);
	fake_stop(&g);
}

static void
test_crash_forgets_nothing(void **state)
{
	uint32_t slot;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, ERROR_ANSWER);
	setting_make(&one, CHECK_HTTP);
	one.pool.health.rise = 5;
	slot = setting_add(&one, &f.address);
	server_set_health(&table, slot, HEALTH_DOWN, 42);
	table.shared[slot].checks_good = 3;
	server_set_unreachable(&table, slot, true);
	prober_free(&prober);
	server_table_fini(&table);
	assert_int_equal(server_table_init(&table, shared), 0);
	prober = prober_new(loop, &table);
	assert_non_null(prober);
	f.answer = OK_ANSWER;
	prober_apply(prober, &one.config);
	assert_int_equal(table.shared[slot].health, HEALTH_DOWN);
	assert_int_equal(table.shared[slot].changed_wall_ns, 42);
	RUN_UNTIL(table.shared[slot].health == HEALTH_UP);
	assert_int_equal(table.load[slot].checks_passed, 2); /* 3 and 2 are 5 */
	assert_int_equal(table.shared[slot].unreachable, 0);
	fake_stop(&f);
}

/* -- many, and our own faults -- */

static void
test_many_servers(void **state)
{
	struct address address;
	int fd = listen_at("127.0.0.1:0", 4096, &address); /* answers nothing */
	uint32_t i, most = 0, most_waiting = 0;
	uint64_t done = 0;

	(void)state;
	setting_make(&one, CHECK_HTTP);
	one.pool.health.interval = 1000 * NS_PER_S;
	one.pool.health.timeout = 300 * NS_PER_MS;
	for (i = 0; i < SERVERS_MAX; i++)
		setting_add(&one, &address);
	prober_apply(prober, &one.config);
	ev_run(loop, EVRUN_NOWAIT);
	assert_in_range(prober_running(prober), 1, 40); /* the first few at once, not all */
	while (done < SERVERS_MAX) {
		ev_run(loop, EVRUN_ONCE);
		most = prober_running(prober) > most ? prober_running(prober) : most;
		most_waiting =
		    prober_waiting(prober) > most_waiting ? prober_waiting(prober) : most_waiting;
		for (done = 0, i = 0; i < SERVERS_MAX; i++)
			done += checks(one.servers[i].slot);
	}
	assert_int_equal(most, PROBER_CHECKS_MAX);
	assert_true(most_waiting > 50);
	assert_int_equal(prober_running(prober) + prober_waiting(prober), 0);
	for (i = 0; i < SERVERS_MAX; i++)
		assert_string_equal(
		    prober_reason(prober, one.servers[i].slot), "timeout after 300ms (response)");
	close(fd);
}

static void
on_stall(struct ev_loop *l, ev_timer *w, int revents)
{
	struct fake *f = w->data;
	int64_t until = clock_ns() + 300 * NS_PER_MS;

	(void)l;
	(void)revents;
	send(f->conns[0].io.fd, OK_ANSWER, sizeof(OK_ANSWER) - 1, MSG_NOSIGNAL);
	while (clock_ns() < until)
		usleep(10000); /* our own main thread hangs */
}

/* The server answered in time; we looked too late.  That is our fault, not the server's. */
static void
test_stall_fails_nobody(void **state)
{
	ev_timer stall;
	struct fake f;
	uint32_t slot;

	(void)state;
	fake_start(&f, HANG, "");
	setting_make(&one, CHECK_HTTP);
	one.pool.health.timeout = 100 * NS_PER_MS;
	slot = setting_add(&one, &f.address);
	prober_apply(prober, &one.config);
	RUN_UNTIL(f.request[0]);
	ev_timer_init(&stall, on_stall, 0., 0.);
	stall.data = &f;
	ev_timer_start(loop, &stall);
	RUN_UNTIL(checks(slot) == 1);
	assert_string_equal(prober_reason(prober, slot), "status 200");
	fake_stop(&f);
}

static uint32_t
time_waits(uint16_t port)
{
	FILE *file = fopen("/proc/net/tcp", "r");
	unsigned local, remote, status;
	char line[256];
	uint32_t n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " %*d: %*x:%x %*x:%x %x", &local, &remote, &status) == 3)
			n += (local == port || remote == port) && status == 6;
	fclose(file);
	return n;
}

static void
test_nothing_in_time_wait(void **state)
{
	uint32_t slot;
	struct fake f;

	(void)state;
	fake_start(&f, ANSWER, OK_ANSWER);
	setting_make(&one, CHECK_HTTP);
	one.pool.health.interval = 10 * NS_PER_MS;
	slot = setting_add(&one, &f.address);
	prober_apply(prober, &one.config);
	RUN_UNTIL(checks(slot) == 20 && f.gone == 20);
	assert_int_equal(time_waits(ntohs(f.address.in.sin_port)), 0);
	fake_stop(&f);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_tcp),
		CASE(test_tcp_refused),
		CASE(test_tcp_connect_timeout),
		CASE(test_http),
		CASE(test_http_failures),
		CASE(test_other_port),
		CASE(test_ipv6),
		CASE(test_unix),
		CASE(test_https),
		CASE(test_https_to_a_server_without_tls),
		CASE(test_https_failures),
		CASE(test_fall_and_rise),
		CASE(test_suspect),
		CASE(test_suspect_is_not_a_flood),
		CASE(test_unchecked_server),
		CASE(test_reload_keeps_a_running_check),
		CASE(test_reload_keeps_schedule_and_counts),
		CASE(test_reload_drops_what_is_gone),
		CASE(test_reload_with_another_check_begins_anew),
		CASE(test_reload_with_another_address),
		CASE(test_crash_forgets_nothing),
		CASE(test_many_servers),
		CASE(test_stall_fails_nobody),
		CASE(test_nothing_in_time_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
