/*
 * probe.h - one check of one server on the wire: connect, shake hands, ask, judge.
 *
 * Everything is non-blocking and has one absolute deadline.  If the deadline's timer comes late,
 * our own loop stood still, and the time is granted once more: that fails no server.
 */
#ifndef LBD_HEALTH_PROBE_H
#define LBD_HEALTH_PROBE_H

#include <ev.h>

#include "lbd/health/probe_http.h"
#include "lbd/tls/upstream.h"

struct probe;

struct probe_result {
	bool passed;
	char reason[PROBE_REASON_MAX]; /* "status 200", "timeout after 2s (connect)" */
	int64_t duration_ns;
};

struct probe_question {
	const struct health_config *health; /* of a type other than CHECK_NONE; kept by reference */
	const struct address *address; /* health->port goes before its own */
	const struct tls_upstream *tls; /* NULL: plain; kept by reference */
	struct str name; /* the server's, for TLS */
	bool http2; /* it speaks that; with TLS, if it says so */
	unsigned
	    proxy_header; /* version with which it wants to be told that we speak for nobody; 0: not */
};

/*
 * `done` is called once, from the loop and never from within probe_start; it must free the probe.
 * NULL: out of memory.
 */
struct probe *probe_start(struct ev_loop *, const struct probe_question *,
    void (*done)(void *owner, const struct probe_result *), void *owner);

/* A probe under way is given up: `done` will not be called. */
void probe_free(struct probe **);

/* The configuration has moved in memory; it says the same. */
void probe_adopt(struct probe *, const struct health_config *);

#endif
