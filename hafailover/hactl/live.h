/*
 * live.h - a terminal that is drawn anew and anew until somebody presses q or Ctrl-C.
 *
 * While it is open the terminal is in its alternate screen and does not echo; whatever ends the
 * process by a signal puts it back first.  One at a time.
 */
#ifndef HAFAILOVER_HACTL_LIVE_H
#define HAFAILOVER_HACTL_LIVE_H

#include "hafailover/hactl/display.h"

/* Standard input and output are a terminal; false: they are not, and nothing has changed. */
bool live_open(void);
void live_close(void);

/* Draws that page, cut to the size of the terminal. */
void live_draw(struct str page);

/* Waits so long, or until the size has changed.  False: q was pressed. */
bool live_wait(int64_t ns);

/* Columns of the terminal of a descriptor; 0: it is none, or does not know. */
unsigned live_columns(int fd);

#endif
