/*
 * admission.h - who may come, and how often: access lists and rate limits, at the connection and at each request.
 *
 * A connection is judged by its peer, before anything is read from it; one that may speak for others
 * (forwarded.trust) by each request.  Requests are judged in any case: a reload holds for the next one.
 */
#ifndef LBD_PROXY_ADMISSION_H
#define LBD_PROXY_ADMISSION_H

#include "lbd/proxy/client.h"
#include "lbd/worker/termination.h"

/* May this connection stay?  What it says of whom it speaks for is not known yet. */
bool admission_connection(const struct client *);

/*
 * May the request in worker->head be served, now that its route (NULL: none) is known?  END_OK, and it has
 * taken its tokens; or why not, and with END_RATE_LIMIT after how many seconds it may.
 */
enum termination
admission_request(const struct client *, const struct route_config *, uint32_t *retry_after_s);

#endif
