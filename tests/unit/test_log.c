/* test_log.c - how a line looks in each sink, what is escaped, what is suppressed, what is lost. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

struct place {
	char dir[64], path[128];
	int fd; /* reads what was logged */
};

static int
place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/test_log.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/log", p->dir);
	p->fd = -1;
	log_init("test");
	log_set_level(LOG_DEBUG);
	*state = p;
	return 0;
}

static int
place_teardown(void **state)
{
	struct log_sink back = { .type = LOG_SINK_STDERR, .fd = STDERR_FILENO };
	struct place *p = *state;

	log_use(&back);
	log_set_level(LOG_INFO);
	if (p->fd >= 0)
		close(p->fd);
	unlink(p->path);
	rmdir(p->dir);
	free(p);
	return 0;
}

static void
use_file(struct place *p)
{
	struct log_sink sink;
	struct err err;

	assert_int_equal(log_sink_open(&sink, LOG_SINK_FILE, p->path, &err), 0);
	log_use(&sink);
	if (p->fd < 0)
		p->fd = open(p->path, O_RDONLY);
	assert_true(p->fd >= 0);
}

static void
use_datagrams(struct place *p, enum log_sink_type type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct log_sink sink;
	struct err err;

	memcpy(un.sun_path, p->path, sizeof(un.sun_path) - 1);
	p->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(log_sink_open(&sink, type, p->path, &err), 0);
	log_use(&sink);
}

static void
take(struct place *p, char text[65536])
{
	ssize_t n = read(p->fd, text, 65535);

	text[n < 0 ? 0 : n] = '\0';
}

/* 2026-01-31T12:00:00.000Z info */
static const char *
skip_stamp(const char *line)
{
	int year, month, day, hour, minute, second, ms, n = 0;

	assert_int_equal(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day, &hour,
			     &minute, &second, &ms, &n),
	    7);
	assert_int_equal(n, 25);
	return line + n;
}

static void
test_file(void **state)
{
	char text[65536];

	use_file(*state);
	log_notice("server_up", "pool=%s probes=%d", "web", 2);
	take(*state, text);
	assert_string_equal(skip_stamp(text), "notice server_up pool=web probes=2\n");
	log_err("drained", NULL);
	take(*state, text);
	assert_string_equal(skip_stamp(text), "error drained\n");
}

static void
test_level(void **state)
{
	char text[65536];
	int computed = 0;

	use_file(*state);
	log_set_level(LOG_NOTICE);
	log_info("hidden", "n=%d", ++computed);
	take(*state, text);
	assert_string_equal(text, "");
	assert_int_equal(computed, 0);
	log_notice("shown", NULL);
	take(*state, text);
	assert_string_equal(skip_stamp(text), "notice shown\n");
}

static void
test_syslog(void **state)
{
	char text[65536], want[64];
	char *at;

	use_datagrams(*state, LOG_SINK_SYSLOG);
	log_warning("server_down", "pool=web");
	take(*state, text);
	assert_memory_equal(text, "<28>", 4); /* daemon, warning */
	snprintf(want, sizeof(want), " test[%d]: server_down pool=web", (int)getpid());
	at = strstr(text, want);
	assert_non_null(at);
	assert_int_equal(at - text, 4 + 15);
	assert_string_equal(at, want); /* no newline: a datagram is a line */
}

static void
test_journal(void **state)
{
	char text[65536];

	use_datagrams(*state, LOG_SINK_JOURNAL);
	log_info("server_up", "why=%s", "a\nPRIORITY=0");
	take(*state, text);
	assert_string_equal(text,
	    "PRIORITY=6\nSYSLOG_IDENTIFIER=test\nEVENT=server_up\n"
	    "MESSAGE=server_up why=a\\x0aPRIORITY=0\n");
}

/* The prefix is for the stream that systemd reads, and for no other. */
static void
test_stderr(void **state)
{
	struct log_sink back = { .type = LOG_SINK_STDERR, .fd = STDERR_FILENO };
	char text[65536], stream[64];
	int saved = dup(STDERR_FILENO), ends[2];
	struct place *p = *state;
	struct stat st;

	assert_int_equal(pipe(ends), 0);
	p->fd = ends[0];
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	log_use(&back);
	unsetenv("JOURNAL_STREAM");
	log_info("plain", NULL);
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_info("prefixed", NULL);
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_info("redirected", NULL);
	unsetenv("JOURNAL_STREAM");
	dup2(saved, STDERR_FILENO);
	close(saved);
	take(p, text);
	assert_string_equal(skip_stamp(strtok(text, "\n")), "info plain");
	assert_string_equal(strtok(NULL, "\n"), "<6>prefixed");
	assert_string_equal(skip_stamp(strtok(NULL, "\n")), "info redirected");
}

static void
test_control_characters(void **state)
{
	char text[65536];

	use_file(*state);
	log_info("odd", "a=%s", "x\n<0>forged\r\t\x1b[31m\x7f");
	take(*state, text);
	assert_string_equal(
	    skip_stamp(text), "info odd a=x\\x0a<0>forged\\x0d\\x09\\x1b[31m\\x7f\n");
}

static void
test_long_line(void **state)
{
	char text[65536], *big = malloc(20000);

	memset(big, '\n', 19999); /* four bytes each */
	big[19999] = '\0';
	use_file(*state);
	log_info("long", "a=%s", big);
	take(*state, text);
	assert_true(strlen(text) <= LOG_LINE_MAX);
	assert_true(strlen(text) > LOG_LINE_MAX - 32);
	assert_string_equal(text + strlen(text) - 4, "...\n");
	memset(big, 'x', 19999);
	log_info("long", "a=%s", big);
	take(*state, text);
	assert_true(strlen(text) <= LOG_LINE_MAX);
	assert_string_equal(text + strlen(text) - 4, "...\n");
	free(big);
}

static void
test_quoted(void **state)
{
	char big[2000];
	struct log_value v;

	(void)state;
	assert_string_equal(log_quoted(STR("plain-1.2:3/x")).text, "plain-1.2:3/x");
	assert_string_equal(log_quoted(STR("")).text, "\"\"");
	assert_string_equal(log_quoted(STR("a b")).text, "\"a b\"");
	assert_string_equal(log_quoted(STR("a\"b\\c")).text, "\"a\\\"b\\\\c\"");
	assert_string_equal(log_quoted(STR("a\0b\n\xc3")).text, "\"a\\x00b\\x0a\\xc3\"");
	memset(big, '\n', sizeof(big));
	v = log_quoted((struct str){ big, sizeof(big) });
	assert_true(strlen(v.text) < sizeof(v.text));
	assert_string_equal(v.text + strlen(v.text) - 4, "...\"");
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void
test_repeats(void **state)
{
	char text[65536];
	int i;

	use_file(*state);
	for (i = 0; i < 100; i++) {
		log_info("storm", "i=%d", i);
		if (i == 50)
			log_info("other", NULL); /* one event's storm hides no other */
	}
	take(*state, text);
	assert_int_equal(count(text, " storm "), LOG_BURST);
	assert_int_equal(count(text, " other"), 1);
	log_flush(); /* its second is not over */
	take(*state, text);
	assert_string_equal(text, "");
	usleep(1050000);
	log_flush();
	take(*state, text);
	assert_string_equal(skip_stamp(text), "info log_suppressed event=storm suppressed=80\n");
	log_flush();
	take(*state, text);
	assert_string_equal(text, "");
	log_info("storm", "i=%d", i);
	take(*state, text);
	assert_string_equal(skip_stamp(text), "info storm i=100\n");
}

/* The next line of the event reports what the last second hid, without log_flush. */
static void
test_repeats_reported_by_the_next(void **state)
{
	char text[65536];
	int i;

	use_file(*state);
	for (i = 0; i < 25; i++)
		log_info("gust", NULL);
	usleep(1050000);
	take(*state, text);
	log_info("gust", NULL);
	take(*state, text);
	assert_non_null(strstr(text, "log_suppressed event=gust suppressed=5\n"));
	assert_non_null(strstr(text, "info gust\n"));
}

/* A reader that does not read costs lines, never time. */
static void
test_full_pipe(void **state)
{
	struct log_sink sink = { .type = LOG_SINK_FILE };
	char text[65536], fill[4096], name[32];
	struct place *p = *state;
	int ends[2], i;

	assert_int_equal(pipe(ends), 0);
	p->fd = ends[0];
	sink.fd = ends[1];
	memset(fill, 'f', sizeof(fill));
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	while (write(ends[1], fill, sizeof(fill)) > 0)
		;
	fcntl(ends[1], F_SETFL, 0);
	log_use(&sink);
	for (i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "lost_%d", i);
		log_info(name, NULL);
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while (read(ends[0], text, sizeof(text)) > 0)
		;
	log_info("seen", NULL);
	take(p, text);
	assert_non_null(strstr(text, "warning log_lost lines=7\n"));
	assert_non_null(strstr(text, "info seen\n"));
}

static void
test_missing_targets(void **state)
{
	struct log_sink sink;
	struct err err;

	(void)state;
	assert_int_equal(log_sink_open(&sink, LOG_SINK_FILE, "/nonexistent/log", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/log"));
	assert_int_equal(
	    log_sink_open(&sink, LOG_SINK_JOURNAL, "/nonexistent/socket", &err), -ENOENT);
	assert_int_equal(sink.fd, -1);
}

static void *
log_much(void *arg)
{
	char name[32];
	int i;

	for (i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "thread_%d_%d", *(int *)arg, i);
		log_info(name, "value=%0100d", i);
	}
	return NULL;
}

/* Lines of several threads are whole. */
static void
test_threads(void **state)
{
	pthread_t threads[4];
	int ids[4], i, lines = 0;
	char *text = malloc(1 << 20), *line, *rest;
	ssize_t n;

	use_file(*state);
	for (i = 0; i < 4; i++) {
		ids[i] = i;
		pthread_create(&threads[i], NULL, log_much, &ids[i]);
	}
	use_file(*state); /* and a change of sink in between loses none */
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	n = pread(((struct place *)*state)->fd, text, (1 << 20) - 1, 0);
	text[n] = '\0';
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int t, k, v, used = 0;

		assert_int_equal(
		    sscanf(skip_stamp(line), "info thread_%d_%d value=%d%n", &t, &k, &v, &used), 3);
		assert_int_equal(k, v);
		assert_int_equal(skip_stamp(line)[used], '\0');
		lines++;
	}
	assert_int_equal(lines, 1600);
	free(text);
}

#define IN_PLACE(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(test_file),
		IN_PLACE(test_level),
		IN_PLACE(test_syslog),
		IN_PLACE(test_journal),
		IN_PLACE(test_stderr),
		IN_PLACE(test_control_characters),
		IN_PLACE(test_long_line),
		IN_PLACE(test_quoted),
		IN_PLACE(test_repeats),
		IN_PLACE(test_repeats_reported_by_the_next),
		IN_PLACE(test_full_pipe),
		IN_PLACE(test_missing_targets),
		IN_PLACE(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
