/*
 * test_health_probe.c - one check each of servers that refuse, hang, drip, lie or work; TLS has a
 * thread.
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>

#include "tests/unit/prober_fixture.h"

/* The one server's first check, and what came of it. */
static void
check_once(const struct address *address, bool passes, const char *reason)
{
	uint32_t slot = setting_add(&one, address);

	prober_use(&one.config);
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

/* A check that says something and expects an answer. */
static void
expect_pong(enum manner manner, const char *answer, bool passes, const char *reason)
{
	struct fake f;

	fake_start(&f, manner, answer);
	setting_make(&one, CHECK_TCP);
	one.pool.health.send = STR("PING\r\n");
	one.pool.health.expect = STR("+PONG");
	one.pool.health.timeout = 150 * NS_PER_MS;
	check_once(&f.address, passes, reason);
	assert_string_equal(f.request, "PING\r\n");
	fake_stop(&f);
}

static void
test_tcp_expected(void **state)
{
	(void)state;
	expect_pong(ANSWER, "+PONG\r\n", true, "answered as expected");
}

static void
test_tcp_expected_byte_by_byte(void **state)
{
	(void)state;
	expect_pong(DRIP, "+PONG\r\n", true, "answered as expected");
}

static void
test_tcp_closed(void **state)
{
	(void)state;
	expect_pong(CLOSE, "", false, "connection closed (response)");
}

static void
test_tcp_silent(void **state)
{
	(void)state;
	expect_pong(HANG, "", false, "timeout after 150ms (response)");
}

static void
test_tcp_flood(void **state)
{
	(void)state;
	expect_pong(FLOOD, "", false,
	    "unexpected answer \"HTTP/1.1 200 OK\\x0d\\x0aX: xxxxxxxxxxxxxxxxxxxx\"...");
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
		(void)connect(fillers[i], &address.sa, address.len);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_tcp),
		CASE(test_tcp_expected),
		CASE(test_tcp_expected_byte_by_byte),
		CASE(test_tcp_closed),
		CASE(test_tcp_silent),
		CASE(test_tcp_flood),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
