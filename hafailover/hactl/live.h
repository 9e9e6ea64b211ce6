/*
 * live.h - a terminal that is drawn anew and anew until somebody presses q or Ctrl-C.
 *
 * While it is open the terminal is in its alternate screen and does not echo; whatever ends the
 * process by a signal puts it back first.  One at a time.
 */
#ifndef HAFAILOVER_HACTL_LIVE_H
#define HAFAILOVER_HACTL_LIVE_H

#include "hafailover/hactl/display.h"

/* Standard input and output are a terminal. */
bool live_possible(void);

/* False: they are not, and nothing has changed. */
bool live_open(void);
void live_close(void);

/* Draws that page, cut to the size of the terminal. */
void live_draw(struct str page);

/*
 * Waits so long, or until the size has changed or one of the descriptors (-1: none) can be read.  False: q
 * was pressed.
 */
enum { LIVE_FDS_MAX = 2 };
bool live_wait(int64_t ns, const int *fds, size_t n_fds);

/* Columns of the terminal of a descriptor; 0: it is none, or does not know. */
unsigned live_columns(int fd);

#endif
