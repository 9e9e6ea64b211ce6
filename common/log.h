/*
 * log.h - what a daemon says about itself: one line per event, `event key=value ...`.
 *
 * Events are state changes and decisions, named in lower case with underscores; every name is listed in the
 * daemon's man page.  Requests go to the access log, and the request path counts instead of logging.
 *
 * Where lines go, and how they look:
 *   stderr, when it is the journal's ($JOURNAL_STREAM)   <6>event key=value
 *   stderr otherwise (terminal, pipe, file); a file      2026-01-31T12:00:00.000Z info event key=value
 *   syslog     a datagram to /dev/log, facility daemon   <30>Jan 31 12:00:00 NAME[PID]: event key=value
 *   journal    a datagram in its native protocol         PRIORITY=, SYSLOG_IDENTIFIER=, EVENT=, MESSAGE=
 *
 * Any thread may log.  A line is one write(2) and never longer than LOG_LINE_MAX; a line that could not be
 * written without waiting is dropped and counted (`log_lost lines=N`).  More than LOG_BURST lines of one event
 * within a second are dropped and counted (`log_suppressed event=NAME suppressed=N`).  Control characters are
 * escaped everywhere; quote what others chose with log_quoted.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <sys/un.h>
#include <syslog.h> /* the levels: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG */

#include "common/err.h"
#include "common/str.h"

enum { LOG_LINE_MAX = 4096, LOG_BURST = 20 };

/* 0 is none. */
enum log_sink_type { LOG_SINK_STDERR = 1, LOG_SINK_SYSLOG, LOG_SINK_JOURNAL, LOG_SINK_FILE };

struct log_sink {
	enum log_sink_type type;
	int fd;
	struct sockaddr_un to; /* of syslog and journal */
};

/* `path`: of the file; of the datagram socket, NULL for the system's own.  0 or -errno with a reason. */
int log_sink_open(struct log_sink *, enum log_sink_type, const char *path, struct err *);
void log_sink_close(struct log_sink *);

/* A log file, for appending; created 0640.  fd or -errno with a reason. */
int log_file_open(const char *path, struct err *);

/* The identifier in syslog and journal; kept by reference.  Standard error at level info until changed. */
void log_init(const char *name);

/* All lines go there from now on; the sink is taken over, the former one closed. */
void log_use(struct log_sink *);
void log_set_level(int level);
bool log_enabled(int level);

/* Says what was suppressed or lost and not yet said.  Daemons call it every second and at their end. */
void log_flush(void);

__attribute__((format(printf, 3, 4))) void
log_event(int level, const char *event, const char *format, ...);

/* Macros, so that the arguments of a level that is off are not computed. */
#define LOG_AT(level, ...) (log_enabled(level) ? log_event(level, __VA_ARGS__) : (void)0)
#define log_crit(...) LOG_AT(LOG_CRIT, __VA_ARGS__)
#define log_err(...) LOG_AT(LOG_ERR, __VA_ARGS__)
#define log_warning(...) LOG_AT(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) LOG_AT(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)

/*
 * A value as it may stand after `key=`: in quotes when it is empty or holds anything but printable ASCII
 * without space, quote and backslash; those are escaped.  Cut to fit.  Use: log_info("e", "name=%s",
 * log_quoted(s).text).
 */
struct log_value {
	char text[512];
};
struct log_value log_quoted(struct str);

#endif
