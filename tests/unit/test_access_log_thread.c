/*
 * test_access_log_thread.c - the log thread and its sinks: fast, slow, full, gone, or changed while workers
 * go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/unit/access_log_example.h"

enum { RING = 65536 };

static char line[ACCESS_LINE_MAX];

static struct access_log *
log_start(unsigned rings)
{
	struct err err;
	struct access_log *log =
	    access_log_start(&(struct access_log_options){ rings, RING }, &err);

	assert_non_null(log);
	return log;
}

static int
memory_file(void)
{
	int fd = memfd_create("access", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* A second descriptor, for the log to take over. */
static int
shared(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	assert_true(copy >= 0);
	return copy;
}

static void
put_number(struct access_log *log, unsigned ring, uint64_t number)
{
	struct access_record r = record_example();

	r.bytes_in = number;
	r.status = (uint16_t)(200 + ring);
	access_log_put(log, ring, &r);
	access_log_kick(log, ring);
}

/* Until it is so; a second without progress in between fails. */
static void
wait_until(struct access_log *log, bool (*is_so)(struct access_log *, uint64_t), uint64_t n)
{
	for (int i = 0; i < 5000; i++) {
		if (is_so(log, n))
			return;
		poll(NULL, 0, 1);
	}
	fail_msg("written %llu, dropped %llu; wanted %llu",
	    (unsigned long long)access_log_written(log),
	    (unsigned long long)access_log_dropped(log), (unsigned long long)n);
}

static bool
is_written(struct access_log *log, uint64_t n)
{
	return access_log_written(log) >= n;
}

static bool
is_dropped(struct access_log *log, uint64_t n)
{
	return access_log_dropped(log) >= n;
}

static bool
is_done(struct access_log *log, uint64_t n)
{
	return access_log_written(log) + access_log_dropped(log) >= n;
}

/*
 * Reads a file of JSON lines; next[ring] is the number that its next line must have at least.  Returns the
 * number of lines; broken ones fail.
 */
static uint64_t
read_lines(int fd, uint64_t next[2])
{
	FILE *f = fdopen(fd, "r");
	uint64_t lines = 0;
	json_t *object;
	unsigned ring;

	rewind(f);
	for (; fgets(line, sizeof(line), f); lines++) {
		object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		if (!object)
			fail_msg("line %llu: %s", (unsigned long long)lines, line);
		assert_non_null(strchr(line, '\n'));
		ring = (unsigned)json_integer_value(json_object_get(object, "status")) - 200;
		assert_in_range(ring, 0, 1);
		json_int_t number = json_integer_value(json_object_get(object, "bytes_in"));
		assert_true((uint64_t)number >= next[ring]);
		next[ring] = (uint64_t)number + 1;
		json_decref(object);
	}
	fclose(f);
	return lines;
}

static void
test_one_line_is_written_soon(void **state)
{
	struct access_log *log = log_start(1);
	uint64_t next[2] = { 0 };
	int fd = memory_file();

	(void)state;
	put_number(log, 0, 0); /* off: wanted by nobody */
	access_log_target(log, ACCESS_LOG_FD, shared(fd), ACCESS_LOG_JSON);
	put_number(log, 0, 1);
	wait_until(log, is_written, 1);
	poll(NULL, 0, 20); /* the thread has gone to sleep again */
	put_number(log, 0, 2);
	wait_until(log, is_written, 2);
	access_log_stop(&log);
	assert_null(log);
	assert_int_equal(read_lines(fd, next), 2);
	assert_int_equal(next[0], 3);
}

struct worker_thread {
	struct access_log *log;
	unsigned ring;
	uint64_t n;
	pthread_t thread;
	_Atomic bool *stop;
	_Atomic uint64_t *put; /* by all workers */
};

/* However slow the log thread is: a ring holds more than BACKLOG records and what two workers add. */
enum { BACKLOG = 100 };

static void *
worker_run(void *arg)
{
	struct worker_thread *w = arg;

	for (uint64_t end = w->n, i = 0; end ? i < end : !atomic_load(w->stop); i++) {
		put_number(w->log, w->ring, i);
		w->n = i + 1;
		atomic_fetch_add(w->put, 1);
		while (access_log_written(w->log) + BACKLOG < atomic_load(w->put))
			poll(NULL, 0, 1);
	}
	return NULL;
}

static void
test_two_workers_lose_and_mix_nothing(void **state)
{
	enum { RECORDS = 5000 };
	struct access_log *log = log_start(2);
	struct worker_thread workers[2];
	_Atomic uint64_t put = 0;
	uint64_t next[2] = { 0 };
	int fd = memory_file();

	(void)state;
	access_log_target(log, ACCESS_LOG_FD, shared(fd), ACCESS_LOG_JSON);
	for (unsigned i = 0; i < 2; i++) {
		workers[i] = (struct worker_thread){ log, i, RECORDS, 0, NULL, &put };
		pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(workers[i].thread, NULL);
	assert_int_equal(access_log_dropped(log), 0);
	access_log_stop(&log);
	assert_int_equal(read_lines(fd, next), 2 * RECORDS);
	assert_int_equal(next[0], RECORDS);
	assert_int_equal(next[1], RECORDS);
}

static void
test_the_target_changes_under_load(void **state)
{
	enum { FILES = 20 };
	struct access_log *log = log_start(2);
	struct worker_thread workers[2];
	uint64_t next[2] = { 0 }, lines = 0;
	int files[FILES];
	_Atomic bool stop = false;
	_Atomic uint64_t put = 0;

	(void)state;
	for (int i = 0; i < FILES; i++)
		files[i] = memory_file();
	access_log_target(log, ACCESS_LOG_FD, shared(files[0]), ACCESS_LOG_JSON);
	for (unsigned i = 0; i < 2; i++) {
		workers[i] = (struct worker_thread){ log, i, 0, 0, &stop, &put };
		pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
	}
	for (int i = 1; i < FILES; i++) {
		poll(NULL, 0, i % 4 ? 7 : 0);
		access_log_target(log, ACCESS_LOG_FD, shared(files[i]), ACCESS_LOG_JSON);
	}
	poll(NULL, 0, 7);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(workers[i].thread, NULL);
	assert_int_equal(access_log_dropped(log), 0);
	access_log_stop(&log);
	for (int i = 0; i < FILES; i++)
		lines += read_lines(files[i], next);
	assert_int_equal(lines, workers[0].n + workers[1].n);
	assert_int_equal(next[0], workers[0].n);
	assert_int_equal(next[1], workers[1].n);
}

static void
test_what_follows_a_change_is_in_the_new_file(void **state)
{
	enum { ROUNDS = 300 };
	struct access_log *log = log_start(1);

	(void)state;
	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t next[2] = { i, 0 };
		int file = memory_file();

		access_log_target(log, ACCESS_LOG_FD, shared(file), ACCESS_LOG_JSON);
		put_number(log, 0, i);
		wait_until(log, is_written, i + 1);
		assert_int_equal(read_lines(file, next), 1);
	}
	access_log_stop(&log);
}

static void
test_a_full_disk_loses_lines_and_no_more(void **state)
{
	struct access_log *log = log_start(1);
	uint64_t next[2] = { 0 };
	int fd = memory_file();

	(void)state;
	access_log_target(
	    log, ACCESS_LOG_FD, open("/dev/full", O_WRONLY | O_CLOEXEC), ACCESS_LOG_JSON);
	for (uint64_t i = 0; i < 10; i++)
		put_number(log, 0, i);
	wait_until(log, is_dropped, 10);
	assert_int_equal(access_log_written(log), 0);
	access_log_target(log, ACCESS_LOG_FD, shared(fd), ACCESS_LOG_JSON);
	for (uint64_t i = 10; access_log_written(log) == 0 && i < 5000; i++) {
		put_number(log, 0, i);
		poll(NULL, 0, 1);
	}
	assert_int_equal(access_log_written(log), 1);
	access_log_stop(&log);
	assert_int_equal(read_lines(fd, next), 1);
}

/* The size limit of files plays the disk that fills up in the middle of a line and has room again later. */
static void
test_a_cut_line_ends_before_the_next(void **state)
{
	struct access_log *log = log_start(1);
	struct rlimit before, small;
	int fd = memory_file();
	char first[1000] = "";

	(void)state;
	access_log_target(log, ACCESS_LOG_FD, shared(fd), ACCESS_LOG_JSON);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){ 100, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	put_number(log, 0, 1);
	wait_until(log, is_dropped, 1);
	setrlimit(RLIMIT_FSIZE, &before);
	put_number(log, 0, 2);
	wait_until(log, is_written, 1);
	access_log_stop(&log);
	assert_true(pread(fd, first, sizeof(first) - 1, 0) > 101);
	assert_int_equal(strchr(first, '\n') - first, 100);
	assert_memory_equal(first + 101, "{\"time\"", 7);
	assert_ptr_equal(strchr(first + 101, '\n'), first + strlen(first) - 1);
	close(fd);
}

static uint64_t
count_lines(const char *p, size_t n)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	return lines;
}

/* Nobody reads; the workers go on, what no ring holds is dropped; then the reader comes back. */
static void
test_a_pipe_that_nobody_reads(void **state)
{
	enum { RECORDS = 4000 };
	struct access_log *log = log_start(1);
	static char buffer[65536];
	uint64_t lines = 0;
	int fds[2];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	access_log_target(log, ACCESS_LOG_FD, fds[1], ACCESS_LOG_JSON);
	for (uint64_t i = 0; i < RECORDS; i++) {
		put_number(log, 0, i);
		if (i % 100 == 0)
			poll(NULL, 0, 1);
	}
	assert_true(access_log_dropped(log) > 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (int idle = 0; idle < 5000 && !is_done(log, RECORDS); idle++) {
		n = read(fds[0], buffer, sizeof(buffer));
		if (n > 0)
			lines += count_lines(buffer, (size_t)n);
		else
			poll(NULL, 0, 1);
	}
	while ((n = read(fds[0], buffer, sizeof(buffer))) > 0)
		lines += count_lines(buffer, (size_t)n);
	assert_int_equal(access_log_written(log) + access_log_dropped(log), RECORDS);
	assert_int_equal(lines, access_log_written(log));
	access_log_stop(&log);
	close(fds[0]);
}

static void
test_a_stuck_pipe_holds_up_nobody_for_long(void **state)
{
	struct access_log *log = log_start(1);
	int fds[2], fd = memory_file();
	uint64_t next[2] = { 0 };
	int64_t start;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	access_log_target(log, ACCESS_LOG_FD, fds[1], ACCESS_LOG_JSON);
	for (uint64_t i = 0; i < 250; i++) {
		put_number(log, 0, i);
		if (i % 50 == 0)
			poll(NULL, 0, 10);
	}
	access_log_target(log, ACCESS_LOG_FD, shared(fd), ACCESS_LOG_JSON);
	wait_until(log, is_done, 250);
	put_number(log, 0, 250);
	wait_until(log, is_done, 251);
	access_log_stop(&log);
	assert_int_equal(read_lines(fd, next), 1);

	log = log_start(1);
	assert_int_equal(close(fds[0]) | pipe2(fds, O_CLOEXEC), 0);
	access_log_target(log, ACCESS_LOG_FD, fds[1], ACCESS_LOG_JSON);
	for (uint64_t i = 0; i < 250; i++)
		put_number(log, 0, i);
	start = clock_ns();
	access_log_stop(&log);
	assert_true(clock_ns() - start < 3 * NS_PER_S);
	close(fds[0]);
}

static void
test_a_closed_pipe_is_no_signal(void **state)
{
	struct access_log *log = log_start(1);
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	access_log_target(log, ACCESS_LOG_FD, fds[1], ACCESS_LOG_JSON);
	put_number(log, 0, 0);
	wait_until(log, is_dropped, 1);
	put_number(log, 0, 1);
	wait_until(log, is_dropped, 2);
	access_log_stop(&log);
}

/* A datagram socket with a name that the kernel chose, and one connected to it. */
static void
datagram_pair(int *server, int *client)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t n = sizeof(address);

	*server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	*client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*server, (struct sockaddr *)&address, sizeof(address.sun_family)), 0);
	assert_int_equal(getsockname(*server, (struct sockaddr *)&address, &n), 0);
	assert_int_equal(connect(*client, (struct sockaddr *)&address, n), 0);
}

static void
receive(int fd, char *text, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&pfd, 1, 5000), 1);
	n = recv(fd, text, size - 1, MSG_DONTWAIT);
	assert_true(n >= 0);
	text[n] = '\0';
}

static void
test_syslog_gets_a_datagram_a_line(void **state)
{
	struct access_log *log = log_start(1);
	int server, client, pid, end;
	char text[2048];

	(void)state;
	datagram_pair(&server, &client);
	access_log_target(log, ACCESS_LOG_SYSLOG, client, ACCESS_LOG_JSON);
	for (uint64_t i = 0; i < 100; i++)
		put_number(log, 0, i);
	for (uint64_t i = 0; i < 100; i++) {
		char want[64];

		receive(server, text, sizeof(text));
		end = 0;
		assert_int_equal(
		    sscanf(text, "<30>%*3[A-Z a-z] %*d %*d:%*d:%*d lbd[%d]: %n", &pid, &end), 1);
		assert_int_equal(pid, getpid());
		assert_memory_equal(text + end, "{\"time\"", 7);
		snprintf(want, sizeof(want), "\"bytes_in\":%llu,", (unsigned long long)i);
		assert_non_null(strstr(text, want));
		assert_int_equal(text[strlen(text) - 1], '}');
	}
	wait_until(log, is_written, 100);
	access_log_stop(&log);
	close(server);
}

static void
test_the_journal_gets_fields(void **state)
{
	struct access_log *log = log_start(1);
	int server, client;
	char text[2048];

	(void)state;
	datagram_pair(&server, &client);
	access_log_target(log, ACCESS_LOG_JOURNAL, client, ACCESS_LOG_COMBINED);
	put_number(log, 0, 0);
	receive(server, text, sizeof(text));
	assert_memory_equal(text, "PRIORITY=6\nSYSLOG_IDENTIFIER=lbd\nMESSAGE=192.0.2.7 - - [", 56);
	assert_string_equal(text + strlen(text) - 9, "\"curl/8\"\n");
	access_log_stop(&log);
	close(server);
}

/* More than the socket's queue takes: the thread waits for the reader and loses nothing. */
static void
test_a_slow_syslog_is_waited_for(void **state)
{
	enum { RECORDS = 150 };
	struct access_log *log = log_start(1);
	int server, client;
	char text[2048];

	(void)state;
	datagram_pair(&server, &client);
	access_log_target(log, ACCESS_LOG_SYSLOG, client, ACCESS_LOG_JSON);
	for (uint64_t i = 0; i < RECORDS; i++)
		put_number(log, 0, i);
	poll(NULL, 0, 50);
	assert_true(access_log_written(log) < RECORDS);
	for (uint64_t i = 0; i < RECORDS; i++)
		receive(server, text, sizeof(text));
	wait_until(log, is_written, RECORDS);
	assert_int_equal(access_log_dropped(log), 0);
	access_log_stop(&log);
	close(server);
}

static void
test_a_syslog_that_comes_back(void **state)
{
	struct access_log *log = log_start(1);
	struct sockaddr_un address;
	socklen_t n = sizeof(address);
	int server, client;
	char text[2048];

	(void)state;
	datagram_pair(&server, &client);
	assert_int_equal(getsockname(server, (struct sockaddr *)&address, &n), 0);
	access_log_target(log, ACCESS_LOG_SYSLOG, client, ACCESS_LOG_JSON);
	close(server);
	put_number(log, 0, 0);
	wait_until(log, is_dropped, 1);
	server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server, (struct sockaddr *)&address, n), 0);
	put_number(log, 0, 1);
	receive(server, text, sizeof(text));
	assert_non_null(strstr(text, "\"bytes_in\":1,"));
	access_log_stop(&log);
	close(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_line_is_written_soon),
		cmocka_unit_test(test_two_workers_lose_and_mix_nothing),
		cmocka_unit_test(test_the_target_changes_under_load),
		cmocka_unit_test(test_what_follows_a_change_is_in_the_new_file),
		cmocka_unit_test(test_a_full_disk_loses_lines_and_no_more),
		cmocka_unit_test(test_a_cut_line_ends_before_the_next),
		cmocka_unit_test(test_a_pipe_that_nobody_reads),
		cmocka_unit_test(test_a_stuck_pipe_holds_up_nobody_for_long),
		cmocka_unit_test(test_a_closed_pipe_is_no_signal),
		cmocka_unit_test(test_syslog_gets_a_datagram_a_line),
		cmocka_unit_test(test_the_journal_gets_fields),
		cmocka_unit_test(test_a_slow_syslog_is_waited_for),
		cmocka_unit_test(test_a_syslog_that_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
