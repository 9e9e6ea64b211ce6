/*
 * track_gateway.h - does a gateway answer?  Asked by ARP or neighbour discovery four times a second.
 *
 * It is lost after three questions without an answer, and back with the first answer.
 */
#ifndef HAFAILOVER_TRACK_GATEWAY_H
#define HAFAILOVER_TRACK_GATEWAY_H

#include "hafailover/probe.h"

struct track_gateway;

/* `changed`: reachable or known has changed.  NULL: out of memory. */
struct track_gateway *track_gateway_start(struct ev_loop *, struct neighbour_table *,
    const struct address *, void (*changed)(void *owner), void *owner);
void track_gateway_stop(struct track_gateway **);

bool track_gateway_known(const struct track_gateway *); /* there has been a verdict */
bool track_gateway_reachable(const struct track_gateway *);
const struct address *track_gateway_address(const struct track_gateway *);

#endif
