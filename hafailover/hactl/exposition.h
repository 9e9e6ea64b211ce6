/*
 * exposition.h - reads the text format of Prometheus, sample by sample.  Pure, borrows, never fails: a
 * line that makes no sense is passed over.
 */
#ifndef HAFAILOVER_HACTL_EXPOSITION_H
#define HAFAILOVER_HACTL_EXPOSITION_H

#include "common/str.h"

struct sample {
	struct str name, labels; /* labels: between the braces */
	double value;
};

/* The next sample of *text, which then starts behind it.  False: there is none. */
bool exposition_next(struct str *text, struct sample *);

/* The label's value, as it stands between its quotes; {NULL, 0}: it has no such label. */
struct str sample_label(const struct sample *, const char *key);

#endif
