/*
 * path_tree.c - each node has the bytes that lead to it from its parent; a prefix is looked for upwards from
 * the last node on the way.
 */
#include "lbd/route/path_tree.h"

static void
node_init(struct path_node *node, struct path_node *parent, struct str label)
{
	*node = (struct path_node){
		.label = label,
		.parent = parent,
		.depth = parent ? parent->depth + (uint32_t)label.n : 0,
		.exact = RULE_NONE,
		.prefix = RULE_NONE,
	};
}

void
path_tree_init(struct path_node *root)
{
	node_init(root, NULL, (struct str){ NULL, 0 });
}

/* The place of a child whose label begins with that byte, or where it belongs. */
static uint32_t
child_place(const struct path_node *node, char first)
{
	uint32_t low = 0, high = node->n_children;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (node->children[middle].first < (unsigned char)first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct path_node *
child_find(const struct path_node *node, char first)
{
	uint32_t at = child_place(node, first);

	if (at == node->n_children || node->children[at].first != (unsigned char)first)
		return NULL;
	return node->children[at].node;
}

/* Twice as large; what was there stays behind in the arena. */
static bool
children_grow(struct path_node *node, struct arena *a)
{
	uint32_t size = node->size ? 2 * node->size : 2;
	struct path_child *children = arena_alloc(a, size * sizeof(*children));

	if (!children)
		return false;
	if (node->n_children)
		memcpy(children, node->children, node->n_children * sizeof(*children));
	node->children = children;
	node->size = size;
	return true;
}

static void
child_put(struct path_node *node, uint32_t at, struct path_node *child)
{
	node->children[at] = (struct path_child){ child, (unsigned char)child->label.p[0] };
}

static struct path_node *
child_add(struct path_node *node, struct arena *a, struct str label)
{
	struct path_node *child = arena_alloc(a, sizeof(*child));
	uint32_t at = child_place(node, label.p[0]);

	if (!child || (node->n_children == node->size && !children_grow(node, a)))
		return NULL;
	node_init(child, node, label);
	memmove(node->children + at + 1, node->children + at,
	    (node->n_children - at) * sizeof(*node->children));
	node->n_children++;
	child_put(node, at, child);
	return child;
}

/* A node in the middle of the way to that child. */
static struct path_node *
child_split(struct path_node *child, struct arena *a, size_t at)
{
	struct path_node *parent = child->parent, *middle = arena_alloc(a, sizeof(*middle));

	if (!middle)
		return NULL;
	node_init(middle, parent, (struct str){ child->label.p, at });
	if (!children_grow(middle, a))
		return NULL;
	child_put(parent, child_place(parent, child->label.p[0]), middle);
	child->label = str_skip(child->label, at);
	child->parent = middle;
	middle->n_children = 1;
	child_put(middle, 0, child);
	return middle;
}

static size_t
common_length(struct str a, struct str b)
{
	size_t n = 0;

	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	return n;
}

/* The node of that path, made where it is missing. */
static struct path_node *
node_at(struct path_node *node, struct arena *a, struct str path)
{
	while (node && path.n) {
		struct path_node *child = child_find(node, path.p[0]);
		size_t n;

		if (!child)
			return child_add(node, a, path);
		n = common_length(child->label, path);
		node = n < child->label.n ? child_split(child, a, n) : child;
		path = str_skip(path, n);
	}
	return node;
}

uint32_t *
path_tree_list(struct path_node *root, struct arena *a, struct str path, bool exact)
{
	struct path_node *node = node_at(root, a, path);

	if (!node)
		return NULL;
	return exact ? &node->exact : &node->prefix;
}

struct path_walk
path_tree_walk(const struct path_node *root, struct str path)
{
	const struct path_node *node = root, *child;
	struct str rest = path;

	while (rest.n && (child = child_find(node, rest.p[0])) && str_starts(rest, child->label)) {
		node = child;
		rest = str_skip(rest, child->label.n);
	}
	return (struct path_walk){ node, path, rest.n == 0 };
}

/* Does the path go on with a new segment there, or end? */
static bool
is_boundary(struct str path, size_t depth)
{
	return depth == 0 || depth == path.n || path.p[depth] == '/' || path.p[depth - 1] == '/';
}

uint32_t
path_tree_next(struct path_walk *w)
{
	while (w->at) {
		const struct path_node *node = w->at;
		uint32_t first = w->exact ? node->exact : node->prefix;

		if (!w->exact) {
			w->at = node->parent;
			if (first != RULE_NONE && !is_boundary(w->path, node->depth))
				first = RULE_NONE;
		}
		w->exact = false;
		if (first != RULE_NONE)
			return first;
	}
	return RULE_NONE;
}
