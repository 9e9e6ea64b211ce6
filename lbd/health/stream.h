/*
 * stream.h - a non-blocking connection to a server, plain or TLS, for checks.
 *
 * Calls return > 0 when done (bytes for read and write), 0 to wait until the socket is ready for
 * `want` (EV_READ or EV_WRITE), < 0 when it failed: `error` says why, in a few words.  The end of
 * the stream is a failure, "connection closed".  SIGPIPE must be ignored.
 */
#ifndef LBD_HEALTH_STREAM_H
#define LBD_HEALTH_STREAM_H

#include <sys/types.h>

#include "common/address.h"
#include "lbd/tls/upstream.h"

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

/* From now on TLS, with the server of that name or address. */
int stream_use_tls(struct stream *, const struct tls_upstream *, struct str host);
int stream_handshake(struct stream *);

/* Before the handshake: what is spoken is no HTTP. */
void stream_offer_nothing(struct stream *);

/* By ALPN; false without TLS. */
bool stream_chose_h2(const struct stream *);

ssize_t stream_write(struct stream *, const char *text, size_t n);
ssize_t stream_read(struct stream *, char *text, size_t n);

#endif
