/*
 * access_log.h - one record per request, written by a thread of its own.
 *
 * A worker copies a record's bytes into its ring and goes on; the log thread formats, escapes and
 * writes in large pieces.  A full ring drops the record and counts it.  Never blocks a worker.
 * One ring per worker; record slices are borrowed only during access_log_put.
 *
 * A sink that takes nothing makes the thread wait for it; rings fill meanwhile.  One that fails
 * (a full disk, a closed pipe) loses the lines at hand, counted, and is tried again with the
 * next.
 */
#ifndef LBD_WORKER_ACCESS_LOG_H
#define LBD_WORKER_ACCESS_LOG_H

#include "common/err.h"
#include "common/str.h"
#include "lbd/worker/termination.h"

enum { ACCESS_TCP = 255 }; /* in place of the minor version: a connection in TCP mode */

struct access_record {
	int64_t wall_ns; /* when the request's first byte came */
	int64_t duration_ns, connect_ns, response_ns; /* -1: none */
	uint64_t bytes_in, bytes_out; /* client side, heads included */
	uint16_t status; /* 0: none was sent */
	uint16_t retries;
	uint8_t minor; /* of HTTP/1.minor, or HTTP_2, or ACCESS_TCP */
	enum termination termination;
	struct str listener, client, method, host, target, pool, server, request_id, referer,
	    user_agent;
	struct str tls_version; /* empty: plain */
};

struct access_log;

struct access_log_options {
	unsigned rings; /* one per worker */
	size_t ring_size;
};

/* Starts the thread; no file is open yet.  NULL with a reason. */
struct access_log *access_log_start(const struct access_log_options *, struct err *);

/*
 * Where and how to write from now on; called at start and by a reload.  fd is taken over; -1: off,
 * but syslog and journal then get a socket of their own.  A datagram socket that is not connected
 * is connected to /dev/log or the journal's socket.  What was put before goes to the former
 * target, whole lines only; one that is stuck gets a second for it.
 */
enum access_log_format { ACCESS_LOG_OFF, ACCESS_LOG_JSON, ACCESS_LOG_COMBINED };
enum access_log_sink { ACCESS_LOG_FD, ACCESS_LOG_SYSLOG, ACCESS_LOG_JOURNAL };
void access_log_target(struct access_log *, enum access_log_sink, int fd, enum access_log_format);

/* Writes what the rings hold, then ends the thread. */
void access_log_stop(struct access_log **);

/* Worker side.  Costs a memcpy; wakes the thread only through access_log_kick. */
void access_log_put(struct access_log *, unsigned ring, const struct access_record *);

/* At the end of a loop turn: wakes the thread if it sleeps and something was put. */
void access_log_kick(struct access_log *, unsigned ring);

uint64_t access_log_dropped(const struct access_log *);
uint64_t access_log_written(const struct access_log *);

/*
 * Pure: one record as one line with its newline.  Client bytes are escaped; text that is too long
 * is cut and ends in "...".  Returns the length.
 */
enum { ACCESS_LINE_MAX = 65536 };
size_t
access_log_format(const struct access_record *, enum access_log_format, char line[ACCESS_LINE_MAX]);

#endif
