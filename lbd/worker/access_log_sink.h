/*
 * access_log_sink.h - where the log thread's lines go: a stream (file, pipe, terminal, socket), or
 * datagrams to syslog or the journal, one a line.
 *
 * Collects lines and writes them in large pieces without ever waiting: a sink that would block
 * keeps the lines, and its owner polls `fd` for POLLOUT.  A sink that fails loses what it holds,
 * counted.
 */
#ifndef LBD_WORKER_ACCESS_LOG_SINK_H
#define LBD_WORKER_ACCESS_LOG_SINK_H

#include <sys/socket.h>
#include <sys/un.h>

#include "lbd/worker/access_log.h"
#include "lbd/worker/stats_counter.h"

struct access_sink {
	enum access_log_sink type;
	int fd; /* -1: none; lines are forgotten */
	bool regular, socket, nonblocking; /* what kind of stream it is */
	bool torn; /* the last line was cut by a failure: the next begins on a line of its own */
	bool given_up; /* access_sink_give_up */
	struct sockaddr_un to; /* of datagrams */
	socklen_t to_length;
	char *out; /* lines at [from, end) are pending */
	size_t from, end;
	counter written, dropped;
};

/* 0 or -ENOMEM. */
int access_sink_init(struct access_sink *);
void access_sink_fini(struct access_sink *);

/* Takes fd over and closes the former one; nothing may be pending. */
void access_sink_use(struct access_sink *, enum access_log_sink, int fd);

/* Room for one line of ACCESS_LINE_MAX bytes, or NULL: flush first.  Then how long the line is. */
char *access_sink_room(struct access_sink *);
void access_sink_commit(struct access_sink *, size_t n);

/* Writes what is pending.  False: the sink takes no more now; wait for POLLOUT. */
bool access_sink_flush(struct access_sink *);

/* Drops what is pending, and what comes until another sink is used. */
void access_sink_give_up(struct access_sink *);

#endif
