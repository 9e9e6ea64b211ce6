/*
 * address.h - where a socket listens or connects: IPv4, IPv6 or a unix socket path; and networks.
 *
 * Pure: names are never resolved here.
 */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/err.h"
#include "common/str.h"

struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

/* "192.0.2.1:80", "[2001:db8::1]:80", "unix:/path".  0 or -EINVAL with a reason. */
int address_parse(struct address *, struct str text, struct err *);

/* "192.0.2.1", "2001:db8::1": port 0.  False: something else. */
bool address_parse_host(struct address *, struct str text);

/* As address_parse reads it.  Always NUL-terminated; returns the length. */
enum { ADDRESS_TEXT_MAX = 128 };
size_t address_format(const struct address *, char text[ADDRESS_TEXT_MAX]);

/* The address alone, without port or brackets; "unix" for unix sockets. */
size_t address_format_host(const struct address *, char text[ADDRESS_TEXT_MAX]);

bool address_equal(const struct address *, const struct address *);

/* The 16 bytes of an internet address, IPv4 as ::ffff:a.b.c.d.  False for unix sockets. */
bool address_ip(const struct address *, uint8_t ip[16]);
bool ip_is_mapped(const uint8_t ip[16]); /* it is IPv4 */

struct network {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix; /* 0..128 over all 16 bytes */
};

/* "10.0.0.0/8", "192.0.2.1", "2001:db8::/32". */
int network_parse(struct network *, struct str text, struct err *);

/* As network_parse reads it, with its prefix length. */
size_t network_format(const struct network *, char text[ADDRESS_TEXT_MAX]);

/* Keeps the first `prefix` bits; true if that changed nothing. */
bool network_mask(uint8_t ip[16], unsigned prefix);

/*
 * An IPv4 address is only in IPv4 networks: "::/0" is all of IPv6 and no more.  Unix sockets
 * are in none.
 */
bool network_holds(const struct network *, const struct address *);

#endif
