/*
 * arp_nd.h - ARP (RFC 826, 5227) and neighbour discovery (RFC 4861) as Ethernet frames.  Pure.
 *
 * Only what announcing, asking and watching addresses needs: frames are built whole, with their
 * checksums, and read back into one message type that is the same for both families.
 */
#ifndef HAFAILOVER_LINK_ARP_ND_H
#define HAFAILOVER_LINK_ARP_ND_H

#include <linux/filter.h>

#include "common/address.h"

enum { ARP_ND_MAC = 6, ARP_ND_FRAME_MAX = 86 };

struct arp_nd_frame {
	uint8_t bytes[ARP_ND_FRAME_MAX];
	uint16_t n;
};

/*
 * To everybody: `address` is at `mac`.  IPv4: a gratuitous ARP request or, some listen only to
 * that, a reply.  IPv6: an unsolicited advertisement to all nodes that overrides; `reply` is
 * ignored.
 */
void arp_nd_announce(
    struct arp_nd_frame *, const struct address *, const uint8_t mac[ARP_ND_MAC], bool reply);

/*
 * To everybody: who has `target`?  `source` is an address of the sender that neighbours may
 * remember, or NULL: then nobody's memory is touched (sender 0.0.0.0 as in RFC 5227, or ::).
 */
void arp_nd_ask(struct arp_nd_frame *, const struct address *target, const struct address *source,
    const uint8_t mac[ARP_ND_MAC]);

enum arp_nd_type {
	ARP_ND_QUESTION, /* who has `address`? */
	ARP_ND_CLAIM, /* `address` is at `mac` */
};

struct arp_nd_message {
	enum arp_nd_type type;
	struct address address; /* port 0 */
	uint8_t mac[ARP_ND_MAC]; /* of the claim; of the asker */
};

/*
 * 1 and the message, or 0 for a frame that is none of ours.  An ARP request with a sender address
 * is a claim of that address.  Advertisements must be valid by RFC 4861, 7.1.2: hop limit,
 * checksum, lengths.
 */
int arp_nd_parse(struct str frame, struct arp_nd_message *);

/*
 * Socket filters for raw packet sockets.  ARP: Ethernet and IPv4.  ND: advertisements with hop
 * limit 255, no extension headers.  The count of instructions; they fit into ARP_ND_FILTER_MAX.
 */
enum { ARP_ND_FILTER_MAX = 16 };
unsigned short arp_nd_filter_arp(struct sock_filter[ARP_ND_FILTER_MAX]);
unsigned short arp_nd_filter_nd(struct sock_filter[ARP_ND_FILTER_MAX]);

#endif
