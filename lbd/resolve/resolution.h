/*
 * resolution.h - which addresses a name has, by what was known and what came.  Pure: no socket, no clock, no log.
 *
 * IPv4 and IPv6 are asked for apart, so that the failure of one leaves the other alone.  An answer replaces the
 * addresses of its family; a failure keeps them, and so does "no such name": what was known serves on until
 * something better comes.  That a family has no addresses counts only when the other one has.
 *
 * Addresses are sorted: their order in an answer means nothing, and both nodes of a pair have them alike.  Of more
 * than `max` those in use are kept, so that the choice does not change with every answer.
 */
#ifndef LBD_RESOLVE_RESOLUTION_H
#define LBD_RESOLVE_RESOLUTION_H

#include "lbd/resolve/dns_address.h"

enum { RESOLUTION_MAX = 64, ANSWER_MAX = 256 };

/* What became of one question. */
enum dns_result {
	DNS_OK,
	DNS_NO_DATA, /* the name is there, but has no address of that family */
	DNS_NOT_FOUND,
	DNS_SERVER_FAILURE, /* no server could or would answer, or none was reached */
	DNS_TIMEOUT,
	DNS_BAD_ANSWER,
	DNS_FAILED, /* for want of memory or sockets here */
	DNS_RESULTS
};
const char *dns_result_name(enum dns_result);

struct dns_answer {
	enum dns_result result;
	int64_t ttl; /* ns */
	uint32_t n;
	struct dns_address list[ANSWER_MAX]; /* all of its family */
};

struct resolution_rule {
	uint32_t max; /* addresses; 1..RESOLUTION_MAX */
	int64_t min_ttl, max_ttl, hold; /* ns */
};

struct resolution_address {
	struct dns_address address;
	bool in_use; /* servers of a configuration that was rolled out have it */
	int64_t seen; /* in an answer, the last time; ns; 0: remembered alone, no answer had it */
};

/* All bytes 0 knows nothing. */
struct resolution {
	struct resolution_address list[RESOLUTION_MAX]; /* sorted */
	uint32_t n;
	uint32_t failures; /* in a row */
};

struct resolution_news {
	bool changed; /* the addresses are others than before */
	enum dns_result result; /* DNS_OK: good; else what failed, IPv4 first */
	uint32_t cut; /* addresses that there is no room for */
	int64_t again; /* ask then; ns */
};

struct resolution_news resolution_step(struct resolution *, const struct resolution_rule *,
    const struct dns_answer[DNS_FAMILIES], int64_t now);

/* That address is known, as from before a crash or a restart.  False: there is no room. */
bool resolution_remember(struct resolution *, uint32_t max, const struct dns_address *);

/* All of them are in use now. */
void resolution_used(struct resolution *);

/* Others of the name are in use, but this one is not yet. */
bool resolution_is_late(const struct resolution *, uint32_t i);

#endif
