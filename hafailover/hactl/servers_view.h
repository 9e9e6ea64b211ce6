/*
 * servers_view.h - what `hactl servers` shows, from lbd's answer.  Pure.
 */
#ifndef HAFAILOVER_HACTL_SERVERS_VIEW_H
#define HAFAILOVER_HACTL_SERVERS_VIEW_H

#include <jansson.h>

#include "hafailover/hactl/display.h"

/* lbd's answer to "servers". */
void servers_view_print(const json_t *answer, int64_t now_wall_ns, struct look, struct text *out);

/* POOL/NAME, a line each. */
void servers_view_names(const json_t *answer, struct text *out);

/* One of that answer's servers: what an operator's change has made of it. */
void servers_view_change(const json_t *server, bool changed, struct text *out);

/* The one of that name in lbd's answer, or NULL. */
const json_t *servers_view_find(const json_t *answer, const char *name);

/* What is left of one that drains: a line. */
void servers_view_drain(const json_t *server, struct text *out);

/* In a word: "up", "down", "unreachable", "drain", "drained", "maintenance", "unknown"; and its colour. */
struct server_state {
	const char *word;
	enum style style;
};
struct server_state servers_view_state(const json_t *server);

/* Of a status: "2 of 4 servers up, 1 not checked yet". */
void servers_view_count(const json_t *status, struct text *out);

#endif
