/* metrics.h - the metrics of hafailover in Prometheus' text format.  hafailover(8) lists them. */
#ifndef HAFAILOVER_ADMIN_METRICS_H
#define HAFAILOVER_ADMIN_METRICS_H

#include "common/text.h"
#include "hafailover/admin/view.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { METRICS_SIZE_MAX = 1 << 20 };

/* A failure is the text's. */
void ha_metrics_write(const struct ha_view *, struct text *);

#endif
