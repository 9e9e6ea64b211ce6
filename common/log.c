/*
 * log.c - formats a line, limits repeats, hands it to the sink in one call.
 *
 * One mutex guards the sink and the repeat table; nothing under it waits: pipes and files are asked with
 * poll first (a pipe that polls writable takes PIPE_BUF bytes, our longest line), sockets are sent to with
 * MSG_DONTWAIT.  The table is direct-mapped by the event's name; a collision only resets a count early.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

enum { EVENT_SLOTS = 256, EVENT_NAME_MAX = 48 };

struct repeat {
	char event[EVENT_NAME_MAX];
	int level;
	int64_t since_ns; /* when its present second began */
	unsigned lines, suppressed;
};

static struct {
	pthread_mutex_t lock;
	const char *name;
	_Atomic int level;
	struct log_sink sink;
	unsigned lost;
	bool any_suppressed;
	struct repeat repeats[EVENT_SLOTS];
} logger = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.name = "lbpair",
	.level = LOG_INFO,
	.sink = { .type = LOG_SINK_STDERR, .fd = STDERR_FILENO },
};

int
log_file_open(const char *path, struct err *err)
{
	/* O_NONBLOCK: opening a FIFO that nobody reads fails instead of waiting */
	int fd =
	    open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

static int
datagram_open(struct log_sink *s, const char *path, struct err *err)
{
	if (strlen(path) >= sizeof(s->to.sun_path))
		return err_set(err, -ENAMETOOLONG, "path of the log socket is too long: %s", path);
	s->to.sun_family = AF_UNIX;
	strcpy(s->to.sun_path, path);
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	if (access(path, W_OK) != 0) {
		int code = -errno;

		log_sink_close(s);
		return err_set(err, code, "cannot log to %s: %s", path, strerror(-code));
	}
	return 0;
}

int
log_sink_open(struct log_sink *s, enum log_sink_type type, const char *path, struct err *err)
{
	*s = (struct log_sink){ .type = type, .fd = -1 };
	switch (type) {
	case LOG_SINK_STDERR:
		s->fd = STDERR_FILENO;
		return 0;
	case LOG_SINK_SYSLOG:
		return datagram_open(s, path ? path : "/dev/log", err);
	case LOG_SINK_JOURNAL:
		return datagram_open(s, path ? path : "/run/systemd/journal/socket", err);
	case LOG_SINK_FILE:
		s->fd = log_file_open(path, err);
		return s->fd < 0 ? s->fd : 0;
	}
	return err_set(err, -EINVAL, "no such log target");
}

void
log_sink_close(struct log_sink *s)
{
	if (s->fd >= 0 && s->fd != STDERR_FILENO)
		close(s->fd);
	s->fd = -1;
}

void
log_init(const char *name)
{
	logger.name = name;
}

void
log_use(struct log_sink *sink)
{
	struct log_sink old;

	pthread_mutex_lock(&logger.lock);
	old = logger.sink;
	logger.sink = *sink;
	pthread_mutex_unlock(&logger.lock);
	sink->fd = -1;
	log_sink_close(&old);
}

void
log_set_level(int level)
{
	atomic_store_explicit(&logger.level, level, memory_order_relaxed);
}

bool
log_enabled(int level)
{
	return level <= atomic_load_explicit(&logger.level, memory_order_relaxed);
}

/* systemd says which stream it reads with level prefixes; after a redirection it is no longer ours. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	    fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static const char *
level_name(int level)
{
	static const char *const names[] = { "emerg", "alert", "crit", "error", "warning", "notice",
		"info", "debug" };

	return names[level & 7];
}

/* As syslog(3) writes it: local time. */
static void
syslog_stamp_format(char *text, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(text, size, "%b %e %H:%M:%S", &tm);
}

/* RFC 3339, UTC, milliseconds. */
static void
stamp_format(char *text, size_t size)
{
	int64_t now = clock_wall_ns();
	time_t seconds = (time_t)(now / NS_PER_S);
	char date[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%03dZ", date, (int)(now % NS_PER_S / NS_PER_MS));
}

/* What stands before the event's name; for the journal also the other fields. */
static size_t
prefix_format(int level, const char *event, char *line, size_t size)
{
	char stamp[64];

	switch (logger.sink.type) {
	case LOG_SINK_SYSLOG:
		syslog_stamp_format(stamp, sizeof(stamp));
		return (size_t)snprintf(line, size, "<%d>%s %s[%d]: ", LOG_DAEMON | level, stamp,
		    logger.name, (int)getpid());
	case LOG_SINK_JOURNAL:
		return (size_t)snprintf(line, size,
		    "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nEVENT=%.*s\nMESSAGE=", level, logger.name,
		    EVENT_NAME_MAX, event);
	case LOG_SINK_STDERR:
		if (stderr_is_journal())
			return (size_t)snprintf(line, size, "<%d>", level);
		break;
	case LOG_SINK_FILE:
		break;
	}
	stamp_format(stamp, sizeof(stamp));
	return (size_t)snprintf(line, size, "%s %s ", stamp, level_name(level));
}

/* Appends with control characters escaped; what does not fit is cut and marked.  Returns the new length. */
static size_t
line_add(char *line, size_t n, const char *text)
{
	enum { TAIL = 8 }; /* "...\n" and slack */

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (n > LOG_LINE_MAX - TAIL - 4) {
			memcpy(line + n, "...", 3);
			return n + 3;
		}
		if (c < 0x20 || c == 0x7f)
			n += (size_t)sprintf(line + n, "\\x%02x", c);
		else
			line[n++] = (char)c;
	}
	return n;
}

static bool
line_write(const char *line, size_t n)
{
	const struct log_sink *s = &logger.sink;
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };

	if (s->type == LOG_SINK_SYSLOG || s->type == LOG_SINK_JOURNAL)
		return sendto(s->fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (const struct sockaddr *)&s->to, sizeof(s->to)) == (ssize_t)n;
	return poll(&p, 1, 0) == 1 && write(s->fd, line, n) == (ssize_t)n;
}

/* The lock is held. */
static bool
line_emit(int level, const char *event, const char *values)
{
	char line[LOG_LINE_MAX];
	size_t n = prefix_format(level, event, line, sizeof(line));

	n = line_add(line, n, event);
	if (values) {
		n = line_add(line, n, " ");
		n = line_add(line, n, values);
	}
	if (logger.sink.type != LOG_SINK_SYSLOG) /* there a datagram is a line */
		line[n++] = '\n';
	return line_write(line, n);
}

static void
line_deliver(int level, const char *event, const char *values)
{
	char text[64];

	if (logger.lost) {
		snprintf(text, sizeof(text), "lines=%u", logger.lost);
		if (line_emit(LOG_WARNING, "log_lost", text))
			logger.lost = 0;
	}
	if (!line_emit(level, event, values))
		logger.lost++;
}

static void
repeat_report(struct repeat *r)
{
	char text[128];

	if (r->suppressed) {
		snprintf(text, sizeof(text), "event=%s suppressed=%u", r->event, r->suppressed);
		line_deliver(r->level, "log_suppressed", text);
	}
	r->suppressed = 0;
}

static struct repeat *
repeat_find(const char *event)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	const char *p;

	for (p = event; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	return &logger.repeats[hash % EVENT_SLOTS];
}

/* May this line be written?  At the start of an event's new second, says what the last one hid. */
static bool
repeat_pass(int level, const char *event, int64_t now)
{
	struct repeat *r = repeat_find(event);

	if (strncmp(r->event, event, EVENT_NAME_MAX - 1) != 0 || now - r->since_ns >= NS_PER_S) {
		repeat_report(r);
		snprintf(r->event, sizeof(r->event), "%s", event);
		r->level = level;
		r->since_ns = now;
		r->lines = 0;
	}
	if (r->lines++ < LOG_BURST)
		return true;
	r->suppressed++;
	logger.any_suppressed = true;
	return false;
}

void
log_event(int level, const char *event, const char *format, ...)
{
	int saved = errno;
	char values[LOG_LINE_MAX];
	va_list args;

	if (!log_enabled(level))
		return;
	if (format) {
		va_start(args, format);
		vsnprintf(values, sizeof(values), format, args);
		va_end(args);
	}
	pthread_mutex_lock(&logger.lock);
	if (repeat_pass(level, event, clock_ns()))
		line_deliver(level, event, format ? values : NULL);
	pthread_mutex_unlock(&logger.lock);
	errno = saved;
}

void
log_flush(void)
{
	int64_t now = clock_ns();
	char text[64];
	size_t i;

	pthread_mutex_lock(&logger.lock);
	if (logger.any_suppressed) {
		logger.any_suppressed = false;
		for (i = 0; i < EVENT_SLOTS; i++) {
			struct repeat *r = &logger.repeats[i];

			if (r->suppressed && now - r->since_ns < NS_PER_S)
				logger.any_suppressed = true; /* its second is not over */
			else
				repeat_report(r);
		}
	}
	snprintf(text, sizeof(text), "lines=%u", logger.lost);
	if (logger.lost && line_emit(LOG_WARNING, "log_lost", text))
		logger.lost = 0;
	pthread_mutex_unlock(&logger.lock);
}

static bool
value_is_plain(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return s.n > 0;
}

struct log_value
log_quoted(struct str s)
{
	struct log_value v;
	enum { TAIL = 8 }; /* an escape, dots, quote, NUL */
	bool plain = value_is_plain(s);
	size_t i, n = 0;

	if (!plain)
		v.text[n++] = '"';
	for (i = 0; i < s.n && n < sizeof(v.text) - TAIL - 4; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			n += (size_t)sprintf(v.text + n, "\\%c", c);
		else if (c < ' ' || c > '~')
			n += (size_t)sprintf(v.text + n, "\\x%02x", c);
		else
			v.text[n++] = (char)c;
	}
	if (i < s.n)
		n += (size_t)sprintf(v.text + n, "...");
	if (!plain)
		v.text[n++] = '"';
	v.text[n] = '\0';
	return v;
}
