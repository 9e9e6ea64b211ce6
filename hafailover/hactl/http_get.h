/*
 * http_get.h - one GET of lbd's admin.http: blocking, with a deadline, for a small known server.
 */
#ifndef HAFAILOVER_HACTL_HTTP_GET_H
#define HAFAILOVER_HACTL_HTTP_GET_H

#include "common/err.h"
#include "common/text.h"

/*
 * The body of a 200 answer, appended.  `address`: "127.0.0.1:9101"; the deadline is a clock_ns() time.
 * 0 or -errno with a reason that names the address.
 */
int http_get(
    const char *address, const char *path, int64_t deadline_ns, struct text *body, struct err *);

#endif
