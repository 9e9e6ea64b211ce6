/*
 * handshake.h - a client's connection before its first request: the TLS handshake.
 *
 * Handshakes cost memory and time, so each worker has its share of limits.tls_handshakes; who comes later
 * waits for its turn without costing either.  The deadline, timeouts.tls_handshake, runs from the accept on.
 */
#ifndef LBD_PROXY_HANDSHAKE_H
#define LBD_PROXY_HANDSHAKE_H

#include "lbd/proxy/client.h"
#include "lbd/proxy/conn_tls.h"

/* The client is in CLIENT_HANDSHAKE: starts, or waits.  May close it. */
void handshake_enter(struct client *);

/* Something came, or it is its turn. */
void handshake_readable(struct client *);

/* Which counter a handshake that succeeded belongs to. */
enum stats_handshake handshake_kind(const struct tls *);

/* Counts, closes. */
void handshake_failed(struct client *, enum tls_failure);

/* The client is no longer in CLIENT_HANDSHAKE: another one's turn. */
void handshake_leave(struct client *);

#endif
