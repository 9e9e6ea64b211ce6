/*
 * commands.h - the commands of lbd's control socket; their context is the struct admin.
 */
#ifndef LBD_ADMIN_COMMANDS_H
#define LBD_ADMIN_COMMANDS_H

#include "lbd/admin/admin.h"

enum { ADMIN_COMMANDS = 7 };
extern const struct control_command admin_commands[ADMIN_COMMANDS];

/* Topics of the control socket. */
enum { TOPIC_STATUS };

/* admin.c, for the commands. */
const struct admin_source *admin_source_of(const struct admin *);
struct admin_state admin_state_of(const struct admin *);
void admin_watched(struct admin *); /* somebody has subscribed to TOPIC_STATUS */

#endif
