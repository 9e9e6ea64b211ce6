/*
 * test_track_lbd.c - a scripted lbd on a unix socket: ready, not ready, crashed and replaced, dead,
 * frozen, crashing again and again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "hafailover/track/track_lbd.h"

static struct ev_loop *loop;
static char path[] = "/tmp/test_track_lbd.XXXXXX";
static unsigned changes;

static void
on_changed(void *owner)
{
	(void)owner;
	changes++;
}

static int
server_open(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, path, sizeof(path));
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* Turns the loop for a while, or until the state is so. */
static int64_t
turn(const struct track_lbd *t, int ms, int until_ready)
{
	int64_t start = clock_ns(), now = start;

	while (now - start < ms * NS_PER_MS &&
	    (until_ready < 0 || track_lbd_state(t)->ready != until_ready)) {
		ev_run(loop, EVRUN_NOWAIT);
		usleep(200);
		now = clock_ns();
	}
	return (now - start) / NS_PER_MS;
}

/* Accepts, and takes the question. */
static int
client_accept(const struct track_lbd *t, int server)
{
	char bytes[64];
	int fd = -1;

	for (int i = 0; i < 500 && fd < 0; i++) {
		turn(t, 1, -1);
		fd = accept(server, NULL, NULL);
	}
	assert_true(fd >= 0);
	assert_true(recv(fd, bytes, sizeof(bytes), 0) == 20);
	assert_memory_equal(bytes, "{\"command\":\"watch\"}\n", 20);
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static const char ready[] =
    "{\"ok\":true,\"ready\":true,\"draining\":false,\"servers_up\":2,"
    "\"servers_unchecked\":1,\"servers_total\":3,"
    "\"config\":{\"digest\":\"fedc000000000001\"},\"listeners\":[{\"bind\":[\"0.0.0.0:80\","
    "\"unix:/x\",\"[::]:443\"]},{\"bind\":[\"10.0.0.1:25\"],"
    "\"protocol\":\"tcp\"}]}\n";

static void
test_parse(void **state)
{
	struct track_lbd_state s;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_true(track_lbd_parse(&s, str_of(ready)));
	assert_true(s.heard && s.ready && !s.draining);
	assert_int_equal(s.servers_up, 2);
	assert_int_equal(s.servers_total, 3);
	assert_int_equal(s.servers_unchecked, 1);
	assert_true(s.digest == 0xfedc000000000001);
	assert_int_equal(s.n_services, 3);
	address_format(&s.services[1].address, text);
	assert_string_equal(text, "[::]:443");
	assert_true(s.services[0].http && !s.services[2].http);
	assert_true(track_lbd_parse(&s,
	    STR("{\"ready\":false,\"not_ready\":\"draining\",\"draining\":true,\"servers_up\":-"
		"1}")));
	assert_true(!s.ready && s.draining && s.servers_up == 0 && s.n_services == 0);
	assert_string_equal(s.why, "lbd is draining");
	assert_false(track_lbd_parse(&s, STR("")));
	assert_false(track_lbd_parse(&s, STR("{}")));
	assert_false(track_lbd_parse(&s, STR("{\"ok\":false,\"error\":\"no\"}")));
	assert_false(track_lbd_parse(&s, STR("{\"ready\":1}")));
}

static void
test_service_of(void **state)
{
	static const struct {
		bool one; /* that listens on 10.0.0.1:25 alone */
		const char *vip, *service; /* NULL: none */
	} rows[] = {
		{ false, "10.0.0.1:0", "0.0.0.0:80" }, /* the first that takes it */
		{ false, "10.0.0.2:0", "0.0.0.0:80" },
		{ false, "[2001:db8::9]:0", "[::]:443" },
		{ true, "10.0.0.1:0", "10.0.0.1:25" },
		{ true, "10.0.0.2:0", NULL },
		{ true, "[2001:db8::9]:0", NULL },
	};
	struct track_lbd_state all, one;
	size_t i;

	(void)state;
	assert_true(track_lbd_parse(&all, str_of(ready)));
	assert_true(track_lbd_parse(
	    &one, STR("{\"ready\":true,\"listeners\":[{\"bind\":[\"10.0.0.1:25\"]}]}")));
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct track_lbd_service *s;
		struct address vip;
		char text[ADDRESS_TEXT_MAX];
		struct err err;

		assert_int_equal(address_parse(&vip, str_of(rows[i].vip), &err), 0);
		s = track_lbd_service_of(rows[i].one ? &one : &all, &vip);
		assert_int_equal(s != NULL, rows[i].service != NULL);
		if (!s)
			continue;
		address_format(&s->address, text);
		assert_string_equal(text, rows[i].service);
	}
}

static struct track_lbd *
start(void)
{
	struct track_lbd *t = track_lbd_start(loop, str_of(path), on_changed, NULL);

	assert_non_null(t);
	changes = 0;
	return t;
}

static void
test_comes_and_goes(void **state)
{
	struct track_lbd *t;
	int server, fd;

	(void)state;
	unlink(path);
	t = start();
	turn(t, 30, -1);
	assert_false(track_lbd_state(t)->ready);
	assert_string_equal(track_lbd_state(t)->why, "lbd does not run");
	server = server_open();
	fd = client_accept(t, server);
	say(fd, ready);
	turn(t, 500, true);
	assert_true(track_lbd_state(t)->ready);
	say(fd, "{\"ready\":true,\"dra");
	turn(t, 5, -1);
	assert_false(track_lbd_state(t)->draining);
	say(fd, "ining\":true}\n{\"ready\":false,\"not_ready\":\"x\"}\n");
	turn(t, 500, false);
	assert_string_equal(track_lbd_state(t)->why, "lbd is x");
	say(fd, ready);
	turn(t, 500, true);
	/* dead: both at once */
	close(server);
	close(fd);
	assert_true(turn(t, 500, false) < 100);
	assert_string_equal(track_lbd_state(t)->why, "lbd does not run");
	assert_int_equal(track_lbd_state(t)->servers_up, 0);
	assert_int_equal(track_lbd_state(t)->servers_total, 0);
	assert_int_equal(track_lbd_state(t)->n_services, 3); /* a probe asks there */
	assert_true(changes >= 4);
	track_lbd_stop(&t);
}

/* The proxy process is replaced: nothing changes, unless it takes too long or happens too often. */
static void
test_replaced(void **state)
{
	struct track_lbd *t = start();
	int server = server_open(), fd = client_accept(t, server);

	(void)state;
	say(fd, ready);
	turn(t, 500, true);
	close(fd);
	fd = client_accept(t, server);
	turn(t, 200, false);
	assert_true(track_lbd_state(t)->ready);
	say(fd, "{\"ready\":false,\"not_ready\":\"starting\"}\n");
	turn(t, 20, -1);
	assert_true(track_lbd_state(t)->ready);
	say(fd, ready);
	turn(t, 20, -1);
	assert_true(track_lbd_state(t)->ready);
	/* it does not come back */
	close(fd);
	fd = client_accept(t, server);
	say(fd, "{\"ready\":false,\"not_ready\":\"starting\"}\n");
	assert_true(turn(t, 3000, false) >= 500);
	assert_string_equal(track_lbd_state(t)->why, "lbd does not answer");
	say(fd, ready);
	turn(t, 500, true);
	assert_true(track_lbd_state(t)->ready);
	/* it crashes for the third and fourth time within a short while */
	for (int i = 0; i < 2; i++) {
		close(fd);
		fd = client_accept(t, server);
		say(fd, ready);
		turn(t, 20, -1);
	}
	assert_false(track_lbd_state(t)->ready);
	assert_string_equal(track_lbd_state(t)->why, "lbd keeps crashing");
	track_lbd_stop(&t);
	close(fd);
	close(server);
	unlink(path);
}

static void
test_frozen(void **state)
{
	struct track_lbd *t = start();
	int server = server_open(), fd = client_accept(t, server);
	int64_t took;

	(void)state;
	say(fd, ready);
	turn(t, 500, true);
	took = turn(t, 3000, false);
	assert_true(took >= 1000 && took < 2500);
	assert_string_equal(track_lbd_state(t)->why, "lbd does not answer");
	track_lbd_stop(&t);
	close(fd);
	close(server);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_service_of),
		cmocka_unit_test(test_comes_and_goes),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_frozen),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	loop = ev_default_loop(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
