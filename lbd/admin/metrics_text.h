/*
 * metrics_text.h - Prometheus' text exposition format 0.0.4: families, samples, escaped labels.
 * Pure.
 *
 * Samples belong to the family that was begun last.  A failure is the text's (common/text.h).
 */
#ifndef LBD_ADMIN_METRICS_TEXT_H
#define LBD_ADMIN_METRICS_TEXT_H

#include "common/text.h"
#include "lbd/worker/histogram.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { METRIC_LABELS_MAX = 4 };

struct metric_labels {
	struct {
		const char *key;
		struct str value;
	} list[METRIC_LABELS_MAX];
	unsigned n;
};

struct metrics_text {
	struct text *out;
	const char *family;
};

/* The first label; then metric_and(labels, key, value) for each further one. */
static inline struct metric_labels
metric_label(const char *key, struct str value)
{
	return (struct metric_labels){ { { key, value } }, 1 };
}

static inline struct metric_labels
metric_and(struct metric_labels labels, const char *key, struct str value)
{
	labels.list[labels.n].key = key;
	labels.list[labels.n++].value = value;
	return labels;
}

/* `type`: "counter", "gauge" or "histogram".  `help`: one line without backslashes. */
void metrics_family(struct metrics_text *, const char *name, const char *type, const char *help);

/* Labels NULL: none. */
void metrics_count(struct metrics_text *, const struct metric_labels *, uint64_t);
void metrics_integer(struct metrics_text *, const struct metric_labels *, int64_t);
void metrics_seconds(struct metrics_text *, const struct metric_labels *, int64_t ns);

/* All buckets, sum and count.  One label fewer than the maximum. */
void metrics_histogram(
    struct metrics_text *, const struct metric_labels *, const struct histogram_sum *);

#endif
