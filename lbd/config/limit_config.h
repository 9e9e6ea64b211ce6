/* limit_config.h - the part of the configuration that says who may come, and how often.  Part of config.h. */
#ifndef LBD_CONFIG_LIMIT_CONFIG_H
#define LBD_CONFIG_LIMIT_CONFIG_H

#include "common/address.h"
#include "lbd/limit/rate_table.h"

struct network_tree;

/* How much of an address is one client: lengths of prefixes. */
struct client_prefix {
	uint16_t ipv4, ipv6;
};

static inline unsigned
client_prefix_bits(const struct client_prefix *p, const uint8_t ip[16])
{
	return ip_is_mapped(ip) ? 96u + p->ipv4 : p->ipv6;
}

enum access_verdict { ACCESS_UNLISTED, ACCESS_ALLOW, ACCESS_DENY };

struct access_config {
	const struct network *allow, *deny;
	uint32_t n_allow, n_deny;
	const struct network_tree *tree; /* of both, with enum access_verdict; NULL: all may come */
};

enum rate_key { RATE_BY_CLIENT, RATE_BY_HEADER, RATE_TOGETHER };

/* How many of something may come. */
struct rate_count_config {
	uint32_t per_second, per_minute; /* one of them at least is 0; both: no limit */
	uint32_t burst;
	/* derived */
	struct rate rate;
	uint64_t rule; /* a number for what the limit is and what it is for */
	struct rate_table *table; /* set by whoever adopts the snapshot, before sharing it */
};

static inline bool
rate_count_any(const struct rate_count_config *c)
{
	return c->per_second || c->per_minute;
}

struct rate_limit_config {
	struct rate_count_config requests;
	struct rate_count_config connections; /* by client, whatever the key; not of routes */
	struct str key_text;
	struct client_prefix prefix;
	uint64_t table_size; /* of each; 0: no limit at all */
	/* derived */
	enum rate_key key; /* of requests */
	struct str header; /* of RATE_BY_HEADER */
};

#endif
