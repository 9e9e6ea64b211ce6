/*
 * link.h - the interfaces of this host and their addresses, as the kernel reports them.
 *
 * One netlink socket on the loop hears of every change within a millisecond: carrier, MAC, name,
 * addresses added, changed and deleted.  If the kernel had to drop reports, everything is read anew
 * and the differences are reported like changes.  Reading never waits: a dump is answered within
 * recvmsg.
 *
 * It decides nothing.  Those who want to know embed a struct link_watch; the table is up to date
 * before they are called, in the order in which they came.
 */
#ifndef HAFAILOVER_LINK_LINK_H
#define HAFAILOVER_LINK_LINK_H

#include <ev.h>
#include <net/if.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/err.h"

enum { LINK_MAC = 6 };

struct link {
	int index;
	char name[IF_NAMESIZE];
	uint8_t mac[LINK_MAC]; /* of Ethernet-like ones */
	bool ethernet; /* ARP and NDP with MACs of 6 bytes */
	bool loopback;
	bool up; /* by the administrator */
	bool carrier; /* up, and frames get through as far as the kernel knows */
};

/* An address on an interface. */
struct link_address {
	struct address address; /* port 0 */
	int link; /* index of the interface */
	uint8_t prefix; /* 0..32 or 0..128 */
	uint8_t mark; /* IFA_PROTO; 0 if the kernel does not tell */
	uint32_t flags; /* IFA_F_... */
	int64_t ends_ns; /* CLOCK_MONOTONIC; it lives at least so long; INT64_MAX: for ever */
};

enum link_change {
	LINK_ADDED = 1 << 0,
	LINK_REMOVED = 1 << 1,
	LINK_CARRIER = 1 << 2,
	LINK_NEW_MAC = 1 << 3,
	LINK_RENAMED = 1 << 4,
};

struct link_watch {
	/* `changes`: of enum link_change.  A removed link is gone from the table already. */
	void (*changed)(void *owner, const struct link *, unsigned changes);
	/* Added or changed (`present`), or deleted.  Also for what we did ourselves. */
	void (*address)(void *owner, const struct link_address *, bool present);
	void *owner; /* either function may be NULL */
	struct link_watch *next;
};

struct link_table;

/* Everything there is has been read when it returns.  NULL: see err. */
struct link_table *link_open(struct ev_loop *, struct err *);
void link_close(struct link_table **);

/* The watch stays the caller's and must be removed before it goes. */
void link_watch_add(struct link_table *, struct link_watch *);
void link_watch_remove(struct link_table *, struct link_watch *);

/* Borrowed until the loop runs again.  NULL: there is none. */
const struct link *link_named(const struct link_table *, const char *name);
const struct link *link_at(const struct link_table *, int index);
/* Number `i`, counted from 0, in no order. */
const struct link *link_next(const struct link_table *, size_t i);
const struct link_address *link_address_next(const struct link_table *, size_t i);

/*
 * The interface on whose subnet the address is: the longest prefix wins, then the one with carrier,
 * then the lower index.  Host addresses (/32, /128) are no subnets; nor are link-local addresses
 * and the loopback interface.
 */
const struct link *link_holding(const struct link_table *, const struct address *);

/*
 * When, at the earliest, a lifetime ends of which `valid_s` seconds are left, the one that has
 * begun included (UINT32_MAX: for ever), and which began `renewed_cs` hundredths of a second after
 * the boot. The kernel's count of those begins some tenths of a second after the clock.  Pure.
 */
int64_t link_lease_end_ns(uint32_t valid_s, uint32_t renewed_cs, int64_t now_ns);

bool link_subnet_holds(const struct link_address *subnet, const struct address *);

/* Is it an address of this host, on any interface?  The index of the interface, or 0. */
int link_of_address(const struct link_table *, const struct address *);

/*
 * An address of our own on that interface with which neighbours of `target` may be asked: in its
 * subnet, for IPv6 the link-local one.  False: there is none.
 */
bool
link_source(const struct link_table *, int index, const struct address *target, struct address *);

/*
 * True as soon as any address had a mark; since Linux 5.18 that of the loopback interface has one.
 */
bool link_marks_known(const struct link_table *);

/* Reads now what has been reported and not yet been read; the loop does it by itself. */
void link_drain(struct link_table *);

#endif
