/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * steering.bpf.c - a planned move that breaks no connection: two tc programs, ingress and egress.
 *
 * The new node steers: it serves new connections and those that it knows, and sends every other
 * packet of a virtual address's TCP to the peer, out of the interface on which it came.  What it
 * knows is what the kernel's socket table says: an established socket, a pending one, or a listener
 * whose SYN cookie this is.  TIME_WAIT is no knowledge: the same ports may be in use at the peer,
 * which served meanwhile, and who is late there loses nothing but an answer to his FIN.
 *
 * The old node hushes: it still has the address, and takes what still comes, but nobody must learn
 * it from there.  Questions for it are dropped on their way in.  Those that the kernel itself asks
 * with the address as their sender, and would so announce it, leave in the node's own name.
 *
 * Both end by themselves: see steering_map.h.  When in doubt a packet passes: it is then as if the
 * program were not there.
 */
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "hafailover/steering/steering_map.h"

#define INLINE static __attribute__((always_inline)) inline
/* Keeps branches that differ in an offset from becoming one with a sum: the verifier refuses that. */
#define APART(branch) asm volatile("" ::"i"(branch) : "memory")

/* linux/icmp.h and linux/if_arp.h bring the C library with them. */
enum { ARP_ASKS = 1 };
enum { ERROR_UNREACHABLE = 3, ERROR_TIME_EXCEEDED = 11, ERROR_PARAMETER = 12, ERROR_HEADER = 8 };

enum { INET = 2, INET6 = 10 };
enum { EXTENSIONS_MAX = 8, TAGS_MAX = 2, VID = 0x0fff };
enum { IP4_MORE = 0x2000, IP4_OFFSET = 0x1fff, IP6_MORE = 1, IP6_OFFSET = 0xfff8 };
enum { ND_SOLICIT = 135, ND_ADVERT = 136, ND_TARGET = 8 };
enum { FRAGMENT_NS = 30 * 1000000000LL }; /* as long as the kernel waits for the others */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEERING_RULES_MAX);
	__type(key, struct steering_key);
	__type(value, struct steering_rule);
} rules SEC(".maps");

/* How many rules there are: all that is looked at while nothing moves. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} busy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEERING_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STEERING_FRAGMENTS_MAX);
	__type(key, struct steering_fragment_key);
	__type(value, struct steering_fragment);
} fragments SEC(".maps");

/*
 * What a packet turned out to be, and what is made of it for calls of the kernel.  Not on the stack:
 * without CAP_PERFMON the verifier of Linux 6.1 lets nobody write half of a word there whose other
 * half holds a number that it knows something of.
 */
struct packet {
	struct steering_key key; /* our end */
	__u8 from[16]; /* the other's */
	__u32 at; /* where the network header begins */
	__u32 payload; /* where its payload begins */
	__u32 fragment_id;
	__u8 protocol;
	__u8 first, more; /* fragments: this is the first; others follow */
	__u8 hops[2]; /* IPv4: and the protocol, to fill a word of the sum */
	__u8 macs[2 * ETH_ALEN];
	struct bpf_sock_tuple tuple;
	struct steering_fragment_key fragment_key;
	struct steering_fragment fragment;
};

/* The way out may be taken in the middle of the way in: bpf_clone_redirect. */
enum { ON_ITS_WAY_IN, ON_ITS_WAY_OUT, WAYS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WAYS);
	__type(key, __u32);
	__type(value, struct packet);
} packets SEC(".maps");

struct arp_ether {
	__be16 hardware, protocol;
	__u8 lengths[2];
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target[4];
} __attribute__((packed));

INLINE void
count(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &which);

	if (n)
		(*n)++;
}

INLINE int
idle(void)
{
	__u32 zero = 0, *n = bpf_map_lookup_elem(&busy, &zero);

	return !n || !*n;
}

/* Never none; the verifier wants to see that looked at. */
INLINE struct packet *
packet_of(struct __sk_buff *skb, __u32 way)
{
	struct packet *p = bpf_map_lookup_elem(&packets, &way);

	if (p) {
		__builtin_memset(p, 0, sizeof(*p));
		p->key.link = skb->ifindex;
	}
	return p;
}

INLINE struct steering_rule *
rule_of(struct steering_key *key, __u32 mode)
{
	struct steering_rule *r = bpf_map_lookup_elem(&rules, key);

	if (!r || !(r->mode & mode) || bpf_ktime_get_ns() >= r->until_ns)
		return 0;
	return r;
}

/*
 * Past the tags; 0: it is not for this interface.  Tag 0 is a priority alone; any other belongs to
 * a VLAN's interface, which has a program of its own if it has a virtual address.
 */
INLINE __u32
network_header(struct __sk_buff *skb, __be16 *protocol)
{
	__u32 at = offsetof(struct ethhdr, h_proto);
	__be16 tci;

	if (skb->vlan_present && (skb->vlan_tci & VID))
		return 0;
	for (int i = 0; i <= TAGS_MAX; i++) {
		if (bpf_skb_load_bytes(skb, at, protocol, sizeof(*protocol)) < 0)
			return 0;
		if (*protocol != bpf_htons(ETH_P_8021Q) && *protocol != bpf_htons(ETH_P_8021AD))
			return at + sizeof(*protocol);
		if (bpf_skb_load_bytes(skb, at + 2, &tci, sizeof(tci)) < 0 ||
		    (bpf_ntohs(tci) & VID))
			return 0;
		at += 4;
	}
	return 0;
}

/* --- the peer's packets --- */

INLINE int
came_from(struct __sk_buff *skb, const struct steering_rule *r)
{
	__u8 mac[ETH_ALEN];

	if (bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_source), mac, ETH_ALEN) < 0)
		return 0;
	for (int i = 0; i < ETH_ALEN; i++)
		if (mac[i] != r->peer[i])
			return 0;
	return 1;
}

/* A router in the eyes of the packet: no loop lives longer than its hops. */
INLINE int
hop(struct __sk_buff *skb, struct packet *p)
{
	__u32 at = p->at +
	    (p->key.family == INET ? offsetof(struct iphdr, ttl)
				   : offsetof(struct ipv6hdr, hop_limit));
	__be16 was, now;

	if (bpf_skb_load_bytes(skb, at, p->hops, sizeof(p->hops)) < 0 || p->hops[0] <= 1)
		return -1;
	__builtin_memcpy(&was, p->hops, sizeof(was));
	p->hops[0]--;
	__builtin_memcpy(&now, p->hops, sizeof(now));
	if (p->key.family == INET &&
	    bpf_l3_csum_replace(skb, p->at + offsetof(struct iphdr, check), was, now, sizeof(now)) <
		0)
		return -1;
	return bpf_skb_store_bytes(skb, at, p->hops, 1, 0);
}

/* Our own MAC, which it came to, is now its sender: switches must not learn the client's here. */
INLINE int
address_to(struct __sk_buff *skb, struct packet *p, const struct steering_rule *r)
{
	if (bpf_skb_load_bytes(skb, 0, p->macs + ETH_ALEN, ETH_ALEN) < 0 || hop(skb, p) < 0) {
		count(STEERING_EXPIRED);
		return -1;
	}
	for (int i = 0; i < ETH_ALEN; i++)
		p->macs[i] = r->peer[i];
	if (bpf_skb_store_bytes(skb, 0, p->macs, sizeof(p->macs), 0) < 0)
		return -1;
	count(STEERING_STEERED);
	return 0;
}

INLINE int
steer(struct __sk_buff *skb, struct packet *p, const struct steering_rule *r)
{
	if (address_to(skb, p, r) < 0)
		return TC_ACT_SHOT;
	return bpf_redirect(skb->ifindex, 0);
}

/* --- who knows the connection? --- */

INLINE struct bpf_sock *
socket_of(struct __sk_buff *skb, struct packet *p, __be16 from_port, __be16 to_port)
{
	struct bpf_sock_tuple *t = &p->tuple;

	if (p->key.family == INET) {
		__builtin_memcpy(&t->ipv4.saddr, p->from, 4);
		__builtin_memcpy(&t->ipv4.daddr, p->key.address, 4);
		t->ipv4.sport = from_port;
		t->ipv4.dport = to_port;
		APART(INET);
		return bpf_skc_lookup_tcp(skb, t, sizeof(t->ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(t->ipv6.saddr, p->from, 16);
	__builtin_memcpy(t->ipv6.daddr, p->key.address, 16);
	t->ipv6.sport = from_port;
	t->ipv6.dport = to_port;
	APART(INET6);
	return bpf_skc_lookup_tcp(skb, t, sizeof(t->ipv6), BPF_F_CURRENT_NETNS, 0);
}

INLINE int
is_cookie(struct __sk_buff *skb, struct packet *p, struct bpf_sock *listener, struct tcphdr *tcp)
{
	struct iphdr ip4;
	struct ipv6hdr ip6;

	if (p->key.family == INET)
		return bpf_skb_load_bytes(skb, p->at, &ip4, sizeof(ip4)) == 0 &&
		    bpf_tcp_check_syncookie(listener, &ip4, sizeof(ip4), tcp, sizeof(*tcp)) == 0;
	return bpf_skb_load_bytes(skb, p->at, &ip6, sizeof(ip6)) == 0 &&
	    bpf_tcp_check_syncookie(listener, &ip6, sizeof(ip6), tcp, sizeof(*tcp)) == 0;
}

INLINE int
is_kept(struct __sk_buff *skb, struct packet *p, struct tcphdr *tcp)
{
	struct bpf_sock *sk;
	__u32 state;
	int cookie;

	if (tcp->syn && !tcp->ack) {
		count(STEERING_OPENED);
		return 1;
	}
	sk = socket_of(skb, p, tcp->source, tcp->dest);
	if (!sk)
		return 0;
	state = sk->state;
	cookie = state == BPF_TCP_LISTEN && is_cookie(skb, p, sk, tcp);
	bpf_sk_release(sk);
	if (cookie)
		count(STEERING_COOKIES);
	return cookie || (state != BPF_TCP_LISTEN && state != BPF_TCP_TIME_WAIT);
}

/* An error of the network speaks of what we sent: the addresses and ports in it are turned round. */
INLINE int
is_kept_error(struct __sk_buff *skb, struct packet *p, __u32 ports_at)
{
	struct bpf_sock *sk;
	__be16 ports[2];
	__u32 state;

	if (bpf_skb_load_bytes(skb, ports_at, ports, sizeof(ports)) < 0)
		return 1;
	sk = socket_of(skb, p, ports[1], ports[0]);
	if (!sk)
		return 0;
	state = sk->state;
	bpf_sk_release(sk);
	return state != BPF_TCP_LISTEN && state != BPF_TCP_TIME_WAIT;
}

INLINE int
decide(struct __sk_buff *skb, struct packet *p, const struct steering_rule *r, int kept)
{
	if (!kept)
		return steer(skb, p, r);
	count(STEERING_KEPT);
	return TC_ACT_UNSPEC;
}

/* --- TCP --- */

INLINE struct steering_fragment_key *
fragment_key(struct packet *p)
{
	struct steering_fragment_key *key = &p->fragment_key;

	key->link = p->key.link;
	key->id = p->fragment_id;
	__builtin_memcpy(key->from, p->from, 16);
	__builtin_memcpy(key->to, p->key.address, 16);
	return key;
}

/* Goes where the first went.  That did not come yet: to both, who has no first lets it lie. */
INLINE int
later_fragment(struct __sk_buff *skb, struct packet *p, const struct steering_rule *r)
{
	struct steering_fragment *f = bpf_map_lookup_elem(&fragments, fragment_key(p));

	if (f && bpf_ktime_get_ns() < f->until_ns)
		return decide(skb, p, r, !f->to_peer);
	if (address_to(skb, p, r) == 0)
		bpf_clone_redirect(skb, skb->ifindex, 0);
	return TC_ACT_UNSPEC;
}

INLINE int
on_tcp(struct __sk_buff *skb, struct packet *p, const struct steering_rule *r)
{
	struct tcphdr tcp;
	int kept;

	if (!p->first)
		return later_fragment(skb, p, r);
	if (bpf_skb_load_bytes(skb, p->payload, &tcp, sizeof(tcp)) < 0)
		return TC_ACT_UNSPEC;
	kept = is_kept(skb, p, &tcp);
	if (p->more) {
		p->fragment.until_ns = bpf_ktime_get_ns() + FRAGMENT_NS;
		p->fragment.to_peer = !kept;
		bpf_map_update_elem(&fragments, fragment_key(p), &p->fragment, BPF_ANY);
	}
	return decide(skb, p, r, kept);
}

/* --- IPv4 --- */

INLINE int
on_icmp(struct __sk_buff *skb, struct packet *p, const struct steering_rule *r)
{
	__u32 at = p->payload + ERROR_HEADER;
	struct iphdr ip;
	__u8 type;

	if (!p->first || bpf_skb_load_bytes(skb, p->payload, &type, sizeof(type)) < 0 ||
	    (type != ERROR_UNREACHABLE && type != ERROR_TIME_EXCEEDED && type != ERROR_PARAMETER))
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) < 0 || ip.protocol != IPPROTO_TCP ||
	    (ip.frag_off & bpf_htons(IP4_OFFSET)))
		return TC_ACT_UNSPEC;
	__builtin_memcpy(p->from, &ip.daddr, 4);
	return decide(skb, p, r, is_kept_error(skb, p, at + ip.ihl * 4));
}

INLINE int
on_ip4(struct __sk_buff *skb, struct packet *p)
{
	struct steering_rule *r;
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, p->at, &ip, sizeof(ip)) < 0)
		return TC_ACT_UNSPEC;
	p->key.family = INET;
	__builtin_memcpy(p->key.address, &ip.daddr, 4);
	r = rule_of(&p->key, STEERING_STEER);
	if (!r)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(p->from, &ip.saddr, 4);
	p->payload = p->at + ip.ihl * 4;
	p->protocol = ip.protocol;
	p->first = !(ip.frag_off & bpf_htons(IP4_OFFSET));
	p->more = !!(ip.frag_off & bpf_htons(IP4_MORE));
	p->fragment_id = ip.id;
	if (came_from(skb, r)) {
		count(STEERING_RETURNED);
		return TC_ACT_UNSPEC;
	}
	if (p->protocol == IPPROTO_TCP)
		return on_tcp(skb, p, r);
	return p->protocol == IPPROTO_ICMP ? on_icmp(skb, p, r) : TC_ACT_UNSPEC;
}

INLINE int
on_arp(struct __sk_buff *skb, struct packet *p)
{
	struct arp_ether arp;

	if (bpf_skb_load_bytes(skb, p->at, &arp, sizeof(arp)) < 0 ||
	    arp.operation != bpf_htons(ARP_ASKS))
		return TC_ACT_UNSPEC;
	p->key.family = INET;
	__builtin_memcpy(p->key.address, arp.target, 4);
	if (!rule_of(&p->key, STEERING_HUSH))
		return TC_ACT_UNSPEC;
	count(STEERING_HUSHED);
	return TC_ACT_SHOT;
}

/* --- IPv6 --- */

struct extension {
	__u8 next, length;
	__be16 fragment; /* of a fragment header: offset and more */
	__be32 id;
};

/* To the payload that no extension header is any more.  -1: something that no TCP has. */
INLINE int
skip_extensions(struct __sk_buff *skb, struct packet *p)
{
	struct extension e;

	/* The verifier follows wrong guesses of a processor too, and those never leave a loop. */
#pragma clang loop unroll(full)
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if (p->protocol != IPPROTO_HOPOPTS && p->protocol != IPPROTO_ROUTING &&
		    p->protocol != IPPROTO_DSTOPTS && p->protocol != IPPROTO_FRAGMENT)
			return 0;
		if (bpf_skb_load_bytes(skb, p->payload, &e, sizeof(e)) < 0)
			return -1;
		if (p->protocol == IPPROTO_FRAGMENT) {
			p->first = !(e.fragment & bpf_htons(IP6_OFFSET));
			p->more = !!(e.fragment & bpf_htons(IP6_MORE));
			p->fragment_id = e.id;
			p->payload += sizeof(e);
		} else {
			p->payload += (e.length + 1) * 8;
		}
		p->protocol = e.next;
		if (!p->first)
			return 0;
	}
	return -1;
}

INLINE int
on_icmp6(struct __sk_buff *skb, struct packet *p, const struct steering_rule *r)
{
	__u32 at = p->payload + ERROR_HEADER;
	struct ipv6hdr ip;
	__u8 type;

	if (!p->first || bpf_skb_load_bytes(skb, p->payload, &type, sizeof(type)) < 0 ||
	    type < ICMPV6_DEST_UNREACH || type > ICMPV6_PARAMPROB)
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) < 0)
		return TC_ACT_UNSPEC;
	p->protocol = ip.nexthdr; /* from here on the packet is the one that the error speaks of */
	p->payload = at + sizeof(ip);
	if (skip_extensions(skb, p) < 0 || p->protocol != IPPROTO_TCP || !p->first)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(p->from, &ip.daddr, 16);
	return decide(skb, p, r, is_kept_error(skb, p, p->payload));
}

/* Who asks for the address where it must not be learned? */
INLINE int
is_solicited(struct __sk_buff *skb, struct packet *p, const struct ipv6hdr *ip)
{
	__u8 type;

	return ip->nexthdr == IPPROTO_ICMPV6 &&
	    bpf_skb_load_bytes(skb, p->payload, &type, sizeof(type)) == 0 && type == ND_SOLICIT &&
	    bpf_skb_load_bytes(skb, p->payload + ND_TARGET, p->key.address, 16) == 0 &&
	    rule_of(&p->key, STEERING_HUSH);
}

INLINE int
on_ip6(struct __sk_buff *skb, struct packet *p)
{
	struct steering_rule *r;
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, p->at, &ip, sizeof(ip)) < 0)
		return TC_ACT_UNSPEC;
	p->payload = p->at + sizeof(ip);
	p->protocol = ip.nexthdr;
	p->first = 1;
	p->key.family = INET6;
	if (is_solicited(skb, p, &ip)) {
		count(STEERING_HUSHED);
		return TC_ACT_SHOT;
	}
	__builtin_memcpy(p->key.address, &ip.daddr, 16);
	r = rule_of(&p->key, STEERING_STEER);
	if (!r || skip_extensions(skb, p) < 0)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(p->from, &ip.saddr, 16);
	if (came_from(skb, r)) {
		count(STEERING_RETURNED);
		return TC_ACT_UNSPEC;
	}
	if (p->protocol == IPPROTO_TCP)
		return on_tcp(skb, p, r);
	return p->protocol == IPPROTO_ICMPV6 ? on_icmp6(skb, p, r) : TC_ACT_UNSPEC;
}

SEC("tc")
int
steering_ingress(struct __sk_buff *skb)
{
	struct packet *p;
	__be16 protocol;

	if (idle() || skb->pkt_type == PACKET_OTHERHOST)
		return TC_ACT_UNSPEC;
	p = packet_of(skb, ON_ITS_WAY_IN);
	if (!p)
		return TC_ACT_UNSPEC;
	p->at = network_header(skb, &protocol);
	if (!p->at)
		return TC_ACT_UNSPEC;
	if (protocol == bpf_htons(ETH_P_ARP))
		return on_arp(skb, p);
	if (protocol == bpf_htons(ETH_P_IP))
		return skb->pkt_type == PACKET_HOST ? on_ip4(skb, p) : TC_ACT_UNSPEC;
	return protocol == bpf_htons(ETH_P_IPV6) ? on_ip6(skb, p) : TC_ACT_UNSPEC;
}

/* --- on the way out --- */

INLINE int
is_zero(const __u8 *address, int n)
{
	__u8 any = 0;

	for (int i = 0; i < n; i++)
		any |= address[i];
	return !any;
}

/* A question keeps its sense with another sender.  Whatever else names the address is a claim. */
INLINE int
out_arp(struct __sk_buff *skb, struct packet *p)
{
	struct steering_rule *r;
	struct arp_ether arp;

	if (bpf_skb_load_bytes(skb, p->at, &arp, sizeof(arp)) < 0)
		return TC_ACT_UNSPEC;
	p->key.family = INET;
	__builtin_memcpy(p->key.address, arp.sender, 4);
	r = rule_of(&p->key, STEERING_HUSH);
	if (!r)
		return TC_ACT_UNSPEC;
	if (arp.operation != bpf_htons(ARP_ASKS) || !__builtin_memcmp(arp.sender, arp.target, 4) ||
	    is_zero(r->own, 4) ||
	    bpf_skb_store_bytes(skb, p->at + offsetof(struct arp_ether, sender), r->own, 4, 0) <
		0) {
		count(STEERING_HUSHED);
		return TC_ACT_SHOT;
	}
	count(STEERING_DISGUISED);
	return TC_ACT_UNSPEC;
}

INLINE int
out_solicit(struct __sk_buff *skb, __u32 at, const struct steering_rule *r)
{
	__u32 sum_at = at + sizeof(struct ipv6hdr) + offsetof(struct icmp6hdr, icmp6_cksum);
	__u32 from_at = at + offsetof(struct ipv6hdr, saddr);
	__be32 was[4];
	__s64 difference;

	if (bpf_skb_load_bytes(skb, from_at, was, sizeof(was)) < 0)
		return TC_ACT_SHOT;
	difference = bpf_csum_diff(was, sizeof(was), (void *)r->own, sizeof(r->own), 0);
	if (is_zero(r->own, 16) || difference < 0 ||
	    bpf_l4_csum_replace(skb, sum_at, 0, difference, BPF_F_PSEUDO_HDR) < 0 ||
	    bpf_skb_store_bytes(skb, from_at, r->own, sizeof(r->own), 0) < 0) {
		count(STEERING_HUSHED);
		return TC_ACT_SHOT;
	}
	count(STEERING_DISGUISED);
	return TC_ACT_UNSPEC;
}

INLINE int
out_ip6(struct __sk_buff *skb, struct packet *p)
{
	struct steering_rule *r;
	struct ipv6hdr ip;
	__u32 at = p->at;
	__u8 type;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) < 0 || ip.nexthdr != IPPROTO_ICMPV6 ||
	    bpf_skb_load_bytes(skb, at + sizeof(ip), &type, sizeof(type)) < 0)
		return TC_ACT_UNSPEC;
	p->key.family = INET6;
	if (type == ND_SOLICIT) {
		__builtin_memcpy(p->key.address, &ip.saddr, 16);
		r = rule_of(&p->key, STEERING_HUSH);
		return r ? out_solicit(skb, at, r) : TC_ACT_UNSPEC;
	}
	if (type != ND_ADVERT ||
	    bpf_skb_load_bytes(skb, at + sizeof(ip) + ND_TARGET, p->key.address, 16) < 0 ||
	    !rule_of(&p->key, STEERING_HUSH))
		return TC_ACT_UNSPEC;
	count(STEERING_HUSHED);
	return TC_ACT_SHOT;
}

SEC("tc")
int
steering_egress(struct __sk_buff *skb)
{
	struct packet *p;
	__be16 protocol;

	if (idle() ||
	    (skb->protocol != bpf_htons(ETH_P_ARP) && skb->protocol != bpf_htons(ETH_P_IPV6)))
		return TC_ACT_UNSPEC;
	p = packet_of(skb, ON_ITS_WAY_OUT);
	if (!p)
		return TC_ACT_UNSPEC;
	p->at = network_header(skb, &protocol);
	if (!p->at)
		return TC_ACT_UNSPEC;
	if (protocol == bpf_htons(ETH_P_ARP))
		return out_arp(skb, p);
	return protocol == bpf_htons(ETH_P_IPV6) ? out_ip6(skb, p) : TC_ACT_UNSPEC;
}

const char terms[] SEC("license") = "Dual BSD/GPL";
