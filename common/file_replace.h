/*
 * file_replace.h - a small file that is always the old one or the new one, whatever happens meanwhile.
 *
 * Written beside as FILE.new, synced, renamed, and the directory synced: also after a power cut.  It waits for the
 * disk, so that it is nothing for a thread that others wait for.  One writer at a time.
 */
#ifndef COMMON_FILE_REPLACE_H
#define COMMON_FILE_REPLACE_H

#include "common/err.h"
#include "common/str.h"

/* Mode 0640 at most.  0 or -errno with a reason. */
int file_replace(const char *file, struct str content, struct err *);

#endif
