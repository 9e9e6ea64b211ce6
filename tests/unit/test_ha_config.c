/* test_ha_config.c - what golden files cannot show: the digest, the node that this one is, the secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hafailover/config/config.h"

static const char *local;

static bool
is_local(const struct address *a)
{
	char text[ADDRESS_TEXT_MAX];

	address_format_host(a, text);
	return strcmp(text, local) == 0;
}

static struct ha_config *
load(const char *text, const char *node)
{
	const struct ha_config_options options = { "f", node, is_local };
	struct problems problems = { 0 };
	struct ha_config *c = ha_config_load(str_of(text), &options, &problems);

	if (!c)
		fail_msg("%s", problems.list[0].text);
	problems_fini(&problems);
	return c;
}

#define NODES(a, b)                                                                                \
	"{ \"nodes\": [ { \"name\": \"lb1\", \"address\": \"" a                                    \
	"\" }, { \"name\": \"lb2\", \"address\": \"" b "\" } ], \"secret_file\": \"/s\", "
static const char minimal[] =
    NODES("192.0.2.1", "192.0.2.2") "\"virtual_ips\": [ \"192.0.2.9\" ] }";

static void
test_self(void **state)
{
	struct ha_config *c;

	(void)state;
	local = "192.0.2.1";
	c = load(minimal, NULL);
	assert_int_equal(c->self, 0);
	assert_true(str_eq(ha_config_self(c)->name, STR("lb1")));
	assert_true(str_eq(ha_config_peer(c)->name, STR("lb2")));
	assert_int_equal(ntohs(ha_config_self(c)->addresses[0].in.sin_port), 5405);
	ha_config_free(&c);
	local = "192.0.2.2";
	c = load(minimal, NULL);
	assert_int_equal(c->self, 1);
	ha_config_free(&c);
	c = load(minimal, "lb1"); /* by name, whatever the addresses */
	assert_int_equal(c->self, 0);
	ha_config_free(&c);
}

/* The kernel is asked. */
static void
test_self_by_kernel(void **state)
{
	const struct ha_config_options options = { .file = "f" };
	static const char foreign[] =
	    NODES("203.0.113.77", "203.0.113.78") "\"virtual_ips\": [ \"203.0.113.9\" ] }";
	struct problems problems = { 0 };
	struct ha_config *c = ha_config_load(str_of(foreign), &options, &problems);

	(void)state;
	assert_null(c);
	assert_non_null(strstr(problems.list[0].text, "this machine has none"));
	problems_fini(&problems);
}

static bool
same_digest(const char *a, const char *b)
{
	struct ha_config *x, *y;
	bool same;

	local = "192.0.2.1";
	x = load(a, NULL);
	local = "192.0.2.2";
	y = load(b, NULL);
	same = x->digest == y->digest;
	ha_config_free(&x);
	ha_config_free(&y);
	return same;
}

static void
test_digest(void **state)
{
	(void)state;
	assert_true(same_digest(minimal, minimal));
	/* two ways of writing one thing; what is of one machine alone */
	assert_true(same_digest(minimal,
	    NODES("192.0.2.1",
		"192.0.2.2") "\"instances\": [ { \"virtual_ips\": [ \"192.0.2.9/32\" ] } ],"
			     "\"control\": \"/c\", \"state_directory\": \"/d\","
			     "\"log\": { \"level\": \"debug\" },"
			     "\"admin\": { \"http\": \"off\" },"
			     "\"track\": { \"lbd\": { \"socket\": \"/l\" } } }"));
	assert_false(same_digest(
	    minimal, NODES("192.0.2.1", "192.0.2.2") "\"virtual_ips\": [ \"192.0.2.8\" ] }"));
	assert_false(same_digest(minimal,
	    NODES("192.0.2.1",
		"192.0.2.2") "\"virtual_ips\": [ \"192.0.2.9\" ], \"lease\": \"2s\" }"));
	assert_false(same_digest(minimal,
	    NODES("192.0.2.1", "192.0.2.2") "\"virtual_ips\": [ \"192.0.2.9\" ],"
					    "\"heartbeat\": { \"interval\": \"50ms\" } }"));
}

static char secret[] = "/tmp/test_ha_config.XXXXXX";

static int
secret_try(const char *text, mode_t mode, struct ha_secret *s, struct err *err)
{
	FILE *f = fopen(secret, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(secret, mode), 0);
	return ha_secret_read(s, secret, err);
}

static void
test_secret(void **state)
{
	static const char good[] = "0123456789abcdef";
	static char large[HA_SECRET_MAX + 2];
	struct ha_secret s;
	struct err err;

	(void)state;
	assert_int_equal(secret_try("0123456789abcdef\n", 0600, &s, &err), 0);
	assert_int_equal(s.n, 16);
	assert_memory_equal(s.bytes, good, 16);
	assert_int_equal(secret_try(good, 0640, &s, &err), 0);
	for (mode_t m = 1; m <= 7; m++) {
		assert_int_equal(secret_try(good, 0600 | m, &s, &err), -EPERM);
		assert_non_null(strstr(err.text, "chmod"));
	}
	assert_int_equal(secret_try("0123456789abcde\n", 0600, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "15 bytes"));
	assert_int_equal(secret_try("", 0600, &s, &err), -EINVAL);
	memset(large, 'x', sizeof(large) - 1);
	assert_int_equal(secret_try(large, 0600, &s, &err), -EFBIG);
	unlink(secret);
	assert_int_equal(ha_secret_read(&s, secret, &err), -ENOENT);
	assert_int_equal(ha_secret_read(&s, "/", &err), -EINVAL);
}

static void
password_file(const char *text, mode_t mode)
{
	FILE *f = fopen(secret, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(secret, mode), 0);
}

static void
test_password(void **state)
{
	static const uint8_t short_one[HA_PASSWORD_MAX] = "s3cret";
	uint8_t password[HA_PASSWORD_MAX];
	struct err err;

	(void)state;
	password_file("s3cret\n", 0640);
	assert_int_equal(ha_password_read(password, secret, &err), 0);
	assert_memory_equal(password, short_one, sizeof(password));
	password_file("12345678", 0600);
	assert_int_equal(ha_password_read(password, secret, &err), 0);
	assert_memory_equal(password, "12345678", sizeof(password));
	password_file("123456789", 0600);
	assert_int_equal(ha_password_read(password, secret, &err), -EINVAL);
	assert_non_null(strstr(err.text, "9 bytes"));
	password_file("\n", 0600);
	assert_int_equal(ha_password_read(password, secret, &err), -EINVAL);
	password_file("s3cret", 0604);
	assert_int_equal(ha_password_read(password, secret, &err), -EPERM);
	unlink(secret);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_self_by_kernel),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_password),
	};
	int fd = mkstemp(secret);

	if (fd < 0)
		return 1;
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
