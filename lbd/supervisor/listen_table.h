/*
 * listen_table.h - the listening sockets, by address: opened by the supervisor, used by the workers.
 *
 * A TCP address has one socket per worker (SO_REUSEPORT), a unix path one for all.  Both processes have a
 * table of the same content and change it in the same two steps: sockets for a new configuration are added
 * as `staged`; then listen_table_commit closes what that configuration does not name, or
 * listen_table_rollback what was staged.  So a reload touches no socket that stays.
 */
#ifndef LBD_SUPERVISOR_LISTEN_TABLE_H
#define LBD_SUPERVISOR_LISTEN_TABLE_H

#include "common/address.h"
#include "common/unix_socket.h"
#include "lbd/config/config.h"

struct listen_socket {
	struct address address;
	int *fds; /* [n]; -1: none yet */
	unsigned n; /* one per worker, or 1 */
	bool staged;
	struct unix_socket_file file; /* of a unix socket, in the supervisor */
};

struct listen_table {
	struct listen_socket *sockets;
	size_t n;
	unsigned workers;
	mode_t unix_mode; /* of the files of unix sockets */
};

void listen_table_init(struct listen_table *, unsigned workers, mode_t unix_mode);

/* Closes all sockets; the supervisor's table also removes the files of unix sockets. */
void listen_table_fini(struct listen_table *);

/* Opens and stages what the table lacks.  0; or -errno with a reason, and all is rolled back. */
int listen_table_open(struct listen_table *, const struct lbd_config *, struct err *);
int listen_table_open_address(struct listen_table *, const struct address *, struct err *);

/* Stages one socket of an address; takes fd over, also on failure.  0 or -errno. */
int listen_table_add(
    struct listen_table *, const struct address *, unsigned index, int fd, struct err *);

void listen_table_commit(struct listen_table *, const struct lbd_config *);
void listen_table_commit_address(struct listen_table *, const struct address *); /* NULL: none */
void listen_table_rollback(struct listen_table *);

/* The socket of that worker; it stays the table's.  -1: the address is not in it. */
int listen_table_fd(const struct listen_table *, const struct address *, unsigned worker);

/* In a forked process: the files are the other's to remove. */
void listen_table_disown_files(struct listen_table *);

#endif
