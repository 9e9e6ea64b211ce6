/* test_channel.c - messages with texts and descriptors, and what the other side may get wrong. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lbd/supervisor/channel.h"

static int pair[2];

static int
setup(void **state)
{
	struct err err;

	(void)state;
	return channel_pair(pair, &err);
}

static int
teardown(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static size_t
count_descriptors(void)
{
	size_t n = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
assert_same_file(int a, int b)
{
	struct stat x, y;

	assert_int_equal(fstat(a, &x), 0);
	assert_int_equal(fstat(b, &y), 0);
	assert_true(x.st_dev == y.st_dev && x.st_ino == y.st_ino);
	assert_true(fcntl(b, F_GETFD) & FD_CLOEXEC);
}

static void
test_small(void **state)
{
	struct channel_message m, got;
	struct err err;

	(void)state;
	assert_int_equal(channel_receive(pair[1], &got, &err), -EAGAIN);
	channel_message_init(&m, CHANNEL_RESULT);
	m.number = UINT64_MAX;
	m.ok = true;
	m.text = STR("why");
	assert_int_equal(channel_send(pair[0], &m, &err), 0);
	channel_message_init(&m, CHANNEL_HEARTBEAT);
	assert_int_equal(channel_send(pair[0], &m, &err), 0);
	assert_int_equal(channel_receive(pair[1], &got, &err), 1);
	assert_int_equal(got.type, CHANNEL_RESULT);
	assert_true(got.ok);
	assert_true(got.number == UINT64_MAX);
	assert_string_equal(got.text.p, "why");
	assert_int_equal(got.text.n, 3);
	assert_int_equal(got.log_fd, -1);
	channel_message_fini(&got);
	assert_int_equal(channel_receive(pair[1], &got, &err), 1);
	assert_int_equal(got.type, CHANNEL_HEARTBEAT);
	assert_false(got.ok);
	assert_string_equal(got.text.p, "");
	channel_message_fini(&got);
	channel_message_fini(&got);
	assert_int_equal(channel_receive(pair[1], &got, &err), -EAGAIN);
}

static void
test_long_texts(void **state)
{
	static const size_t sizes[] = { 0, 1, 16383, 16384, 16385, 1 << 20, 20 << 20 };
	struct channel_message m, got;
	char *big = malloc(20 << 20);
	size_t i, before = count_descriptors();
	struct err err;

	(void)state;
	for (i = 0; i < 20 << 20; i++)
		big[i] = (char)(i * 7 >> 3);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		channel_message_init(&m, CHANNEL_CONFIG);
		m.text = (struct str){ big, sizes[i] };
		assert_int_equal(channel_send(pair[0], &m, &err), 0);
		assert_int_equal(channel_receive(pair[1], &got, &err), 1);
		assert_true(str_eq(got.text, m.text));
		assert_int_equal(got.text.p[got.text.n], '\0');
		channel_message_fini(&got);
	}
	assert_int_equal(count_descriptors(), before);
	m.text.n = (size_t)CHANNEL_TEXT_MAX + 1;
	assert_int_equal(channel_send(pair[0], &m, &err), -EMSGSIZE);
	free(big);
}

static void
test_descriptors(void **state)
{
	struct channel_message m, got;
	size_t before = count_descriptors();
	struct err err;
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), i;
	char big[20000];

	(void)state;
	memset(big, 'x', sizeof(big));
	channel_message_init(&m, CHANNEL_CONFIG);
	m.text = (struct str){ big, sizeof(big) }; /* by memfd, which comes between the others */
	m.log_fd = null;
	m.admin_http_fd = zero;
	for (i = 0; i < CHANNEL_SOCKETS_MAX; i++)
		m.sockets[m.n_sockets++] = i % 2 ? null : zero;
	assert_int_equal(channel_send(pair[0], &m, &err), 0);
	assert_int_equal(channel_receive(pair[1], &got, &err), 1);
	assert_same_file(null, got.log_fd);
	assert_int_equal(got.access_log_fd, -1);
	assert_same_file(zero, got.admin_http_fd);
	assert_int_equal(got.n_sockets, CHANNEL_SOCKETS_MAX);
	for (i = 0; i < CHANNEL_SOCKETS_MAX; i++)
		assert_same_file(i % 2 ? null : zero, got.sockets[i]);
	assert_true(str_eq(got.text, m.text));
	i = got.log_fd; /* kept */
	got.log_fd = -1;
	channel_message_fini(&got);
	assert_int_equal(close(i), 0);
	close(null);
	close(zero);
	assert_int_equal(count_descriptors(), before);
}

static void
test_end(void **state)
{
	struct channel_message m, got;
	struct err err;

	(void)state;
	channel_message_init(&m, CHANNEL_READY);
	assert_int_equal(channel_send(pair[0], &m, &err), 0);
	close(pair[0]);
	assert_int_equal(channel_receive(pair[1], &got, &err), 1); /* what was said before */
	channel_message_fini(&got);
	assert_int_equal(channel_receive(pair[1], &got, &err), 0);
	assert_int_equal(channel_send(pair[1], &m, &err), -EPIPE);
}

/* The peer does not read: sending fails, it does not wait. */
static void
test_full(void **state)
{
	struct channel_message m;
	char text[8000] = { 0 };
	struct err err;
	int i, code = 0;

	(void)state;
	channel_message_init(&m, CHANNEL_RELOAD_RESULT);
	m.text = (struct str){ text, sizeof(text) };
	for (i = 0; i < 10000 && !code; i++)
		code = channel_send(pair[0], &m, &err);
	assert_int_equal(code, -EAGAIN);
	assert_true(err.text[0] != '\0');
}

static void
send_raw(const void *p, size_t n, int fd)
{
	struct iovec v = { (void *)(uintptr_t)p, n };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

	if (fd >= 0) {
		h.msg_control = control.bytes;
		h.msg_controllen = sizeof(control.bytes);
		CMSG_FIRSTHDR(&h)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&h)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&h)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(pair[0], &h, 0), n);
}

/* A message as a hostile process might send it: valid, then changed in one place. */
static void
test_malformed(void **state)
{
	enum { MAGIC, TYPE, OK, HAS, NUMBER = 4, TEXT_N = 6, WORDS = 8 };
	struct channel_message m, got;
	uint32_t wire[WORDS + 8];
	size_t before = count_descriptors();
	int pipes[2], i;
	struct err err;
	ssize_t n;

	(void)state;
	channel_message_init(&m, CHANNEL_RESULT);
	m.text = STR("text");
	channel_send(pair[0], &m, &err);
	n = recv(pair[1], wire, sizeof(wire), 0);
	assert_int_equal(n, WORDS * 4 + 4);
	for (i = 0; i < 7; i++) {
		uint32_t bad[WORDS + 8];
		size_t size = (size_t)n;
		int fd = -1;

		memcpy(bad, wire, sizeof(bad));
		switch (i) {
		case 0:
			bad[MAGIC]++;
			break;
		case 1:
			bad[TYPE] = CHANNEL_TYPES;
			break;
		case 2:
			bad[TEXT_N]++;
			break;
		case 3:
			bad[TEXT_N + 1] = 0xffffffff;
			break;
		case 4:
			size = WORDS * 4 - 1;
			break;
		case 5: /* a pipe instead of a memfd: reading it would wait for ever */
			assert_int_equal(pipe(pipes), 0);
			bad[HAS] = 8;
			size = WORDS * 4;
			fd = pipes[0];
			break;
		case 6: /* shorter than announced */
			bad[HAS] = 8;
			size = WORDS * 4;
			fd = memfd_create("short", MFD_CLOEXEC);
			break;
		}
		send_raw(bad, size, fd);
		if (i == 5) {
			close(pipes[0]);
			close(pipes[1]);
		} else if (fd >= 0) {
			close(fd);
		}
		if (channel_receive(pair[1], &got, &err) != -EBADMSG)
			fail_msg("case %d was accepted", i);
	}
	assert_int_equal(count_descriptors(), before);
}

#define WITH_PAIR(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAIR(test_small),
		WITH_PAIR(test_long_texts),
		WITH_PAIR(test_descriptors),
		WITH_PAIR(test_end),
		WITH_PAIR(test_full),
		WITH_PAIR(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
