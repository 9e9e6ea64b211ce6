/*
 * vrrp_wire.h - VRRP advertisements: RFC 9568 (version 3) and RFC 3768 (version 2).  Pure.
 *
 *   0  version << 4 | 1     1  virtual router     2  priority     3  count of addresses
 *   4  version 3: 4 bits 0, then 12 bits of interval in hundredths of a second
 *      version 2: authentication type, then the interval in seconds
 *   6  checksum             8  addresses, 4 or 16 bytes each; version 2: 8 bytes of password more
 *
 * What is refused is what keepalived refuses, so that both sides of a pair see the same peer.  The
 * checksum of version 3 over IPv4 is the exception: RFC 9568 has it without a pseudo header, RFC
 * 5798 was read both ways, and old keepalived put the multicast group into it even for unicast.  Any
 * of these is taken; which one is sent is configured.
 */
#ifndef HAFAILOVER_VRRP_VRRP_WIRE_H
#define HAFAILOVER_VRRP_VRRP_WIRE_H

#include <netinet/in.h>

#include "common/str.h"

enum {
	VRRP_PROTOCOL = 112,
	VRRP_TTL = 255,
	VRRP_HEADER = 8,
	VRRP_PASSWORD = 8,
	VRRP_ADDRESSES_MAX = 255,
	VRRP_ADDRESSES6_MAX = 90, /* what fits into a frame of 1500 bytes */
	VRRP_PACKET_MAX = VRRP_HEADER + 16 * VRRP_ADDRESSES6_MAX,
	VRRP_IP4_MAX = VRRP_PACKET_MAX + 60, /* with the longest header */
};

/* Where a packet came from or goes to, as the pseudo header has it; IPv4 fills 4 bytes. */
struct vrrp_ends {
	bool v6;
	uint8_t from[16], to[16];
	uint8_t ttl;
};

struct vrrp_advertisement {
	uint8_t version, id, priority;
	int64_t interval_ns;
	uint8_t authentication; /* of version 2: 0 none, 1 password */
	uint8_t password[VRRP_PASSWORD];
	const uint8_t *addresses; /* borrowed, of the family of the ends */
	uint8_t n_addresses;
};

/* One virtual router as this node takes part in it. */
struct vrrp_router {
	bool v6, multicast;
	bool plain_sum; /* version 3 over IPv4: without pseudo header */
	uint8_t version, id;
	int64_t interval_ns;
	bool authenticated;
	uint8_t password[VRRP_PASSWORD];
	uint8_t peer[16]; /* unicast: nobody else is heard */
	uint8_t addresses[VRRP_PACKET_MAX]; /* one after the other */
	uint8_t n_addresses;
};

enum vrrp_result {
	VRRP_OK,
	VRRP_ERROR, /* the system refused to send or to receive */
	VRRP_OTHER_ROUTER, /* of another virtual router: nothing to us */
	VRRP_STRANGER, /* not from the peer, or multicast where unicast is configured, or reverse */
	VRRP_FORWARDED, /* multicast with a TTL below 255: it came through a router */
	VRRP_MALFORMED,
	VRRP_OTHER_VERSION,
	VRRP_OTHER_PASSWORD, /* or another kind of authentication */
	VRRP_OTHER_INTERVAL, /* version 2: the nodes have to agree */
	VRRP_BAD_SUM,
	VRRP_RESULTS,
};

/* "ok", "other_router", ... */
const char *vrrp_result_name(enum vrrp_result);

/* 224.0.0.18 or ff02::12. */
void vrrp_group(bool v6, uint8_t address[16]);

/* The packet that this router sends; its length. */
size_t vrrp_encode(uint8_t bytes[VRRP_PACKET_MAX], const struct vrrp_router *, uint8_t priority,
    const struct vrrp_ends *);

/* What came; *a is valid with VRRP_OK only and borrows from the packet. */
enum vrrp_result vrrp_decode(struct vrrp_advertisement *a, const struct vrrp_router *,
    struct str packet, const struct vrrp_ends *);

/* Takes the header off what a raw IPv4 socket received.  False: it is none that makes sense. */
bool vrrp_ip4_strip(struct str *packet, struct vrrp_ends *);

/* The same addresses in the same order? */
bool vrrp_same_addresses(const struct vrrp_router *, const struct vrrp_advertisement *);

#endif
