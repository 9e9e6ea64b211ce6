/*
 * certificate_view.h - the certificates in use as an operator sees them: how long they are good for still.
 */
#ifndef LBD_ADMIN_CERTIFICATE_VIEW_H
#define LBD_ADMIN_CERTIFICATE_VIEW_H

#include <jansson.h>

#include "lbd/admin/admin.h"
#include "lbd/tls/shelf.h"

/* An alarm from so many days before its end on. */
enum { CERTIFICATE_ALARM_DAYS = 14 };

/* Whole days until it ends; negative: it ended. */
int64_t certificate_days(const struct tls_shelf_entry *, int64_t now_wall_ns);

/* What an alarm says of it, and its name, or NULL: all is well. */
const char *
certificate_alarm(const struct tls_shelf_entry *, int64_t now_wall_ns, char *text, size_t size);

/* The same of lists of revoked certificates: from CERTIFICATE_ALARM_DAYS or a quarter of its time on. */
int64_t revocations_days(const struct tls_shelf_revocations *, int64_t now_wall_ns);
const char *revocations_alarm(
    const struct tls_shelf_revocations *, int64_t now_wall_ns, char *text, size_t size);

/* All of them: the answer to "certificates".  NULL: out of memory. */
json_t *certificates_json(const struct admin_state *, int64_t now_wall_ns);

#endif
