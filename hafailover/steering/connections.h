/*
 * connections.h - how many TCP connections the kernel still has at the virtual addresses.
 *
 * The kernel is asked (sock_diag), not lbd: what lbd has closed may still have an answer on its way,
 * and must not lose its address before that has arrived.  Counted every 100 ms, or less often where
 * there are many; a part of the answer is read in each turn of the loop.  On the loop's thread.
 */
#ifndef HAFAILOVER_STEERING_CONNECTIONS_H
#define HAFAILOVER_STEERING_CONNECTIONS_H

#include <ev.h>

#include "common/address.h"
#include "common/err.h"

struct connections;

struct connections_options {
	const struct address *vips; /* copied; ports are ignored */
	size_t n_vips;
	bool first_only; /* new ones, that came after the first count, do not matter */
	void (*counted)(void *owner, uint32_t n); /* may call connections_stop */
	void *owner;
};

/* Counts until it is stopped.  NULL: see err. */
struct connections *
connections_start(struct ev_loop *, const struct connections_options *, struct err *);
void connections_stop(struct connections **);

#endif
