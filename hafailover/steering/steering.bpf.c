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
#include "hafailover/steering/steering_packet.bpf.h"

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
