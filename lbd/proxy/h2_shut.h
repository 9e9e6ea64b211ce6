/*
 * h2_shut.h - requests whose answers their client could not take: its windows are shut.
 *
 * A few of a connection go to servers all the same, for heads need no window and a small answer holds no server.
 * The others wait until they have a window, or a server has got rid of one of those: what a hundred servers would
 * send in vain is not asked for.  Who has opened no window when `client_body` is over is cut, as if the answer had
 * been there.
 */
#ifndef LBD_PROXY_H2_SHUT_H
#define LBD_PROXY_H2_SHUT_H

#include "lbd/proxy/h2_stream.h"

/* A new exchange of that stream: if it must wait, it is in line from now on. */
bool h2_shut_waits(struct h2_stream *);

/* In the turn of its connection: those go on that may. */
void h2_shut_serve(struct h2_connection *);

/* The client took some of the answer, or its server is free again: it counts no more. */
void h2_shut_leave(struct h2_stream *);

#endif
