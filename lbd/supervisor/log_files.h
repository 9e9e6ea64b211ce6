/*
 * log_files.h - the log targets of the configuration as descriptors.
 *
 * The supervisor opens the files, since the proxy process may not; it hands the descriptors over.
 */
#ifndef LBD_SUPERVISOR_LOG_FILES_H
#define LBD_SUPERVISOR_LOG_FILES_H

#include "common/err.h"
#include "lbd/config/config.h"

struct log_files {
	int log_fd; /* when the log is a file */
	int access_fd; /* when the access log is a file or standard error */
};

/* 0 or -errno with a reason; then both are -1. */
int log_files_open(struct log_files *, const struct log_config *, struct err *);
void log_files_close(struct log_files *);

/* Lines of this process go there from now on, at that level.  Takes log_fd over, also on failure. */
int log_files_use(const struct log_config *, int log_fd, struct err *);

#endif
