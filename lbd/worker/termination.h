/*
 * termination.h - how an exchange ended: the `termination` of the access log and the `reason` of
 * lbpair_rejected_total.  Refusals of the HTTP parsers keep their own names (refusal_name).
 */
#ifndef LBD_WORKER_TERMINATION_H
#define LBD_WORKER_TERMINATION_H

#include "lbd/http/refusal.h"

/* Values below REFUSE_COUNT are enum refusal; REFUSE_NOTHING is a normal end. */
enum termination {
	END_OK = REFUSE_NOTHING,
	END_CLIENT_CLOSED = REFUSE_COUNT, /* the client went away */
	END_CLIENT_HEADER_TIMEOUT, /* 408 */
	END_CLIENT_BODY_TIMEOUT, /* 408 idle, or below the minimum rate */
	END_CLIENT_STALLED, /* the client did not read the response in time */
	END_NO_SERVER, /* 503 none available */
	END_QUEUE_TIMEOUT, /* 503 all at their max_connections for too long */
	END_QUEUE_FULL, /* 503 and as many wait as may: queue.size */
	END_CONNECT_FAILED, /* 503 */
	END_CONNECT_TIMEOUT, /* 503 */
	END_SERVER_TLS, /* 502 no TLS with the server: not to be trusted, for instance */
	END_SERVER_TLS_TIMEOUT, /* 504 */
	END_SERVER_RESET, /* 502, or cut: the connection broke before the response was complete */
	END_SERVER_BAD_RESPONSE, /* 502 */
	END_SERVER_TIMEOUT, /* 504, or cut */
	END_TUNNEL_IDLE, /* timeouts.tunnel */
	END_SERVER_DOWN, /* TCP mode: a check found it down, and health_check.on_down is "close" */
	END_CLIENT_FIN_TIMEOUT, /* timeouts.client_fin: the server has ended its half, the client not */
	END_SERVER_FIN_TIMEOUT, /* timeouts.server_fin: the other way round */
	END_CONNECTIONS_LIMIT, /* limits.connections: an idle connection was closed, or none could be */
	END_CLIENT_LIMIT, /* 429 limits.connections_per_client */
	END_RATE_LIMIT, /* 429 rate_limit of a listener or a route */
	END_ACCESS_DENIED, /* 403 access of a listener; at the accept it is a reset */
	END_OUT_OF_MEMORY, /* 503 */
	END_CLIENT_HELLO, /* TCP mode: what came is no ClientHello as the rules have it */
	END_CLIENT_HELLO_TIMEOUT, /* or not all of it in time */
	END_NO_ROUTE, /* TCP mode: no route is for it, and the listener has no pool */
	END_NO_RESOURCES, /* 503 lbd has no descriptor or no port left for a server connection */
	END_DRAIN, /* the drain deadline cut it */
	TERMINATION_COUNT
};

const char *termination_name(enum termination); /* "ok", "client_closed", ... */

#endif
