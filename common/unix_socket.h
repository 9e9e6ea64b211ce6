/*
 * unix_socket.h - unix sockets with a place in the file system.
 *
 * Whoever listens remembers the file it made, so that at its end it removes that one and no other's.  A file
 * left behind by a process that died is replaced; one on which somebody answers never is.  Changes the umask
 * for a moment: call it from a process with one thread.
 */
#ifndef COMMON_UNIX_SOCKET_H
#define COMMON_UNIX_SOCKET_H

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>

#include "common/err.h"
#include "common/str.h"

struct unix_socket_file {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "" : none */
	dev_t device;
	ino_t inode;
	struct timespec made; /* inode numbers are used again at once */
};

/* Who may connect.  `group` (gid_t)-1: that of the process. */
struct unix_socket_access {
	mode_t mode;
	gid_t group;
};

/* Listening, non-blocking, close-on-exec.  fd or -errno with a reason (-EADDRINUSE: somebody answers). */
int unix_socket_listen(
    struct unix_socket_file *, struct str path, const struct unix_socket_access *, struct err *);

/* Removes the file if it is still the one that was made. */
void unix_socket_remove(struct unix_socket_file *);

/* A blocking stream socket; waits for room in the backlog at most that long.  fd or -errno with a reason. */
int unix_socket_connect(const char *path, int64_t timeout_ns, struct err *);

/* A group's number by its name; (gid_t)-1 when there is none. */
gid_t unix_socket_group(const char *name);

#endif
