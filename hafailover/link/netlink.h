/*
 * netlink.h - a NETLINK_ROUTE socket that never waits.
 *
 * The kernel works on a request of this family within sendmsg and on a dump within recvmsg, so that
 * answers are there at once; what is not there is an error, not a reason to wait.  Messages that do
 * not come from the kernel are ignored.
 */
#ifndef HAFAILOVER_LINK_NETLINK_H
#define HAFAILOVER_LINK_NETLINK_H

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "common/err.h"

/* NULL: see err. */
struct nl_sock *netlink_open(struct err *);
void netlink_close(struct nl_sock **);

/* Sends the message, consumes it, and reads the answer.  0 or what the kernel said. */
int netlink_request(struct nl_sock *, struct nl_msg **, struct err *);

/* Reads whatever the family has of that RTM_GET type.  0 or -errno. */
int netlink_dump(struct nl_sock *, int type, void (*each)(void *owner, struct nlmsghdr *),
    void *owner, struct err *);

/* Hands over what has been reported.  0, or -ENOBUFS if reports were lost, or another -errno. */
int netlink_drain(
    struct nl_sock *, void (*each)(void *owner, struct nlmsghdr *), void *owner, struct err *);

#endif
