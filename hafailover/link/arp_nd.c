/*
 * arp_nd.c - offsets are from the start of the Ethernet frame; ARP and ND have fixed layouts, so
 * they are plain constants here.
 */
#include "hafailover/link/arp_nd.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <string.h>

#include "hafailover/link/internet_sum.h"

enum {
	ETH_SOURCE = ARP_ND_MAC,
	ETH_TYPE = 12,
	ETH_END = 14,

	ARP_OPERATION = ETH_END + 6,
	ARP_SENDER_MAC = ETH_END + 8,
	ARP_SENDER = ETH_END + 14,
	ARP_TARGET_MAC = ETH_END + 18,
	ARP_TARGET = ETH_END + 24,
	ARP_END = ETH_END + 28,

	IP6_LENGTH = ETH_END + 4,
	IP6_NEXT = ETH_END + 6,
	IP6_HOPS = ETH_END + 7,
	IP6_SOURCE = ETH_END + 8,
	IP6_TO = ETH_END + 24,
	IP6_END = ETH_END + 40,

	ND_CHECKSUM = IP6_END + 2,
	ND_FLAGS = IP6_END + 4,
	ND_TARGET = IP6_END + 8,
	ND_END = IP6_END + 24, /* options follow */

	ND_OPTION = 8, /* with a MAC in it */
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};

_Static_assert((int)ND_END + (int)ND_OPTION == (int)ARP_ND_FRAME_MAX, "our largest frame");

static const uint8_t arp_head[6] = { 0, 1, 8, 0, 6, 4 }; /* Ethernet, IPv4, their lengths */
static const uint8_t broadcast[ARP_ND_MAC] = { 255, 255, 255, 255, 255, 255 };

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void
ethernet_put(struct arp_nd_frame *f, const uint8_t *to, const uint8_t *from, unsigned type, int n)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->bytes, to, ARP_ND_MAC);
	memcpy(f->bytes + ETH_SOURCE, from, ARP_ND_MAC);
	put16(f->bytes + ETH_TYPE, type);
	f->n = (uint16_t)n;
}

/* `sender` may be NULL. */
static void
arp_put(struct arp_nd_frame *f, unsigned operation, const uint8_t *mac,
    const struct sockaddr_in *sender, const struct sockaddr_in *target)
{
	ethernet_put(f, broadcast, mac, ETHERTYPE_ARP, ARP_END);
	memcpy(f->bytes + ETH_END, arp_head, sizeof(arp_head));
	put16(f->bytes + ARP_OPERATION, operation);
	memcpy(f->bytes + ARP_SENDER_MAC, mac, ARP_ND_MAC);
	if (sender)
		memcpy(f->bytes + ARP_SENDER, &sender->sin_addr, 4);
	memcpy(f->bytes + ARP_TARGET, &target->sin_addr, 4);
}

/* Over the pseudo header and `n` bytes from IP6_END on; 0 if a checksum in there is right. */
static uint16_t
icmp6_sum(const uint8_t *frame, size_t n)
{
	uint32_t sum = internet_sum_add(
	    (uint32_t)n + IPPROTO_ICMPV6, frame + IP6_SOURCE, IP6_END - IP6_SOURCE + n);

	return (uint16_t)~internet_sum_fold(sum);
}

/* `from` NULL: the unspecified address.  `option` 0: none. */
static void
nd_put(struct arp_nd_frame *f, uint8_t type, const uint8_t *mac, const struct in6_addr *from,
    const struct in6_addr *to, const struct in6_addr *target, uint8_t option)
{
	size_t n = ND_END - IP6_END + (option ? ND_OPTION : 0);
	uint8_t group[ARP_ND_MAC] = { 0x33, 0x33 }, *p = f->bytes;

	memcpy(group + 2, to->s6_addr + 12, 4);
	ethernet_put(f, group, mac, ETHERTYPE_IPV6, IP6_END + (int)n);
	p[ETH_END] = 0x60;
	put16(p + IP6_LENGTH, (unsigned)n);
	p[IP6_NEXT] = IPPROTO_ICMPV6;
	p[IP6_HOPS] = 255;
	if (from)
		memcpy(p + IP6_SOURCE, from, 16);
	memcpy(p + IP6_TO, to, 16);
	p[IP6_END] = type;
	if (type == ND_NEIGHBOR_ADVERT)
		p[ND_FLAGS] = 0x20; /* override; not solicited, and not a router */
	memcpy(p + ND_TARGET, target, 16);
	if (option) {
		p[ND_END] = option;
		p[ND_END + 1] = 1; /* times 8 bytes */
		memcpy(p + ND_END + 2, mac, ARP_ND_MAC);
	}
	put16(p + ND_CHECKSUM, icmp6_sum(p, n));
}

void
arp_nd_announce(struct arp_nd_frame *f, const struct address *address,
    const uint8_t mac[ARP_ND_MAC], bool reply)
{
	static const struct in6_addr all_nodes = { { { 0xff, 2, [15] = 1 } } };

	if (address->sa.sa_family == AF_INET6) {
		const struct in6_addr *a = &address->in6.sin6_addr;

		nd_put(f, ND_NEIGHBOR_ADVERT, mac, a, &all_nodes, a, ND_OPT_TARGET_LINKADDR);
		return;
	}
	arp_put(f, reply ? ARP_REPLY : ARP_REQUEST, mac, &address->in, &address->in);
	if (reply) /* in a request it is zero, by RFC 5227 */
		memcpy(f->bytes + ARP_TARGET_MAC, mac, ARP_ND_MAC);
}

void
arp_nd_ask(struct arp_nd_frame *f, const struct address *target, const struct address *source,
    const uint8_t mac[ARP_ND_MAC])
{
	struct in6_addr group = { { { 0xff, 2, [11] = 1, [12] = 0xff } } };

	if (target->sa.sa_family == AF_INET6) {
		memcpy(group.s6_addr + 13, target->in6.sin6_addr.s6_addr + 13, 3);
		nd_put(f, ND_NEIGHBOR_SOLICIT, mac, source ? &source->in6.sin6_addr : NULL, &group,
		    &target->in6.sin6_addr, source ? ND_OPT_SOURCE_LINKADDR : 0);
		return;
	}
	arp_put(f, ARP_REQUEST, mac, source ? &source->in : NULL, &target->in);
}

static void
message_address4(struct arp_nd_message *m, const uint8_t *p)
{
	m->address.in.sin_family = AF_INET;
	m->address.len = sizeof(m->address.in);
	memcpy(&m->address.in.sin_addr, p, 4);
}

static int
arp_parse(const uint8_t *p, size_t n, struct arp_nd_message *m)
{
	static const uint8_t nobody[4];
	unsigned operation;

	if (n < ARP_END || memcmp(p + ETH_END, arp_head, sizeof(arp_head)) != 0)
		return 0;
	operation = get16(p + ARP_OPERATION);
	if (operation != ARP_REQUEST && operation != ARP_REPLY)
		return 0;
	memcpy(m->mac, p + ARP_SENDER_MAC, ARP_ND_MAC);
	if (memcmp(p + ARP_SENDER, nobody, 4) != 0) {
		m->type = ARP_ND_CLAIM;
		message_address4(m, p + ARP_SENDER);
		return 1;
	}
	m->type = ARP_ND_QUESTION;
	message_address4(m, p + ARP_TARGET);
	return operation == ARP_REQUEST;
}

/* Looks through all options; false if they are not well formed. */
static bool
nd_options(const uint8_t *p, size_t n, uint8_t wanted, uint8_t mac[ARP_ND_MAC])
{
	size_t size;

	for (; n; p += size, n -= size) {
		if (n < ND_OPTION)
			return false;
		size = (size_t)p[1] * 8;
		if (size == 0 || size > n)
			return false;
		if (p[0] == wanted && size == ND_OPTION)
			memcpy(mac, p + 2, ARP_ND_MAC);
	}
	return true;
}

static int
nd_parse(const uint8_t *p, size_t n, struct arp_nd_message *m)
{
	bool advert;
	size_t size;

	if (n < ND_END || p[ETH_END] >> 4 != 6 || p[IP6_NEXT] != IPPROTO_ICMPV6 ||
	    p[IP6_HOPS] != 255)
		return 0;
	size = get16(p + IP6_LENGTH); /* what follows in the frame is padding */
	if (size < ND_END - IP6_END || size > n - IP6_END || icmp6_sum(p, size) != 0)
		return 0;
	advert = p[IP6_END] == ND_NEIGHBOR_ADVERT;
	if ((!advert && p[IP6_END] != ND_NEIGHBOR_SOLICIT) || p[IP6_END + 1] != 0)
		return 0;
	if (p[ND_TARGET] == 0xff || (advert && p[IP6_TO] == 0xff && p[ND_FLAGS] & 0x40))
		return 0; /* multicast is nobody's; an answer to nobody was not asked for */
	m->type = advert ? ARP_ND_CLAIM : ARP_ND_QUESTION;
	m->address.in6.sin6_family = AF_INET6;
	m->address.len = sizeof(m->address.in6);
	memcpy(&m->address.in6.sin6_addr, p + ND_TARGET, 16);
	memcpy(m->mac, p + ETH_SOURCE, ARP_ND_MAC);
	return nd_options(p + ND_END, size - (ND_END - IP6_END),
	    advert ? ND_OPT_TARGET_LINKADDR : ND_OPT_SOURCE_LINKADDR, m->mac);
}

int
arp_nd_parse(struct str frame, struct arp_nd_message *m)
{
	const uint8_t *p = (const uint8_t *)frame.p;

	memset(m, 0, sizeof(*m));
	if (frame.n < ETH_END)
		return 0;
	if (get16(p + ETH_TYPE) == ETHERTYPE_ARP)
		return arp_parse(p, frame.n, m);
	if (get16(p + ETH_TYPE) == ETHERTYPE_IPV6)
		return nd_parse(p, frame.n, m);
	return 0;
}

struct condition {
	unsigned short load; /* BPF_B, BPF_H or BPF_W */
	uint32_t at, value;
};

/* All conditions must hold. */
static unsigned short
filter_all(struct sock_filter *f, const struct condition *c, unsigned short n)
{
	unsigned short i, k = 0;

	for (i = 0; i < n; i++) {
		f[k++] = (struct sock_filter)BPF_STMT(BPF_LD | c[i].load | BPF_ABS, c[i].at);
		f[k] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c[i].value, 0, 0);
		f[k].jf = (uint8_t)(2 * n - k); /* to the last instruction */
		k++;
	}
	f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	f[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return k;
}

unsigned short
arp_nd_filter_arp(struct sock_filter f[ARP_ND_FILTER_MAX])
{
	static const struct condition c[] = {
		{ BPF_H, ETH_TYPE, ETHERTYPE_ARP },
		{ BPF_W, ETH_END, 0x00010800 },
		{ BPF_H, ETH_END + 4, 0x0604 },
	};

	return filter_all(f, c, sizeof(c) / sizeof(*c));
}

unsigned short
arp_nd_filter_nd(struct sock_filter f[ARP_ND_FILTER_MAX])
{
	static const struct condition c[] = {
		{ BPF_H, ETH_TYPE, ETHERTYPE_IPV6 },
		{ BPF_B, IP6_NEXT, IPPROTO_ICMPV6 },
		{ BPF_B, IP6_HOPS, 255 },
		{ BPF_B, IP6_END, ND_NEIGHBOR_ADVERT },
	};

	return filter_all(f, c, sizeof(c) / sizeof(*c));
}
