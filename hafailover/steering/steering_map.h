/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * steering_map.h - what the BPF program and its loader say to each other, through maps.
 *
 * A rule is for one virtual address on one interface, and ends by itself at `until_ns`: the kernel
 * outlives a daemon that dies, so that what it does for it is a lease, as the address is.  Included
 * by a program of the kernel and by one of user space: fixed types, no padding that is not named.
 */
#ifndef HAFAILOVER_STEERING_STEERING_MAP_H
#define HAFAILOVER_STEERING_STEERING_MAP_H

#include <linux/types.h>

enum { STEERING_RULES_MAX = 512, STEERING_FRAGMENTS_MAX = 4096, STEERING_MAC = 6 };

struct steering_key {
	__u32 link; /* index of the interface */
	__u32 family; /* AF_INET or AF_INET6 */
	__u8 address[16]; /* IPv4: the first four */
};

enum steering_mode {
	STEERING_NOTHING = 0,
	STEERING_STEER = 1, /* TCP of connections that are not known here goes to the peer */
	STEERING_HUSH = 2, /* nobody learns the address from this node: ARP, neighbour discovery */
};

struct steering_rule {
	__u64 until_ns; /* CLOCK_MONOTONIC */
	__u32 mode; /* enum steering_mode */
	__u8 peer[STEERING_MAC]; /* steer: the peer's MAC on that link */
	__u8 unused[2];
	__u8 own[16]; /* hush: the node's own address there, to ask others from */
};

/* Rows of the array map `counters`. */
enum steering_counter {
	STEERING_STEERED, /* sent on to the peer */
	STEERING_KEPT, /* of connections of this node */
	STEERING_OPENED, /* SYN: new ones */
	STEERING_COOKIES, /* of a connection that only its SYN cookie knows */
	STEERING_RETURNED, /* came from the peer: not sent back */
	STEERING_EXPIRED, /* had gone through too many hands: dropped */
	STEERING_HUSHED, /* questions for the address, not answered */
	STEERING_DISGUISED, /* own questions, asked from the node's own address instead */
	STEERING_COUNTERS,
};

struct steering_fragment_key {
	__u32 link;
	__u32 id;
	__u8 from[16], to[16];
};

/* Where the first fragment went. */
struct steering_fragment {
	__u64 until_ns;
	__u32 to_peer;
	__u32 unused;
};

#endif
