/*
 * conn_tls.h - the TLS of a connection that has it, between its socket and what conn.h promises.
 *
 * One recv brings what is there, many records at once; what could be decrypted is read, the rest waits in
 * conn.sealed.  What is sent becomes records in the worker's engine and leaves with one send.  conn.c calls
 * in here; above it only the handshake shows.
 */
#ifndef LBD_PROXY_CONN_TLS_H
#define LBD_PROXY_CONN_TLS_H

#include "lbd/proxy/conn.h"
#include "lbd/tls/tls.h"

/* Before a handshake: these bytes came first, n <= TLS_IN_SIZE.  0 or -ENOMEM. */
int conn_tls_begin(struct conn *, const char *p, size_t n);

/* Takes what came and answers it.  0: secured; -EAGAIN: more must come; else it failed, *why says how. */
int conn_handshake(struct conn *, enum tls_failure *why);

/* We are the client: the first word, before anything has come.  The same answers. */
int conn_handshake_start(struct conn *, enum tls_failure *why);

/* Something was received that conn_read has not given yet. */
bool conn_tls_has_more(const struct conn *);

/* For conn.c: the same as conn_read, conn_send, conn_shutdown, conn_close without the tls_. */
ssize_t conn_tls_read(struct conn *, struct span *data, size_t most);
int conn_tls_send(struct conn *, const char *p, size_t n);
void conn_tls_shutdown(struct conn *);
void conn_tls_close(struct conn *, bool reset);

/* For conn_tls.c: the socket's side of sending, and the end of reading; err 0 or -errno comes back. */
int conn_send_raw(struct conn *, const char *p, size_t n);
int conn_read_end(struct conn *, int err);

#endif
