/*
 * track_gateway.h - does a gateway answer?  Asked by ARP or neighbour discovery four times a second.
 *
 * It is lost after three questions without an answer, and back with the first answer.  A question
 * that was answered also says since when this node cannot be cut off from it.
 */
#ifndef HAFAILOVER_TRACK_TRACK_GATEWAY_H
#define HAFAILOVER_TRACK_TRACK_GATEWAY_H

#include "hafailover/vip/probe.h"

struct track_gateway;

/* `changed`: it has answered, or is lost.  NULL: out of memory. */
struct track_gateway *track_gateway_start(struct ev_loop *, struct neighbour_table *,
    const struct address *, void (*changed)(void *owner), void *owner);
void track_gateway_stop(struct track_gateway **);

bool track_gateway_known(const struct track_gateway *); /* there has been a verdict */
bool track_gateway_reachable(const struct track_gateway *);
int64_t
track_gateway_asked_ns(const struct track_gateway *); /* the last that was answered; 0: none */
void track_gateway_ask(struct track_gateway *); /* now, and not only when it is due */
const struct address *track_gateway_address(const struct track_gateway *);

#endif
