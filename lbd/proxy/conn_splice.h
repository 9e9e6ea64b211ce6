/*
 * conn_splice.h - bytes of a plain connection into a pipe, and out of one: what conn_read and conn_send do, without
 * a copy.  Out of one also where the kernel makes the records of TLS.
 */
#ifndef LBD_PROXY_CONN_SPLICE_H
#define LBD_PROXY_CONN_SPLICE_H

#include "lbd/proxy/conn.h"
#include "lbd/proxy/pipe.h"

/* As conn_read, into a pipe that is empty.  Nothing may have been kept. */
ssize_t conn_splice_in(struct conn *, struct pipe *);

/* As conn_flush: 0 when the pipe is empty, -EAGAIN, or -errno: broken. */
int conn_splice_out(struct conn *, struct pipe *);

#endif
