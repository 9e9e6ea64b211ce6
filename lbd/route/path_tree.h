/*
 * path_tree.h - the rules of one host by their paths: a radix tree.  Pure; lives in an arena.
 */
#ifndef LBD_ROUTE_PATH_TREE_H
#define LBD_ROUTE_PATH_TREE_H

#include "common/arena.h"

/* Indexes of rules, in the order in which they are to be asked. */
struct rule_list {
	const uint32_t *rules;
	uint32_t n;
};

struct path_node;

/* NULL: out of memory.  The root: the path "". */
struct path_node *path_tree_new(struct arena *);

/* Adds a rule at the end of the list of that path; false: out of memory. */
bool
path_tree_add(struct path_node *root, struct arena *, struct str path, bool exact, uint32_t rule);

/* Where a walk stands: path_tree_next gives what is ever less specific. */
struct path_walk {
	const struct path_node *at;
	struct str path;
	bool exact; /* the rules of exactly this path come first */
};

struct path_walk path_tree_walk(const struct path_node *root, struct str path);

/* False: there is nothing left. */
bool path_tree_next(struct path_walk *, struct rule_list *);

#endif
