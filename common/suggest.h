/*
 * suggest.h - "did you mean": which known word is close to a mistyped one?  Pure.
 */
#ifndef COMMON_SUGGEST_H
#define COMMON_SUGGEST_H

#include "common/str.h"

struct suggestion {
	struct str word; /* {NULL, 0}: nothing is close */
	size_t distance;
};

/*
 * Offers one candidate; keeps the closest (the first of equals), if it is close enough to be
 * meant.
 */
void suggest_offer(struct suggestion *, struct str typed, struct str candidate);

#endif
