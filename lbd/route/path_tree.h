/*
 * path_tree.h - lists of rules by paths: a radix tree for one host.  Pure; lives in an arena.
 *
 * Of a list it keeps the number of the first rule alone; how they go on is the router's.
 */
#ifndef LBD_ROUTE_PATH_TREE_H
#define LBD_ROUTE_PATH_TREE_H

#include "common/arena.h"

#define RULE_NONE UINT32_MAX

/* The way down from here: its child, by the first byte of that one's label. */
struct path_child {
	struct path_node *node;
	unsigned char first;
};

/* Private, but for the size of the root. */
struct path_node {
	struct str label; /* from the parent */
	struct path_node *parent;
	uint32_t depth; /* bytes from the root */
	uint32_t size; /* of `children` */
	struct path_child *children; /* in order */
	uint32_t n_children;
	uint32_t exact, prefix; /* first rules of two lists */
};

/* The root: the path "". */
void path_tree_init(struct path_node *root);

/* Where the number of the first rule for that path stands; RULE_NONE of a new list.  NULL: out of memory. */
uint32_t *path_tree_list(struct path_node *root, struct arena *, struct str path, bool exact);

/* Where a walk stands: path_tree_next gives what is ever less specific. */
struct path_walk {
	const struct path_node *at;
	struct str path;
	bool exact; /* the rules of exactly this path come first */
};

struct path_walk path_tree_walk(const struct path_node *root, struct str path);

/* The first rule of the next list, or RULE_NONE: there is nothing left. */
uint32_t path_tree_next(struct path_walk *);

#endif
