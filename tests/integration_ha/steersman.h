/*
 * steersman.h - the station's commands for steering/:
 *
 *   attach INTERFACE              loads the program if need be, and puts it there
 *   steer ADDRESS INTERFACE MAC   a rule more; rules are renewed until they go
 *   hush ADDRESS INTERFACE OWN    the same
 *   lapse                         they are not
 *   counters
 *   run in|out INTERFACE HEX      the program on one frame: the kernel's code, the verdict, the frame
 *   count all|first ADDRESS...    says how many connections there are, again and again
 *   detach                        ends it all
 */
#ifndef TESTS_STEERSMAN_H
#define TESTS_STEERSMAN_H

#include <ev.h>

#include "hafailover/link/link.h"

/* What it has to say goes to `say`.  False: no command of its. */
bool steersman_command(
    struct ev_loop *, struct link_table *, void (*say)(const char *, ...), char **words, size_t n);

#endif
