/*
 * commands.h - the commands of lbd's control socket; their context is the struct admin.
 */
#ifndef LBD_ADMIN_COMMANDS_H
#define LBD_ADMIN_COMMANDS_H

#include "common/text.h"
#include "lbd/admin/admin.h"

enum { ADMIN_COMMANDS = 10 };
extern const struct control_command admin_commands[ADMIN_COMMANDS];

/* Topics of the control socket. */
enum { TOPIC_STATUS, TOPIC_SERVERS };

/* admin.c, for the commands. */
const struct admin_source *admin_source_of(const struct admin *);
struct admin_state admin_state_of(const struct admin *);
int admin_metrics(const struct admin *, struct text *); /* 0 or -errno */
void admin_watched(struct admin *); /* somebody has subscribed to a topic */

#endif
