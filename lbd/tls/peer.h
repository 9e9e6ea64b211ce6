/*
 * peer.h - what servers are told of a client's certificate, as texts for header fields.
 *
 * Read once on a connection, when somebody first wants to know.  Visible ASCII without exception: whatever else a
 * certificate has in its names is escaped.
 */
#ifndef LBD_TLS_PEER_H
#define LBD_TLS_PEER_H

#include "lbd/http/proxy_header.h"
#include "lbd/tls/tls.h"

enum { TLS_PEER_MAX = 24 * 1024 }; /* bytes of all values */

struct tls_peer {
	struct str values[TLS_PEER_VALUES]; /* empty: nothing to say */
	char text[];
};

/* NULL: out of memory, or it says more than TLS_PEER_MAX.  Belongs to the connection. */
const struct tls_peer *tls_peer(struct tls *);
void tls_peer_free(struct tls_peer **);

/* The same for a PROXY header, and of TLS itself; the texts are the connection's, the common name is in `room`. */
void tls_peer_tell(const struct tls *, struct proxy_tls *, char room[PROXY_NAME_MAX]);

#endif
