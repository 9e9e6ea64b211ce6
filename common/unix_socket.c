/* unix_socket.c - listen, take over what is stale, remove what is ours. */
#include "common/unix_socket.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"

enum { UNIX_SOCKET_BACKLOG = 4096 };

static int
path_set(struct sockaddr_un *un, struct str path, struct err *err)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path.n == 0 || path.n >= sizeof(un->sun_path) || memchr(path.p, '\0', path.n))
		return err_set(err, -ENAMETOOLONG,
		    "path of a unix socket must have 1 to %zu bytes: %.*s",
		    sizeof(un->sun_path) - 1, STR_ARG(path));
	memcpy(un->sun_path, path.p, path.n);
	return 0;
}

static int
stream_open(int flags, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	return fd;
}

/* Does anybody answer there?  A full backlog is an answer, too. */
static bool
is_answered(const struct sockaddr_un *un)
{
	struct err err;
	int fd = stream_open(SOCK_NONBLOCK, &err);
	bool answered;

	if (fd < 0)
		return true; /* we cannot know: leave the file alone */
	answered = connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0 || errno == EAGAIN;
	close(fd);
	return answered;
}

/* Removes what a dead process left. */
static int
stale_remove(const struct sockaddr_un *un, struct err *err)
{
	struct stat st;

	if (lstat(un->sun_path, &st) < 0)
		return 0; /* nothing there, or bind will say why not */
	if (!S_ISSOCK(st.st_mode))
		return err_set(
		    err, -EADDRINUSE, "%s is in the way: it is not a socket", un->sun_path);
	if (is_answered(un))
		return err_set(err, -EADDRINUSE, "%s is in use by a running process", un->sun_path);
	if (unlink(un->sun_path) < 0 && errno != ENOENT)
		return err_set(
		    err, -errno, "cannot remove stale %s: %s", un->sun_path, strerror(errno));
	return 0;
}

/* Bound for its owner alone first, then opened to the others: nobody slips in between. */
static int
file_bind(int fd, const struct sockaddr_un *un, const struct unix_socket_access *who)
{
	mode_t mask = umask(0177);
	int failed = bind(fd, (const struct sockaddr *)un, sizeof(*un));

	umask(mask);
	if (failed)
		return -errno;
	if ((who->group != (gid_t)-1 && lchown(un->sun_path, (uid_t)-1, who->group) < 0) ||
	    chmod(un->sun_path, who->mode) < 0 || listen(fd, UNIX_SOCKET_BACKLOG) < 0) {
		int code = -errno;

		unlink(un->sun_path);
		return code;
	}
	return 0;
}

int
unix_socket_listen(struct unix_socket_file *file, struct str path,
    const struct unix_socket_access *who, struct err *err)
{
	struct sockaddr_un un;
	struct stat st;
	int fd, code;

	*file = (struct unix_socket_file){ 0 };
	code = path_set(&un, path, err);
	if (!code)
		code = stale_remove(&un, err);
	if (code)
		return code;
	fd = stream_open(SOCK_NONBLOCK, err);
	if (fd < 0)
		return fd;
	code = file_bind(fd, &un, who);
	if (!code && lstat(un.sun_path, &st) < 0)
		code = -errno;
	if (code) {
		close(fd);
		return err_set(
		    err, code, "cannot listen on unix:%s: %s", un.sun_path, strerror(-code));
	}
	memcpy(file->path, un.sun_path, sizeof(file->path));
	file->device = st.st_dev;
	file->inode = st.st_ino;
	file->made = st.st_mtim; /* no chmod changes it */
	return fd;
}

void
unix_socket_remove(struct unix_socket_file *file)
{
	struct stat st;

	if (file->path[0] && lstat(file->path, &st) == 0 && st.st_dev == file->device &&
	    st.st_ino == file->inode && st.st_mtim.tv_sec == file->made.tv_sec &&
	    st.st_mtim.tv_nsec == file->made.tv_nsec)
		unlink(file->path);
	file->path[0] = '\0';
}

int
unix_socket_connect(const char *path, int64_t timeout_ns, struct err *err)
{
	struct timeval limit = { timeout_ns / NS_PER_S, timeout_ns % NS_PER_S / NS_PER_US };
	struct sockaddr_un un;
	int fd, code;

	code = path_set(&un, str_of(path), err);
	if (code)
		return code;
	fd = stream_open(0, err);
	if (fd < 0)
		return fd;
	if (limit.tv_sec == 0 && limit.tv_usec == 0)
		limit.tv_usec = 1; /* zero would mean for ever */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0) {
		code = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(fd);
		return err_set(err, code, "cannot connect to %s: %s", path, strerror(-code));
	}
	return fd;
}

gid_t
unix_socket_group(const char *name)
{
	const struct group *g = getgrnam(name);

	return g ? g->gr_gid : (gid_t)-1;
}
