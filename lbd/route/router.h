/*
 * router.h - which of a listener's rules is a request's?  Pure; built once for each configuration.
 *
 * The most specific rule wins, whatever the order in the file: an exact host before the longest wildcard
 * before any host; there an exact path before the longest prefix; there more conditions before fewer, and
 * the order in the file last.  A rule whose conditions do not hold gives way to the next one.
 *
 * What a search costs depends on the lengths of the host and of the path, not on the number of rules.
 */
#ifndef LBD_ROUTE_ROUTER_H
#define LBD_ROUTE_ROUTER_H

#include "common/arena.h"

struct route_rule {
	struct str host; /* lower case; "": any; "*.NAME": everything that ends in .NAME */
	struct str path; /* normal (target.h); "": any */
	bool
	    exact; /* that path alone; else what is below it by whole segments: /a has /a and /a/b, not /ab */
	uint32_t n_conditions; /* of other kinds, which router_accepts knows */
};

struct router;

enum { ROUTER_NONE = -1 };

/* A rule that is never asked, because that one, which has no conditions, has its host and path; or ROUTER_NONE. */
int router_hidden(const struct router *, uint32_t rule);

/* Do the other conditions of that rule hold? */
typedef bool router_accepts(void *arg, uint32_t rule);

/* Of the arena, as what the rules point to must be.  NULL: out of memory. */
struct router *router_new(struct arena *, const struct route_rule *, uint32_t n);

/*
 * The index of the rule, or ROUTER_NONE.  `host` without port and final dot, in whatever case; `path` normal, without
 * query.
 */
int
router_find(const struct router *, struct str host, struct str path, router_accepts *, void *arg);

#endif
