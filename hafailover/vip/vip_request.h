/*
 * vip_request.h - the two requests to the kernel that virtual addresses need.
 */
#ifndef HAFAILOVER_VIP_VIP_REQUEST_H
#define HAFAILOVER_VIP_VIP_REQUEST_H

#include <netlink/netlink.h>

#include "common/address.h"
#include "common/err.h"

struct vip_request {
	const struct address *address;
	uint8_t prefix;
	int link; /* index of the interface */
};

/* Adds, renews or adopts, with our mark.  `lease_s` 0: for ever.  0 or -errno with a reason. */
int vip_request_put(struct nl_sock *, const struct vip_request *, uint32_t lease_s, struct err *);

/* What is not there (any more) is deleted.  0 or -errno with a reason. */
int vip_request_delete(struct nl_sock *, const struct vip_request *, struct err *);

/* May this process do either?  0, or -errno with a reason that names what is missing. */
int vip_request_check(struct nl_sock *, struct err *);

#endif
