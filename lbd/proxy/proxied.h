/*
 * proxied.h - connections that speak for somebody else: the PROXY header, on either side of lbd.
 *
 * Clients.  Where the listener's proxy_protocol says so, a connection begins with a header that names the client; from
 * then on that is its address for everything (client_set_address).  client_accepted asks proxied_expected and leaves
 * such a connection to proxied_enter, which ends in client_admit or in a refusal.  The read that brings the header
 * brings what follows it; nothing is read twice.  So a listener of any protocol gets its clients from client_admit
 * alone, with `data` for what came behind the header, and need not know of headers.
 *
 * Servers.  proxied_write makes the header for a connection to a server; it goes out before TLS.  Such a connection
 * serves no other client (upstream.c).  What is not opened by upstream.c, as that of TCP mode, sends those bytes
 * itself when it is connected.
 */
#ifndef LBD_PROXY_PROXIED_H
#define LBD_PROXY_PROXIED_H

#include "lbd/proxy/client.h"

/* Must a connection from there begin with a header? */
bool proxied_expected(const struct listener_config *, const struct address *peer);

/* The client is in CLIENT_PROXIED: reads its header, or waits.  May close it. */
void proxied_enter(struct client *);
void proxied_readable(struct client *);

/* Counts, closes. */
void proxied_refuse(struct client *, enum proxy_fault);

/* The header that tells a server of this client, in that version.  The bytes that it takes. */
size_t proxied_write(const struct client *, unsigned version, char room[PROXY_FORMAT_MAX]);

#endif
