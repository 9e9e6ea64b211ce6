/*
 * file_swap.h - another content for a file that is there, in one step, and back again.
 *
 * Owner, group and mode stay; a symbolic link stays one.  The contents are overwritten in memory when they are
 * done with, since keys are among them.
 */
#ifndef HAFAILOVER_HACTL_FILE_SWAP_H
#define HAFAILOVER_HACTL_FILE_SWAP_H

#include <limits.h>

#include "common/err.h"
#include "common/str.h"

struct file_swap {
	char path[PATH_MAX]; /* behind all links */
	char *before;
	size_t before_n;
};

/* 0, or -errno with a reason, and nothing has changed. */
int file_swap(struct file_swap *, const char *path, struct str content, struct err *);

/* As it was.  0 or -errno with a reason. */
int file_swap_back(const struct file_swap *, struct err *);

void file_swap_fini(struct file_swap *);

#endif
