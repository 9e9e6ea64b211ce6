/* test_sd_notify.c - what arrives at the service manager's socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/sd_notify.h"

static int manager = -1;

static void
manager_listen(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len;

	strcpy(un.sun_path, name);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&un, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static const char *
heard(void)
{
	static char text[1024];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void
say_all(void)
{
	int64_t before = clock_ns() / NS_PER_US, said;

	sd_notify_ready();
	assert_string_equal(heard(), "READY=1\n");
	sd_notify_reloading();
	assert_int_equal(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%ld\n", &said), 1);
	assert_true(said >= before && said <= clock_ns() / NS_PER_US);
	sd_notify_stopping(1500 * NS_PER_MS);
	assert_string_equal(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\n");
	sd_notify_watchdog();
	assert_string_equal(heard(), "WATCHDOG=1\n");
	sd_notify_status("%d of\n%s", 3, "READY=1");
	assert_string_equal(heard(), "STATUS=3 of READY=1");
	sd_notify_forget();
	sd_notify_ready();
	assert_string_equal(heard(), "");
	close(manager);
}

static void
test_path(void **state)
{
	char dir[] = "/tmp/test_sd_notify.XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/notify", dir);
	manager_listen(path);
	say_all();
	unlink(path);
	rmdir(dir);
}

static void
test_abstract(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@test_sd_notify.%d", (int)getpid());
	manager_listen(name);
	say_all();
}

static void
test_nobody(void **state)
{
	static const char *const names[] = { "", "/", "relative", "/nonexistent/notify" };
	char big[200] = "/";
	size_t i;

	(void)state;
	memset(big + 1, 'x', sizeof(big) - 2);
	setenv("NOTIFY_SOCKET", big, 1);
	sd_notify_ready();
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		sd_notify_ready();
	}
	sd_notify_forget();
	sd_notify_ready();
}

static void
test_watchdog(void **state)
{
	char me[16];

	(void)state;
	sd_notify_forget();
	assert_int_equal(sd_notify_watchdog_ns(), 0);
	setenv("WATCHDOG_USEC", "3000000", 1);
	assert_int_equal(sd_notify_watchdog_ns(), 3 * NS_PER_S);
	snprintf(me, sizeof(me), "%d", (int)getpid());
	setenv("WATCHDOG_PID", me, 1);
	assert_int_equal(sd_notify_watchdog_ns(), 3 * NS_PER_S);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(sd_notify_watchdog_ns(), 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "-5", 1);
	assert_int_equal(sd_notify_watchdog_ns(), 0);
	setenv("WATCHDOG_USEC", "5x", 1);
	assert_int_equal(sd_notify_watchdog_ns(), 0);
	setenv("WATCHDOG_USEC", "99999999999999999999", 1);
	assert_int_equal(sd_notify_watchdog_ns(), 0);
	sd_notify_forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_abstract),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
