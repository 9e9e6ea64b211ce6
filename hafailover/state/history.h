/*
 * history.h - the changes of this node's role, newest last: in memory, and as lines of a file that
 * survives restarts.
 *
 * Pure but for history_load.  Times are wall-clock, for people.
 */
#ifndef HAFAILOVER_STATE_HISTORY_H
#define HAFAILOVER_STATE_HISTORY_H

#include <jansson.h>

#include "common/err.h"
#include "hafailover/election/heartbeat.h"

#define HISTORY_FILE "hafailover.history"

enum { HISTORY_MAX = 256, HISTORY_LINE_MAX = 256 };

struct history_entry {
	int64_t wall_ns;
	int64_t duration_ns; /* how long `from` lasted; -1: not known */
	uint64_t term;
	enum role from, to;
	enum cause cause;
};

struct history {
	struct history_entry ring[HISTORY_MAX];
	unsigned n, next; /* kept; where the next one goes */
};

void history_add(struct history *, const struct history_entry *);

/* Entry `i` of n, the oldest first. */
const struct history_entry *history_at(const struct history *, unsigned i);

/* As hactl wants it: { time, node, from, to, cause, duration_ms, term }.  NULL: out of memory. */
json_t *history_json(const struct history_entry *, const char *node);

/* One line of the file, with its newline; the length. */
size_t history_format(const struct history_entry *, char line[HISTORY_LINE_MAX]);

/* Reads the newest entries; lines that make no sense are passed over.  0 or -errno with a reason. */
int history_load(struct history *, const char *directory, struct err *);

#endif
