/*
 * conn_ktls.h - records made by the kernel (kTLS), of what a client's connection sends in bulk.
 *
 * A connection that sends much at once gives its key to the kernel, at a record's end; after that the plaintext
 * itself goes to the socket, by send or splice, and saves a copy or two.  What is received stays OpenSSL's.  It lasts
 * until the connection ends: the kernel gives no key back, and takes no other.
 *
 * The kernel may hold the end of a record that the socket had no room for, and a close would lose it.  So the end of
 * such a connection is: conn_shutdown, then `out` is there (and may be empty) until the rest has gone.
 */
#ifndef LBD_PROXY_CONN_KTLS_H
#define LBD_PROXY_CONN_KTLS_H

#include "lbd/proxy/conn.h"
#include "lbd/tls/ktls.h"

/*
 * The kinds of keys that the kernel takes (ktls.h); none: *why is the errno of that.  It tries them, so that the
 * kernel has loaded its ciphers before a worker would have to wait for that.  Any thread.
 */
unsigned conn_ktls_probe(int *why);

/* So much is to be sent next.  Gives the key to the kernel when it is time for that and nothing waits. */
void conn_ktls_consider(struct conn *, size_t n);

/* What OpenSSL would have said, if anything. */
void conn_ktls_speak(struct conn *);

/* close_notify, behind everything else.  0: it is on its way, or nothing can be; -EAGAIN: `out` waits for it. */
int conn_ktls_finish(struct conn *);

/* `out` waits for the kernel, and the peer has taken something since this was asked last. */
bool conn_ktls_moves(struct conn *);

/* What is sent need not become records here. */
static inline bool
conn_takes_plain(const struct conn *c)
{
	return !c->tls || c->offloaded;
}

#endif
