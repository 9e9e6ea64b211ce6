/*
 * file.h - files read and written whole.  All of it may wait for a disk: nothing for a thread that others wait for.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include "common/err.h"
#include "common/str.h"

/* Reads a whole file of at most `max` bytes; the caller frees *text.  0 or -errno with a reason. */
int file_read(const char *file, size_t max, char **text, size_t *n, struct err *);

/* Every byte, however many calls that takes.  False: errno says why, and some may be written. */
bool file_write(int fd, struct str);

/*
 * The file is always the old one or the new one, whatever happens meanwhile, also after a power cut: written beside as
 * FILE.new, synced, renamed, and the directory synced.  One writer at a time.  Mode 0640 at most.  0 or -errno with a
 * reason.
 */
int file_replace(const char *file, struct str content, struct err *);

#endif
