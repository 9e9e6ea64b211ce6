/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * steering_packet.bpf.h - what the programs of steering.bpf.c are made of: their maps, a packet as they see it, how it
 * gets to the peer, and whether this node knows its connection.  Each is part of a program, hence all of it is inline.
 */
#ifndef HAFAILOVER_STEERING_STEERING_PACKET_BPF_H
#define HAFAILOVER_STEERING_STEERING_PACKET_BPF_H

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

#endif
