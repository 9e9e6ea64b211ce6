/*
 * probe.h - asks the network whether an address is in use, and whether it serves.
 *
 * A Backup that no longer hears its peer asks for the virtual address before it claims it; a node
 * asks for its gateways to know whether it is still part of the network.  The question is an ARP
 * request or a neighbour solicitation, repeated until the deadline, alternately without a sender
 * address (which touches nobody's cache) and with one of our own (since some do not answer the
 * first).
 *
 * Once somebody answered and a service is to be asked, a connection is made on that very interface
 * and a request sent that lbd answers by itself (TRACE: 405); any HTTP response, or a TLS record,
 * counts.
 *
 * If the deadline's timer comes much too late our own loop stood still: what has arrived is read
 * first, and the time is granted once more.
 */
#ifndef HAFAILOVER_VIP_PROBE_H
#define HAFAILOVER_VIP_PROBE_H

#include "common/clock.h"
#include "hafailover/link/neighbour.h"

enum probe_verdict {
	PROBE_SILENT, /* nobody answered */
	PROBE_ANSWERS, /* somebody has the address; there is no service, or none was asked for */
	PROBE_SERVES,
	PROBE_FAILED, /* could not be asked: no interface, no carrier, no privilege */
};

struct probe_result {
	enum probe_verdict verdict;
	uint8_t mac[LINK_MAC]; /* who answered; zero if nobody or several did not agree */
	int64_t answered_ns, duration_ns; /* since the start; answered_ns is -1 if nobody did */
	char reason[96]; /* "connection refused", "no answer in 250ms" */
};

enum probe_service {
	PROBE_NEIGHBOUR, /* only the address */
	PROBE_CONNECT, /* a connection is made: for services that are not HTTP */
	PROBE_HTTP,
};

struct probe_question {
	struct address address; /* with the port of the service */
	int link; /* index of the interface; 0: the one on whose subnet it is */
	enum probe_service service;
	int64_t deadline_ns; /* from now */
};

struct probe;

/*
 * `done` is called once, from the loop and never from within probe_start, with the verdict as soon
 * as it is certain; it must free the probe.  NULL: out of memory.
 */
struct probe *probe_start(struct ev_loop *, struct neighbour_table *, const struct probe_question *,
    void (*done)(void *owner, const struct probe_result *), void *owner);

/* A probe under way is given up: `done` will not be called. */
void probe_free(struct probe **);

/* "silent", "answers", "serves", "failed". */
const char *probe_verdict_name(enum probe_verdict);

#endif
