/*
 * track_script.h - a command of the operator's that says whether this node may serve: exit status 0.
 *
 * Run by script_run.h, one run at a time.  `fall` failures in a row make it bad, `rise` successes good
 * again; the very first run decides alone.
 */
#ifndef HAFAILOVER_TRACK_TRACK_SCRIPT_H
#define HAFAILOVER_TRACK_TRACK_SCRIPT_H

#include <ev.h>

#include "hafailover/config/config.h"

struct track_script;

/* `config` is borrowed for the call.  `changed`: good has changed.  NULL: out of memory. */
struct track_script *track_script_start(
    struct ev_loop *, const struct ha_script_config *, void (*changed)(void *owner), void *owner);
void track_script_stop(struct track_script **);

bool track_script_known(const struct track_script *); /* it has run */
bool track_script_good(const struct track_script *);
const char *track_script_command(const struct track_script *);
const char *track_script_reason(const struct track_script *); /* of the last run: "exit status 1" */

#endif
