/*
 * route.h - where a request goes: which of its listener's routes it falls under, and what follows from that.
 */
#ifndef LBD_PROXY_ROUTE_H
#define LBD_PROXY_ROUTE_H

#include "lbd/http/refusal.h"
#include "lbd/proxy/exchange.h"

/*
 * The request in worker->head, of a listener that has routes.  Its target gets its one spelling, in worker->format,
 * where it lies until something else is formatted.  *route is NULL where the listener's own pool serves it.
 */
enum refusal route_find(struct client *, const struct route_config **route);

/*
 * In TCP mode: by the name that the client asks for, which may be empty.  NULL where the listener's own pool serves it,
 * if it has one.
 */
const struct route_config *route_find_name(struct client *, struct str name);

/* The index of the pool for this one request; the route has at least one. */
uint32_t route_pool(struct worker *, const struct route_config *);

/* The target as the route's replace_prefix has it; in worker->format, as route_find. */
void route_rewrite(struct worker *, const struct route_config *);

/* What a template's variables are for this exchange.  Slices of `request`, of the exchange and its client. */
void route_variables(
    const struct exchange *, const struct formatted *request, struct str values[VARIABLE_COUNT]);

#endif
