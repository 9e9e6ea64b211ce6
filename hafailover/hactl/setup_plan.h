/*
 * setup_plan.h - what hactl setup is going to write: two configurations out of a few addresses.
 *
 * Pure: the interfaces of this machine are an argument.  What cannot work here is refused before
 * anything is written: an address that is not ours, a virtual one that no network holds.  What a
 * daemon's -t finds in a finished file is left to it.
 */
#ifndef HAFAILOVER_HACTL_SETUP_PLAN_H
#define HAFAILOVER_HACTL_SETUP_PLAN_H

#include <jansson.h>
#include <net/if.h>

#include "common/address.h"

/* An address of this machine. */
struct setup_interface {
	char name[IF_NAMESIZE];
	struct address address; /* port 0 */
	struct network network;
};

struct setup_host {
	struct setup_interface *list;
	size_t n;
};

/* As the operator gave it; lists have commas; NULL: not given. */
struct setup_wish {
	const char *peer, *vips, *servers;
	const char *address; /* of this node; else the one in the peer's network */
	const char *interface; /* of the virtual addresses; else the one whose network holds them */
	const char *name, *peer_name;
	const char *secret_file;
};

/* The peer's address is another machine's, and we know by which of ours it reaches us. */
int setup_peer_check(const struct setup_wish *, const struct setup_host *,
    const struct setup_interface **self, struct err *);
int setup_vips_check(const struct setup_wish *, const struct setup_host *, struct err *);
int setup_servers_check(const struct setup_wish *, struct err *);

/* Of a wish that passed the checks.  NULL: out of memory, or what was given is not UTF-8. */
json_t *setup_hafailover(const struct setup_wish *, const struct setup_interface *self);
json_t *setup_lbd(const struct setup_wish *);

/* The other node's hafailover.json: can its virtual addresses be here? */
int setup_join_check(const json_t *hafailover, const struct setup_host *, struct err *);

#endif
