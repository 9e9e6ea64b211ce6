/*
 * dns_address.h - an address as DNS has it: 16 bytes, IPv4 as ::ffff:a.b.c.d.  Pure.
 */
#ifndef LBD_RESOLVE_DNS_ADDRESS_H
#define LBD_RESOLVE_DNS_ADDRESS_H

#include "common/address.h"

enum dns_family { DNS_IPV4, DNS_IPV6, DNS_FAMILIES };

struct dns_address {
	uint8_t bytes[16];
};

enum dns_family dns_address_family(const struct dns_address *);
bool dns_address_equal(const struct dns_address *, const struct dns_address *);

/* Can a server have it?  Not "any", not multicast. */
bool dns_address_usable(const struct dns_address *);

/* With a port, to connect to. */
struct address dns_address_socket(const struct dns_address *, uint16_t port);

/* "192.0.2.1", "2001:db8::1", and back; false: that is none. */
size_t dns_address_format(const struct dns_address *, char text[ADDRESS_TEXT_MAX]);
bool dns_address_parse(struct dns_address *, struct str text);

#endif
