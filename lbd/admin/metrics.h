/*
 * metrics.h - /metrics: everything that lbd counts, summed over the workers at this moment.
 *
 * Series are those of the present configuration: a listener, pool or server that a reload removed
 * is not shown any more, and goes on where it stopped if it comes back.  What can be named is
 * shown from the start, with 0.
 */
#ifndef LBD_ADMIN_METRICS_H
#define LBD_ADMIN_METRICS_H

#include "common/text.h"
#include "lbd/admin/admin.h"

enum { METRICS_SIZE_MAX = 64 << 20 };

/* 0 or -ENOMEM; also when it would be longer than the text's limit. */
int metrics_write(
    const struct admin_source *, const struct admin_state *, int64_t now_ns, struct text *);

#endif
