/*
 * test_peer_link.c - two links on loopback: they meet, on one path and on two; strangers, other
 * secrets, replays and nonsense are counted by what they are and reach nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "hafailover/peer/peer_link.h"

enum { PORT = 25405 };

struct end {
	struct peer_link *link;
	struct wire_packet last;
	unsigned heard, by_path[2];
	struct heartbeat next;
};

static struct ev_loop *loop;

static void
on_heard(void *owner, unsigned path, const struct wire_packet *w)
{
	struct end *e = owner;

	e->heard++;
	e->by_path[path]++;
	e->last = *w;
}

static struct address
address(const char *host, int port)
{
	struct address a;
	char text[64];
	struct err err;

	snprintf(text, sizeof(text), "%s:%d", host, port);
	assert_int_equal(address_parse(&a, str_of(text), &err), 0);
	return a;
}

/* Path 0 is between 127.0.0.1 and .2, path 1 between .3 and .4. */
static struct peer_link_options
options(bool second, unsigned paths, const char *secret, struct peer_link_path list[2])
{
	for (unsigned i = 0; i < 2; i++) {
		struct address low = address(i ? "127.0.0.3" : "127.0.0.1", PORT);
		struct address high = address(i ? "127.0.0.4" : "127.0.0.2", PORT);

		list[i] = second ? (struct peer_link_path){ high, low }
				 : (struct peer_link_path){ low, high };
	}
	return (struct peer_link_options){ .paths = list,
		.n_paths = paths,
		.node = str_of(second ? "lb2" : "lb1"),
		.peer = str_of(second ? "lb1" : "lb2"),
		.secret = str_of(secret) };
}

static void
end_open(struct end *e, bool second, unsigned paths, const char *secret, uint64_t session)
{
	const struct peer_link_events events = { on_heard, e };
	struct peer_link_path list[2];
	struct peer_link_options o = options(second, paths, secret, list);
	struct err err;

	memset(e, 0, sizeof(*e));
	e->link = peer_link_new(loop, session, &events);
	assert_non_null(e->link);
	if (peer_link_configure(e->link, &o, &err) < 0)
		fail_msg("%s", err.text);
	e->next = (struct heartbeat){ .interval_ns = 1, .dead_ns = 1, .term = session };
}

static void
turn(void)
{
	for (int i = 0; i < 20; i++) {
		ev_run(loop, EVRUN_NOWAIT);
		usleep(500);
	}
}

static void
send_one(struct end *e)
{
	e->next.sequence++;
	peer_link_send(e->link, &e->next);
	turn();
}

static const char secret[] = "0123456789abcdef";

static void
test_meet(void **state)
{
	static const uint8_t macs[1][WIRE_MAC] = { { 2, 0, 0, 0, 0, 9 } };
	struct end a, b;

	(void)state;
	end_open(&a, false, 1, secret, 11);
	end_open(&b, true, 1, secret, 22);
	peer_link_set_macs(a.link, macs, 1);
	peer_link_set_lbd(a.link, 70000, 9, 0xd16e57);
	assert_null(peer_link_last(b.link));
	send_one(&b);
	send_one(&a);
	assert_int_equal(b.heard, 1); /* the very first one that b can answer is not lost */
	assert_true(b.last.heartbeat.term == 11);
	assert_true(peer_link_is_peer_mac(b.link, macs[0]));
	assert_int_equal(peer_link_last(b.link)->servers_total, 65535);
	assert_int_equal(peer_link_last(b.link)->servers_unchecked, 9);
	assert_true(peer_link_last(b.link)->lbd_digest == 0xd16e57);
	send_one(&b);
	assert_true(a.heard >= 1 && a.last.heartbeat.term == 22);
	assert_int_equal(peer_link_count(a.link, 0)->sent[PACKET_OK], 1);
	assert_true(peer_link_count(b.link, 0)->received[PACKET_HELLO] > 0);
	peer_link_free(&a.link);
	peer_link_free(&b.link);
}

static void
test_two_paths(void **state)
{
	struct peer_link_path list[2];
	struct peer_link_options one = options(false, 1, secret, list);
	struct end a, b;
	struct err err;

	(void)state;
	end_open(&a, false, 2, secret, 11);
	end_open(&b, true, 2, secret, 22);
	send_one(&b);
	send_one(&a);
	send_one(&a);
	assert_true(b.by_path[0] >= 1 && b.by_path[1] >= 1);
	/* one path less: the other keeps its socket and what it knows */
	assert_int_equal(peer_link_configure(a.link, &one, &err), 0);
	b.by_path[0] = b.by_path[1] = 0;
	send_one(&a);
	assert_int_equal(b.by_path[0], 1);
	assert_int_equal(b.by_path[1], 0);
	assert_int_equal(peer_link_count(a.link, 0)->sent[PACKET_OK], 3);
	peer_link_free(&a.link);
	peer_link_free(&b.link);
}

static void
test_other_secret(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, false, 1, "fedcba9876543210", 11);
	end_open(&b, true, 1, secret, 22);
	send_one(&a);
	send_one(&a);
	assert_int_equal(b.heard, 0);
	assert_int_equal(peer_link_count(b.link, 0)->received[PACKET_FORGED], 2);
	assert_int_equal(peer_link_trouble(b.link).result, PACKET_FORGED);
	assert_int_equal(peer_link_count(b.link, 0)->sent[PACKET_HELLO], 0); /* no answer */
	peer_link_free(&a.link);
	peer_link_free(&b.link);
}

/* A restart of the peer is believed; what was there before is forgotten. */
static void
test_restart(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, false, 1, secret, 11);
	end_open(&b, true, 1, secret, 22);
	send_one(&a);
	send_one(&b);
	send_one(&a);
	assert_true(b.heard >= 1);
	peer_link_free(&a.link);
	end_open(&a, false, 1, secret, 33);
	b.heard = 0;
	send_one(&b);
	send_one(&a);
	send_one(&a);
	assert_true(b.heard >= 1 && b.last.heartbeat.term == 33);
	peer_link_free(&a.link);
	peer_link_free(&b.link);
}

static int
raw_socket(const char *host)
{
	struct address from = address(host, PORT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &from.sa, from.len), 0);
	return fd;
}

static void
raw_send(int fd, const uint8_t *bytes, size_t n)
{
	struct address to = address("127.0.0.2", PORT);

	assert_int_equal(sendto(fd, bytes, n, 0, &to.sa, to.len), n);
	turn();
}

static void
packet_make(uint8_t bytes[WIRE_SIZE], const char *node, uint8_t path, uint64_t sequence)
{
	struct wire_packet w = { .type = WIRE_HEARTBEAT,
		.path = path,
		.session = 11,
		.sequence = sequence,
		.heartbeat = { .interval_ns = 1, .dead_ns = 1 } };
	struct wire_key key;

	snprintf(w.node, sizeof(w.node), "%s", node);
	assert_true(wire_key_derive(&key, str_of(secret)));
	assert_true(wire_encode(bytes, &w, &key));
}

static void
test_refused(void **state)
{
	const struct peer_link_counters *count;
	uint8_t bytes[WIRE_SIZE + 10] = { 0 };
	int fd = raw_socket("127.0.0.1"), other = raw_socket("127.0.0.9");
	struct end b;

	(void)state;
	end_open(&b, true, 1, secret, 22);
	count = peer_link_count(b.link, 0);
	packet_make(bytes, "lb1", 0, 1);
	raw_send(other, bytes, WIRE_SIZE);
	assert_int_equal(count->received[PACKET_STRANGER], 1);
	raw_send(fd, bytes, 0);
	raw_send(fd, bytes, 100);
	raw_send(fd, bytes, WIRE_SIZE + 10);
	assert_int_equal(count->received[PACKET_MALFORMED], 3);
	raw_send(fd, bytes, WIRE_SIZE); /* right, but nobody knows when it was made */
	assert_int_equal(count->received[PACKET_UNKNOWN], 1);
	assert_int_equal(count->sent[PACKET_HELLO], 1);
	packet_make(bytes, "lb9", 0, 2);
	raw_send(fd, bytes, WIRE_SIZE);
	packet_make(bytes, "lb1", 1, 3);
	raw_send(fd, bytes, WIRE_SIZE);
	packet_make(bytes, "lb2", 0, 4); /* our own, reflected */
	raw_send(fd, bytes, WIRE_SIZE);
	assert_int_equal(count->received[PACKET_STRANGER], 4);
	assert_string_equal(peer_link_trouble(b.link).name, "lb2");
	bytes[4] = 2;
	raw_send(fd, bytes, WIRE_SIZE);
	assert_int_equal(count->received[PACKET_OTHER_VERSION], 1);
	assert_int_equal(peer_link_trouble(b.link).version, 2);
	assert_int_equal(b.heard, 0);
	peer_link_free(&b.link);
	close(fd);
	close(other);
}

/* What is refused changes nothing: the link goes on as it was. */
static void
test_configure_fails(void **state)
{
	struct peer_link_path list[2];
	struct peer_link_options o = options(false, 2, secret, list);
	struct end a, b;
	struct err err;
	int taken;

	(void)state;
	end_open(&a, false, 1, secret, 11);
	end_open(&b, true, 1, secret, 22);
	taken = raw_socket("127.0.0.3");
	assert_int_equal(peer_link_configure(a.link, &o, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "127.0.0.3:25405"));
	assert_int_equal(peer_link_paths(a.link), 1);
	send_one(&b);
	send_one(&a);
	send_one(&a);
	assert_true(b.heard >= 1);
	close(taken);
	peer_link_free(&a.link);
	peer_link_free(&b.link);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meet),
		cmocka_unit_test(test_two_paths),
		cmocka_unit_test(test_other_secret),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_configure_fails),
	};

	loop = ev_default_loop(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
