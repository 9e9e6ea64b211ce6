/* network_tree.c - a node has its whole prefix; nodes where only the ways part have no value. */
#include "lbd/limit/network_tree.h"

#include <endian.h>
#include <errno.h>

enum { ADDRESS_BITS = 128, MAPPED_BITS = 96 };

struct bits {
	uint64_t high, low;
};

struct node {
	struct bits bits;
	unsigned prefix;
	int value; /* 0: none */
	struct node *child[2]; /* by the bit behind the prefix */
};

struct network_tree {
	struct node *root[2]; /* of IPv6, of IPv4 */
};

static struct bits
bits_of(const uint8_t bytes[16])
{
	struct bits b;

	memcpy(&b, bytes, sizeof(b));
	return (struct bits){ be64toh(b.high), be64toh(b.low) };
}

static bool
is_mapped(struct bits b)
{
	return b.high == 0 && b.low >> 32 == 0xffff;
}

static unsigned
bit_at(struct bits b, unsigned at)
{
	return (at < 64 ? b.high >> (63 - at) : b.low >> (127 - at)) & 1;
}

/* How many bits are the same from the start. */
static unsigned
common_bits(struct bits a, struct bits b)
{
	if (a.high != b.high)
		return (unsigned)__builtin_clzll(a.high ^ b.high);
	if (a.low != b.low)
		return 64 + (unsigned)__builtin_clzll(a.low ^ b.low);
	return ADDRESS_BITS;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

struct network_tree *
network_tree_new(struct arena *a)
{
	return arena_alloc(a, sizeof(struct network_tree));
}

static struct node *
node_new(struct arena *a, struct bits bits, unsigned prefix)
{
	struct node *node = arena_alloc(a, sizeof(*node));

	if (!node)
		return NULL;
	node->bits = bits;
	node->prefix = prefix;
	return node;
}

/* The node of that network, made where it is missing. */
static struct node *
node_at(struct node **at, struct arena *a, struct bits bits, unsigned prefix)
{
	while (*at) {
		struct node *node = *at, *parting;
		unsigned common = least(least(node->prefix, prefix), common_bits(node->bits, bits));

		if (common == node->prefix && common == prefix)
			return node;
		if (common < node->prefix) {
			parting = node_new(a, bits, common);
			if (!parting)
				return NULL;
			parting->child[bit_at(node->bits, common)] = node;
			*at = parting;
			if (common == prefix)
				return parting;
			node = parting;
		}
		at = &node->child[bit_at(bits, common)];
	}
	*at = node_new(a, bits, prefix);
	return *at;
}

int
network_tree_add(struct network_tree *t, struct arena *a, const struct network *n, int value)
{
	struct bits bits = bits_of(n->bytes);
	bool v4 = n->prefix >= MAPPED_BITS && is_mapped(bits);
	struct node *node = node_at(&t->root[v4], a, bits, n->prefix);

	if (!node)
		return -ENOMEM;
	if (node->value && node->value != value)
		return -EEXIST;
	node->value = value;
	return 0;
}

/* Only nodes with a value are looked at in full: where the way parts from a prefix before, all below part, too. */
int
network_tree_find(const struct network_tree *t, const uint8_t ip[16])
{
	struct bits bits = bits_of(ip);
	const struct node *node = t->root[is_mapped(bits)];
	int value = 0;

	while (node) {
		if (node->value) {
			if (common_bits(node->bits, bits) < node->prefix)
				break;
			value = node->value;
		}
		if (node->prefix == ADDRESS_BITS)
			break;
		node = node->child[bit_at(bits, node->prefix)];
	}
	return value;
}
