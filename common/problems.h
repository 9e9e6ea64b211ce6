/*
 * problems.h - everything that is wrong with a file, as lines that a human reads.
 *
 * A loader adds as it finds and goes on, so that one run tells all.  Bounded: beyond
 * PROBLEMS_MAX only the number grows.  Adding never fails: without memory the problem is still
 * counted.
 */
#ifndef COMMON_PROBLEMS_H
#define COMMON_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

enum { PROBLEMS_MAX = 200 };

struct problem {
	unsigned line; /* of the file; 0: none */
	char *text; /* the whole message, without a newline */
};

struct problems {
	struct problem *list; /* [kept] */
	size_t kept;
	size_t n; /* found, kept or not; 0: all is well */
};

/* All bytes 0 is an empty list as well. */
void problems_init(struct problems *);
void problems_fini(struct problems *);

__attribute__((format(printf, 3, 4))) void
problems_add(struct problems *, unsigned line, const char *format, ...);

/* One more would only be counted. */
static inline bool
problems_full(const struct problems *p)
{
	return p->kept == PROBLEMS_MAX;
}

/* In the order of lines; those of one line stay in the order of finding. */
void problems_sort(struct problems *);

#endif
