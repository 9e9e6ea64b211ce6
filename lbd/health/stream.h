/*
 * stream.h - a non-blocking connection to a server, plain or TLS, for checks.
 *
 * Calls return > 0 when done (bytes for read and write), 0 to wait until the socket is ready for
 * `want` (EV_READ or EV_WRITE), < 0 when it failed: `error` says why, in a few words.  The end of
 * the stream is a failure, "connection closed".  SIGPIPE must be ignored.
 */
#ifndef LBD_HEALTH_STREAM_H
#define LBD_HEALTH_STREAM_H

#include <openssl/ssl.h>
#include <sys/types.h>

#include "common/address.h"

struct stream {
	int fd;
	SSL *ssl; /* NULL: plain */
	int want;
	char error[64];
};

/* Starts to connect.  Closing sends a reset, so that nothing stays in TIME_WAIT. */
int stream_open(struct stream *, const struct address *);
void stream_close(struct stream *);

/* After it became writable. */
int stream_connected(struct stream *);

/* From now on TLS.  `host` is sent as SNI if it is a name; a port in it is cut off. */
int stream_use_tls(struct stream *, SSL_CTX *, struct str host);
int stream_handshake(struct stream *);

ssize_t stream_write(struct stream *, const char *text, size_t n);
ssize_t stream_read(struct stream *, char *text, size_t n);

#endif
