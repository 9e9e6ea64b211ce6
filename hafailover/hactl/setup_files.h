/*
 * setup_files.h - files of the configuration that are there in whole, or not at all, and replace nothing.
 *
 * They are written into a hidden directory beside their place, and linked to it one by one: link(2)
 * refuses where a file is.  What was placed is taken back unless all went well.  Each belongs to who
 * runs this and to the group of the directory, and is for those two only.  Signals wait meanwhile.
 */
#ifndef HAFAILOVER_HACTL_SETUP_FILES_H
#define HAFAILOVER_HACTL_SETUP_FILES_H

#include <signal.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/str.h"

enum { SETUP_FILES_MAX = 3, SETUP_PATH_MAX = 4096 };

struct setup_files {
	const char *directory;
	char work[SETUP_PATH_MAX]; /* the hidden one; "": not made */
	gid_t group;
	const char *written[SETUP_FILES_MAX + 1],
	    *placed[SETUP_FILES_MAX + 1]; /* names, then NULL */
	sigset_t signals; /* as they were */
};

/* -EEXIST with a reason if one of the names is in the directory. */
int setup_files_absent(const char *directory, const char *const names[], size_t n, struct err *);

int setup_files_open(struct setup_files *, const char *directory, struct err *);

/* `name` stays the caller's.  The path where it is meanwhile is work/name. */
int setup_files_write(struct setup_files *, const char *name, struct str text, struct err *);
int setup_files_place(struct setup_files *, const char *name, struct err *);

/* Takes back what was placed unless `keep`. */
void setup_files_close(struct setup_files *, bool keep);

#endif
