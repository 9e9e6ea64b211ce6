/* witness_metrics.h - the metrics of a witness in Prometheus' text format.  hafailover(8) lists them. */
#ifndef HAFAILOVER_WITNESS_WITNESS_METRICS_H
#define HAFAILOVER_WITNESS_WITNESS_METRICS_H

#include "common/text.h"
#include "hafailover/peer/witness_table.h"

/* A failure is the text's. */
void witness_metrics_write(const struct witness_table *, int64_t now_ns, struct text *);

#endif
