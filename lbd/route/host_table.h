/*
 * host_table.h - the paths of each host, by its name.  Pure; lives in an arena.
 *
 * A flat table of hashes with the host beside each, which has its name and the root of its paths inside: a search
 * touches three lines of memory, however many hosts there are.
 */
#ifndef LBD_ROUTE_HOST_TABLE_H
#define LBD_ROUTE_HOST_TABLE_H

#include "lbd/route/path_tree.h"

enum { HOST_SIZE_MAX = 255 };

/* A name as it is looked for: in lower case, and zeros behind it. */
struct host_name {
	size_t n;
	char text[HOST_SIZE_MAX + 1 + 8];
};

/* False: there is none, or it is longer than any host. */
bool host_name_read(struct host_name *, struct str);

struct host_table;

/* For so many hosts.  NULL: out of memory. */
struct host_table *host_table_new(struct arena *, uint32_t n);

/* The paths of that host, which is new or not.  NULL: out of memory. */
struct path_node *host_table_add(struct host_table *, struct arena *, const struct host_name *);

/* Of what the name has from that byte on.  NULL: there is no such host. */
const struct path_node *
host_table_find(const struct host_table *, const struct host_name *, size_t from);

#endif
