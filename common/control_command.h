/*
 * control_command.h - from a request to the command that it names.  Private to control.c.
 */
#ifndef COMMON_CONTROL_COMMAND_H
#define COMMON_CONTROL_COMMAND_H

#include "common/control.h"

/* Runs it, or refuses; the token is consumed by that, now or later. */
void
control_command_run(const struct control_options *, struct control_token *, const json_t *request);

#endif
