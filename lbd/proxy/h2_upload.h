/*
 * h2_upload.h - how much of a body an HTTP/2 client may send ahead.
 *
 * Over a long line the window is what bounds the speed, and whatever it allows may have to be held.  So every
 * stream begins with one that is enough for forms (H2_WINDOW_STREAM), and one stream of a connection at a time gets
 * a wide one, when its server has proved that it takes the body as fast as it comes.  If that stops all the same,
 * less than 1 MB is held.
 */
#ifndef LBD_PROXY_H2_UPLOAD_H
#define LBD_PROXY_H2_UPLOAD_H

#include "lbd/proxy/h2_stream.h"

/* The exchange took so much more of the body. */
void h2_upload_taken(struct h2_stream *, size_t n);

/* It takes no more. */
void h2_upload_end(struct h2_stream *);

#endif
