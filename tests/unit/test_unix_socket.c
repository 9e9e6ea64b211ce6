/* test_unix_socket.c - whose file it is, who may connect, who is replaced. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/unix_socket.h"

static char dir[64], path[100];
static const struct unix_socket_access owner_only = { 0600, (gid_t)-1 };

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_unix_socket.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void
test_listens(void **state)
{
	const struct unix_socket_access access = { 0660, getegid() };
	struct unix_socket_file file;
	struct stat st;
	struct err err;
	int fd, client;
	mode_t mask = umask(0027);

	(void)state;
	fd = unix_socket_listen(&file, str_of(path), &access, &err);
	assert_true(fd >= 0);
	assert_int_equal(umask(mask), 0027); /* left as it was */
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	client = unix_socket_connect(path, NS_PER_S, &err);
	assert_true(client >= 0);
	close(client);
	close(fd);
	unix_socket_remove(&file);
	assert_int_equal(lstat(path, &st), -1);
	unix_socket_remove(&file);
}

static void
test_replaces_what_is_stale(void **state)
{
	struct unix_socket_file dead, file;
	struct err err;
	struct stat st;
	int fd;

	(void)state;
	fd = unix_socket_listen(&dead, str_of(path), &owner_only, &err);
	close(fd); /* died without removing it */
	assert_int_equal(lstat(path, &st), 0);
	usleep(20000); /* the file system's clock is coarse */
	fd = unix_socket_listen(&file, str_of(path), &owner_only, &err);
	assert_true(fd >= 0);
	unix_socket_remove(&dead); /* late, and not its file any more */
	assert_int_equal(lstat(path, &st), 0);
	close(fd);
	unix_socket_remove(&file);
	assert_int_equal(lstat(path, &st), -1);
}

static void
test_leaves_what_is_alive(void **state)
{
	struct unix_socket_file file, other;
	struct err err;
	struct stat st;
	int fd;

	(void)state;
	fd = unix_socket_listen(&file, str_of(path), &owner_only, &err);
	assert_int_equal(unix_socket_listen(&other, str_of(path), &owner_only, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, path));
	unix_socket_remove(&other);
	assert_int_equal(lstat(path, &st), 0);
	close(fd);
	unix_socket_remove(&file);
}

/* Its backlog is full: it is alive all the same. */
static void
test_busy_is_alive(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct unix_socket_file other;
	struct err err;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), clients[4], i;

	(void)state;
	strcpy(un.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (i = 0; i < 4; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(clients[i], (struct sockaddr *)&un, sizeof(un));
	}
	assert_int_equal(unix_socket_listen(&other, str_of(path), &owner_only, &err), -EADDRINUSE);
	assert_int_equal(unix_socket_connect(path, 20 * NS_PER_MS, &err), -ETIMEDOUT);
	for (i = 0; i < 4; i++)
		close(clients[i]);
	close(fd);
}

static void
test_leaves_other_files(void **state)
{
	struct unix_socket_file file;
	struct err err;
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	close(fd);
	assert_int_equal(unix_socket_listen(&file, str_of(path), &owner_only, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "not a socket"));
	assert_int_equal(lstat(path, &st), 0);
}

static void
test_bad_paths(void **state)
{
	struct unix_socket_file file;
	struct err err;
	char big[200];

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(
	    unix_socket_listen(&file, (struct str){ big, sizeof(big) }, &owner_only, &err),
	    -ENAMETOOLONG);
	assert_int_equal(
	    unix_socket_listen(&file, (struct str){ big, sizeof(file.path) }, &owner_only, &err),
	    -ENAMETOOLONG);
	assert_int_equal(unix_socket_listen(&file, STR(""), &owner_only, &err), -ENAMETOOLONG);
	assert_int_equal(
	    unix_socket_listen(&file, STR("/nonexistent/socket"), &owner_only, &err), -ENOENT);
	assert_int_equal(file.path[0], '\0');
	assert_int_equal(unix_socket_connect("/nonexistent/socket", NS_PER_S, &err), -ENOENT);
	assert_int_equal(unix_socket_group("no-such-group"), (gid_t)-1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_listens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaces_what_is_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leaves_what_is_alive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_is_alive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leaves_other_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_paths, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
