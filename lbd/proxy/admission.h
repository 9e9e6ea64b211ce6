/*
 * admission.h - who may come, with how many connections, and how often: access lists, limits.connections_per_client,
 * rate limits.
 *
 * A connection is judged by its client's address, before anything else is read from it; one that may speak for
 * others (forwarded.trust) by each request.  Requests are judged in any case: a reload holds for the next one.
 */
#ifndef LBD_PROXY_ADMISSION_H
#define LBD_PROXY_ADMISSION_H

#include "lbd/proxy/client.h"
#include "lbd/worker/termination.h"

/*
 * Now that the client's address is known, may its connection stay?  False: it has been told, as far as it can be,
 * and ends.
 */
bool admission_connection(struct client *);

/*
 * May the request in worker->head be served, now that its route (NULL: none) is known?  END_OK, and it has
 * taken its tokens; or why not, and with END_RATE_LIMIT after how many seconds it may.
 */
enum termination
admission_request(const struct client *, const struct route_config *, uint32_t *retry_after_s);

#endif
