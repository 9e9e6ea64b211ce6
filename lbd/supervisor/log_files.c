/* log_files.c - from a configured target to a descriptor or a sink. */
#include "lbd/supervisor/log_files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"

static int
access_open(const struct log_config *c, struct err *err)
{
	int fd;

	if (c->access_format == ACCESS_OFF)
		return -1;
	switch (c->access_target) {
	case LOG_SINK_STDERR:
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? err_set(err, -errno, "standard error is closed") : fd;
	case LOG_SINK_FILE:
		return log_file_open(c->access_path.p, err);
	case LOG_SINK_SYSLOG:
	case LOG_SINK_JOURNAL:
		break;
	}
	return -1;
}

int
log_files_open(struct log_files *f, const struct log_config *c, struct err *err)
{
	*f = (struct log_files){ -1, -1 };
	err->code = 0;
	if (c->target == LOG_SINK_FILE)
		f->log_fd = log_file_open(c->path.p, err);
	if (!err->code)
		f->access_fd = access_open(c, err);
	if (err->code) {
		f->access_fd = -1;
		log_files_close(f);
	}
	return err->code;
}

void
log_files_close(struct log_files *f)
{
	if (f->log_fd >= 0)
		close(f->log_fd);
	if (f->access_fd >= 0)
		close(f->access_fd);
	*f = (struct log_files){ -1, -1 };
}

int
log_files_use(const struct log_config *c, int log_fd, struct err *err)
{
	struct log_sink sink = { .type = LOG_SINK_FILE, .fd = log_fd };
	const char *path = c->target == LOG_SINK_FILE ? c->path.p : NULL;
	int code;

	if (log_fd < 0) {
		code = log_sink_open(&sink, c->target, path, err);
		if (code)
			return code;
	}
	log_set_level(c->level);
	log_use(&sink);
	return 0;
}
