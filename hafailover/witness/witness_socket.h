/*
 * witness_socket.h - a UDP socket that is asked, and answers from the address that was asked: a
 * machine with several has no other way to be known by its questioners.
 */
#ifndef HAFAILOVER_WITNESS_WITNESS_SOCKET_H
#define HAFAILOVER_WITNESS_WITNESS_SOCKET_H

#include <ev.h>

#include "common/address.h"

struct witness_socket;

struct witness_socket_events {
	/* What to answer, and its length; NULL: nothing. */
	const uint8_t *(*packet)(
	    void *owner, struct str packet, const struct address *from, size_t *n);
	void *owner;
};

/* NULL: see err. */
struct witness_socket *witness_socket_open(
    struct ev_loop *, const struct address *, const struct witness_socket_events *, struct err *);
void witness_socket_close(struct witness_socket **);

#endif
