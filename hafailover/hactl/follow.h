/*
 * follow.h - what a daemon says by itself: its newest answer to `watch`, for a page that is drawn anew.
 *
 * A daemon that ends, or says nothing for longer than its timeout, is asked again and again: it may be about
 * to start.  Until then what it said before is not shown.
 */
#ifndef HAFAILOVER_HACTL_FOLLOW_H
#define HAFAILOVER_HACTL_FOLLOW_H

#include "hafailover/hactl/daemon.h"

/* What a daemon said, or why nothing is known. */
struct said {
	enum daemon_result result;
	struct answer answer; /* empty unless DAEMON_OK */
	struct err why;
};

struct follow {
	struct daemon *daemon;
	const char *request; /* the line that begins the stream */
	struct said said;
	bool asked; /* the stream has begun */
	int64_t heard_ns, again_ns;
};

/* Takes in what has come.  False: nothing was ever heard, and it is not too late yet. */
bool follow_step(struct follow *, int64_t now_ns);

/* When it wants its next step, unless something comes before. */
int64_t follow_due_ns(const struct follow *);

/* Until then, or until something has come. */
void follow_sleep(const struct follow *);

void follow_end(struct follow *);

#endif
