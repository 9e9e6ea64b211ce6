/*
 * service.h - what each of the processes of this program has for its operator and for systemd: the log, a
 * listening socket for HTTP, the watchdog.
 */
#ifndef HAFAILOVER_ADMIN_SERVICE_H
#define HAFAILOVER_ADMIN_SERVICE_H

#include <ev.h>

#include "hafailover/config/config.h"

/* From now on log lines go there. */
int service_log_use(const struct ha_log_config *, struct err *);

/* An admin.http that is not off: a listening fd, or -errno with a reason. */
int service_http_open(const struct address *, struct err *);

/* Lines that the log holds back go out each second; systemd hears that the loop turns. */
struct service_timers {
	ev_timer second, watchdog;
};

void service_timers_start(struct service_timers *, struct ev_loop *);
void service_timers_stop(struct service_timers *, struct ev_loop *);

#endif
