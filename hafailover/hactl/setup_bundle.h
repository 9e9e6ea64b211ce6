/*
 * setup_bundle.h - the files of a pair as one JSON object, on their way to the other node.
 *
 * Pure.  They arrive to the byte: both nodes have the same files, comments included.
 */
#ifndef HAFAILOVER_HACTL_SETUP_BUNDLE_H
#define HAFAILOVER_HACTL_SETUP_BUNDLE_H

#include <jansson.h>

#include "common/err.h"

enum setup_file { SETUP_SECRET, SETUP_LBD, SETUP_HAFAILOVER, SETUP_FILES };
enum { SETUP_FILE_MAX = 512 << 10, SETUP_BUNDLE_MAX = 4 << 20 };

extern const char *const setup_file_names[SETUP_FILES];

struct setup_bundle {
	char *texts[SETUP_FILES]; /* of SETUP_LBD it may be NULL: no such file */
};

void setup_bundle_fini(struct setup_bundle *);

/* NULL: out of memory, or a file that is no UTF-8. */
json_t *setup_bundle_pack(const struct setup_bundle *);
int setup_bundle_unpack(struct setup_bundle *, const char *text, size_t n, struct err *);

#endif
