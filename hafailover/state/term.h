/*
 * term.h - what must survive a restart: the term, and whether the node is in standby.
 *
 * One small file in the state directory, replaced atomically and synced, file and directory.
 * Blocking: from keeper.c's thread, or at start.
 */
#ifndef HAFAILOVER_STATE_TERM_H
#define HAFAILOVER_STATE_TERM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define TERM_FILE "hafailover.state"

struct term {
	uint64_t term;
	bool standby;
};

/* A file that is not there reads as term 0.  0, or -errno with a reason; then it reads so, too. */
int term_read(const char *directory, struct term *, struct err *);
int term_write(const char *directory, const struct term *, struct err *);

#endif
