/*
 * service.h - what each of the processes of this program opens for its operator: the log, and a
 * listening socket for HTTP.
 */
#ifndef HAFAILOVER_ADMIN_SERVICE_H
#define HAFAILOVER_ADMIN_SERVICE_H

#include "hafailover/config/config.h"

/* From now on log lines go there. */
int service_log_use(const struct ha_log_config *, struct err *);

/* An admin.http that is not off: a listening fd, or -errno with a reason. */
int service_http_open(const struct address *, struct err *);

#endif
