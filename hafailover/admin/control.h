/*
 * control.h - the commands of the control socket, and /metrics and /healthz.
 *
 *   {"command":"status"}, {"command":"history"}, {"command":"watch"}
 *   {"command":"failover","to":NODE,"force":BOOL}      answered when the move is done, or refused
 *   {"command":"standby","on":BOOL,"force":BOOL}
 *   {"command":"reload"}
 *
 * It knows its owner by struct ha_control_source alone.
 */
#ifndef HAFAILOVER_ADMIN_CONTROL_H
#define HAFAILOVER_ADMIN_CONTROL_H

#include "common/control.h"
#include "hafailover/admin/view.h"

struct ha_control;

struct ha_control_source {
	void *owner; /* handed to the functions */
	void (*view)(void *owner, struct ha_view *);
	/* They consume the token, now or later. */
	void (*failover)(void *owner, struct control_token *, enum election_target to, bool force);
	void (*standby)(void *owner, struct control_token *, bool on, bool force);
	void (*reload)(void *owner, struct control_token *);
};

/* `control_fd` is listening; taken over, also on failure.  NULL with a reason. */
struct ha_control *
ha_control_start(struct ev_loop *, const struct ha_control_source *, int control_fd, struct err *);
void ha_control_stop(struct ha_control **);

/*
 * Serves HTTP there from now on, and no more where it did; -1: nowhere.  Taken over.  0 or -errno.
 */
int ha_control_listen(struct ha_control *, int http_fd, struct err *);

/* Something changed: who watches is told. */
void ha_control_changed(struct ha_control *);

#endif
