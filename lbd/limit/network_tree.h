/*
 * network_tree.h - which of many networks holds an address: the longest prefix.  Pure; lives in an arena.
 *
 * A radix tree over bits: what a search costs depends on how networks lie within each other, 32 steps at most
 * for IPv4 and 128 for IPv6, not on their number.
 */
#ifndef LBD_LIMIT_NETWORK_TREE_H
#define LBD_LIMIT_NETWORK_TREE_H

#include "common/address.h"
#include "common/arena.h"

struct network_tree;

/* NULL: out of memory. */
struct network_tree *network_tree_new(struct arena *);

/* `value` is not 0.  0; -EEXIST: that network has another value; -ENOMEM. */
int network_tree_add(struct network_tree *, struct arena *, const struct network *, int value);

/* The value of the longest network that holds it, IPv4 as ::ffff:a.b.c.d; 0: none does.  As network_holds. */
int network_tree_find(const struct network_tree *, const uint8_t ip[16]);

#endif
