/*
 * tcp_listen.h - opens the listening TCP sockets of one address.
 *
 * With SO_REUSEPORT the kernel lets a second lbd of the same user share our addresses in silence; so an address
 * is first tried without it, unless we have sockets on that port ourselves.  An address that this machine does
 * not have (a virtual IP that the other node holds) is listened on all the same, and the log says so.
 */
#ifndef LBD_SUPERVISOR_TCP_LISTEN_H
#define LBD_SUPERVISOR_TCP_LISTEN_H

#include "common/address.h"

struct tcp_listen_options {
	unsigned n; /* sockets that share the address */
	bool port_is_ours; /* then nobody else can be on it */
};

/* Fills fds[n].  0, or -errno with a reason: what was opened is then in fds, the rest -1. */
int
tcp_listen_open(const struct address *, const struct tcp_listen_options *, int *fds, struct err *);

bool tcp_listen_same_port(const struct address *, const struct address *);

#endif
