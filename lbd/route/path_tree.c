/*
 * path_tree.c - each node has the bytes that lead to it from its parent; a prefix is looked for upwards from
 * the last node on the way.
 */
#include "lbd/route/path_tree.h"

struct rules {
	uint32_t *list;
	uint32_t n, size;
};

struct path_node {
	struct str label; /* from the parent */
	size_t depth; /* bytes from the root */
	struct path_node *parent;
	struct path_node **children; /* by the first byte of their labels */
	uint32_t n_children, size;
	struct rules exact, prefix;
};

struct path_node *
path_tree_new(struct arena *a)
{
	return arena_alloc(a, sizeof(struct path_node));
}

/* Twice as large; what was there stays behind in the arena. */
static void *
grown(struct arena *a, const void *old, uint32_t n, uint32_t *size, size_t each)
{
	uint32_t wanted = *size ? 2 * *size : 2;
	void *p = arena_alloc(a, wanted * each);

	if (!p)
		return NULL;
	if (n)
		memcpy(p, old, n * each);
	*size = wanted;
	return p;
}

/* The place of a child whose label begins with that byte, or where it belongs. */
static uint32_t
child_place(const struct path_node *node, char first)
{
	uint32_t low = 0, high = node->n_children;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if ((unsigned char)node->children[middle]->label.p[0] < (unsigned char)first)
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

	if (at == node->n_children || node->children[at]->label.p[0] != first)
		return NULL;
	return node->children[at];
}

static struct path_node *
child_add(struct path_node *node, struct arena *a, struct str label)
{
	struct path_node *child = arena_alloc(a, sizeof(*child)), **children = node->children;
	uint32_t at = child_place(node, label.p[0]);

	if (!child)
		return NULL;
	if (node->n_children == node->size) {
		children = grown(a, children, node->n_children, &node->size, sizeof(*children));
		if (!children)
			return NULL;
		node->children = children;
	}
	memmove(children + at + 1, children + at, (node->n_children - at) * sizeof(*children));
	children[at] = child;
	node->n_children++;
	child->label = label;
	child->parent = node;
	child->depth = node->depth + label.n;
	return child;
}

/* A node in the middle of the way to that child. */
static struct path_node *
child_split(struct path_node *child, struct arena *a, size_t at)
{
	struct path_node *parent = child->parent, *middle = arena_alloc(a, sizeof(*middle));
	struct path_node **children = arena_alloc(a, 2 * sizeof(*children));

	if (!middle || !children)
		return NULL;
	children[0] = child;
	*middle = (struct path_node){
		.label = { child->label.p, at },
		.depth = parent->depth + at,
		.parent = parent,
		.children = children,
		.n_children = 1,
		.size = 2,
	};
	parent->children[child_place(parent, child->label.p[0])] = middle;
	child->label = str_skip(child->label, at);
	child->parent = middle;
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

bool
path_tree_add(struct path_node *root, struct arena *a, struct str path, bool exact, uint32_t rule)
{
	struct path_node *node = node_at(root, a, path);
	struct rules *rules;

	if (!node)
		return false;
	rules = exact ? &node->exact : &node->prefix;
	if (rules->n == rules->size) {
		uint32_t *list = grown(a, rules->list, rules->n, &rules->size, sizeof(*list));

		if (!list)
			return false;
		rules->list = list;
	}
	rules->list[rules->n++] = rule;
	return true;
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

bool
path_tree_next(struct path_walk *w, struct rule_list *found)
{
	const struct rules *rules;

	while (w->at) {
		rules = w->exact ? &w->at->exact : &w->at->prefix;
		if (!w->exact && !is_boundary(w->path, w->at->depth))
			rules = NULL;
		if (!w->exact)
			w->at = w->at->parent;
		w->exact = false;
		if (rules && rules->n) {
			*found = (struct rule_list){ rules->list, rules->n };
			return true;
		}
	}
	return false;
}
