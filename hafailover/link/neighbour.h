/*
 * neighbour.h - sends and hears ARP and neighbour discovery on raw packet sockets.
 *
 * One socket sends on all interfaces.  Hearing costs something for each packet, so that it is done
 * only where somebody listens: for each interface and family one socket with a filter in the
 * kernel. Announcements and probes are built on this; it knows nothing of either.
 */
#ifndef HAFAILOVER_LINK_NEIGHBOUR_H
#define HAFAILOVER_LINK_NEIGHBOUR_H

#include "hafailover/link/arp_nd.h"
#include "hafailover/link/link.h"

struct neighbour_table;
struct tap;

struct neighbour_listener {
	int link; /* index of the interface */
	int family; /* AF_INET or AF_INET6 */
	/* Not called for frames from a MAC of this host.  It may add and remove listeners. */
	void (*heard)(void *owner, const struct arp_nd_message *, int link);
	void *owner;
	/* Of neighbour.c. */
	struct tap *tap;
	struct neighbour_listener *next;
};

/* NULL: see err; it names the capability that is missing. */
struct neighbour_table *neighbour_open(struct ev_loop *, struct link_table *, struct err *);
void neighbour_close(struct neighbour_table **);

/* It stays the caller's and must be removed before it goes.  0 or -errno with a reason. */
int neighbour_listen(struct neighbour_table *, struct neighbour_listener *, struct err *);
void neighbour_unlisten(struct neighbour_table *, struct neighbour_listener *);

/* 0 or -errno: -EAGAIN, -ENOBUFS, -ENETDOWN, -ENXIO. */
int neighbour_send(struct neighbour_table *, int link, const struct arp_nd_frame *);

/* Hears now what has arrived and not yet been heard. */
void neighbour_drain(struct neighbour_table *, int link, int family);

const struct link_table *neighbour_links(const struct neighbour_table *);

#endif
