/*
 * resolver.h - the names of a configuration's servers, and the addresses that they have now.
 *
 * Each name is asked for when it is new and whenever its answer has lived its time; a failure is tried again after a
 * pause that grows.  What is known stays over reloads, and as text over a crash of the process or a restart.  A name
 * with another bound (resolve_max) is another one here.  Main thread, on its loop.
 */
#ifndef LBD_RESOLVE_RESOLVER_H
#define LBD_RESOLVE_RESOLVER_H

#include <ev.h>

#include "common/text.h"
#include "lbd/config/config.h"
#include "lbd/resolve/resolution.h"

struct resolver;

struct resolver_hooks {
	void (*changed)(void *arg); /* a name has other addresses than before */
	void (*settled)(void *arg); /* the last of the new names has been answered, well or not */
	void *arg;
};

/* NULL: out of memory. */
struct resolver *resolver_new(struct ev_loop *, const struct resolver_hooks *);
void resolver_free(struct resolver **);

/*
 * Asks for the names of that configuration, too, by its settings; those of others stay.  Hooks may run before it
 * returns.  0, or -errno with a reason.
 */
int resolver_add(struct resolver *, struct lbd_config *, struct err *);

/* That configuration is in force, with what is known: its addresses are in use, names of others are forgotten. */
void resolver_keep(struct resolver *, const struct lbd_config *);

/* Every name has been answered at least once. */
bool resolver_settled(const struct resolver *);

/* NULL: the name was not added. */
const struct resolution *resolver_find(const struct resolver *, struct str host, uint32_t max);

/* Of the last answer; DNS_OK before the first. */
enum dns_result resolver_result(const struct resolver *, struct str host, uint32_t max);

/* What is known as text, one name a line; and back, before the first resolver_add: nobody waits for its names then. */
void resolver_format(const struct resolver *, struct text *);
void resolver_take(struct resolver *, struct str);

/*
 * The same after a longer time: names of that configuration, which is to be added next, have these addresses until
 * they are answered, and are waited for all the same.  -ENOMEM, or how many lines are none of resolver_format's.
 */
int resolver_recall(struct resolver *, const struct lbd_config *, struct str);

/* For metrics. */
struct resolver_count {
	uint64_t queries[DNS_RESULTS];
	uint32_t resolved, stale, unresolved; /* names; stale: the last answer was a failure */
};
void resolver_count(const struct resolver *, struct resolver_count *);

#endif
