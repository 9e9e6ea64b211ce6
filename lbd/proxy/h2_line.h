/*
 * h2_line.h - the requests of a connection that are in line for a server.
 *
 * Each new one is, until all that came with it has been looked at: what its client takes back in the same breath
 * costs no server anything (CVE-2023-44487, CVE-2025-8671).
 *
 * Those stay whose answers their client could not take, because its windows are shut.  One of a connection goes to
 * a server all the same, for heads need no window and a small answer holds no server.  The others wait until they
 * have a window, or that server has got rid of its answer: what a hundred servers would send in vain is not asked
 * for.  Who has opened no window when `client_body` is over is cut, as if the answer had been there.
 */
#ifndef LBD_PROXY_H2_LINE_H
#define LBD_PROXY_H2_LINE_H

#include "lbd/proxy/h2_stream.h"

/* A new exchange of that stream, behind all others. */
void h2_line_add(struct h2_stream *);

/* In the turn of its connection: those go on that may, but no more than a slice. */
void h2_line_serve(struct h2_connection *);

/* Before that: those who waited for a window have one, and may go even if answers under way use it up first. */
void h2_line_release(struct h2_connection *);

/* The client took some of the answer, or its server is free again: it counts no more. */
void h2_line_leave(struct h2_stream *);

#endif
