/*
 * config.h - hafailover.json, decoded: immutable, one arena, freed as a whole.
 *
 * Both nodes have the same file; `self` says which of the nodes this one is.  Every default is
 * filled in and everything is in range.  Durations are nanoseconds.  Keys and meanings:
 * hafailover.json(5).
 */
#ifndef HAFAILOVER_CONFIG_CONFIG_H
#define HAFAILOVER_CONFIG_CONFIG_H

#include "common/address.h"
#include "common/log.h"
#include "common/problems.h"

enum {
	HA_CONFIG_SIZE_MAX = 1 << 20,
	HA_PATHS_MAX = 8, /* addresses of a node */
	HA_VIPS_MAX = 256,
	HA_NODE_NAME_MAX = 64,
	HA_GATEWAYS_MAX = 8,
	HA_INTERFACES_MAX = 16,
	HA_SCRIPTS_MAX = 16,
	HA_SECRET_MAX = 4096,
	HA_SECRET_MIN = 16,
	HA_PASSWORD_MAX = 8, /* of VRRP */
};

struct ha_node_config {
	struct str name;
	const struct address *addresses; /* [n_addresses], with the heartbeat's port */
	uint32_t n_addresses;
	struct address address; /* as written by the key `address`; moved into the list */
	bool single; /* it was */
	uint32_t priority;
};

struct ha_vip_config {
	struct address address; /* port 0 */
	uint32_t prefix; /* over the family's own bits */
	struct str interface; /* empty: the one whose subnet holds it */
};

enum ha_protocol { HA_PROTOCOL_NATIVE, HA_PROTOCOL_VRRP };

struct ha_vrrp_config {
	uint32_t version; /* 2 or 3 */
	bool multicast;
	int64_t interval; /* of advertisements */
	int plain_sum; /* of version 3 over IPv4: without a pseudo header */
	struct str password_file; /* of version 2; empty: no authentication */
};

struct ha_instance_config {
	struct str name;
	int protocol; /* enum ha_protocol */
	uint32_t virtual_router_id; /* VRRP alone, and what follows */
	struct ha_vrrp_config vrrp;
	const struct ha_vip_config *vips;
	uint32_t n_vips;
	bool preempt;
	int64_t preempt_delay;
	struct str prefer; /* a node's name, or empty */
};

struct ha_script_config {
	struct str command; /* for /bin/sh -c */
	int64_t interval, timeout;
	uint32_t fall, rise;
};

struct ha_track_config {
	struct str lbd_socket;
	const struct str *interfaces;
	uint32_t n_interfaces;
	const struct address *gateways; /* port 0 */
	uint32_t n_gateways;
	const struct ha_script_config *scripts;
	uint32_t n_scripts;
};

/* Without an address: there is none. */
struct ha_witness_config {
	struct address address; /* with its port */
	uint16_t port;
	struct str secret_file; /* empty: that of the nodes */
};

enum ha_hook { HA_HOOK_ACTIVE, HA_HOOK_BACKUP, HA_HOOK_FAULT, HA_HOOKS };

struct ha_hooks_config {
	struct str commands[HA_HOOKS]; /* for /bin/sh -c; empty: none */
	int64_t timeout;
};

struct ha_log_config {
	int level;
	enum log_sink_type target;
	struct str path; /* of LOG_SINK_FILE */
};

struct ha_config {
	struct ha_node_config *nodes; /* [2] */
	uint32_t n_nodes;
	uint32_t self; /* index into nodes; the other one is the peer */
	struct str secret_file;
	int64_t interval; /* of heartbeats */
	uint32_t dead_after; /* missed ones */
	uint16_t port;
	int64_t lease; /* 0: off */
	int64_t drain; /* of connections at a planned move; 0: off */
	int steers; /* they may be steered */
	const struct ha_vip_config *top_vips; /* the key `virtual_ips`; moved into an instance */
	uint32_t n_top_vips;
	struct ha_instance_config *instances; /* [1] */
	uint32_t n_instances;
	struct ha_track_config track;
	struct ha_witness_config witness;
	struct ha_hooks_config hooks;
	bool http_on;
	struct address http;
	struct str control, state_directory;
	struct ha_log_config log;
	uint64_t digest; /* over what decides behaviour */
	struct arena *arena; /* private */
};

struct ha_config_options {
	const char *file; /* its name in messages */
	const char *node; /* NULL: found by its addresses */
	/* Does this machine have the address?  NULL: asks the kernel. */
	bool (*is_local)(const struct address *);
};

/* NULL when anything is wrong: *problems then says everything that is. */
struct ha_config *
ha_config_load(struct str text, const struct ha_config_options *, struct problems *);
void ha_config_free(struct ha_config **);

/* The effective configuration as JSON text that parses to itself; the caller frees it. */
char *ha_config_print(const struct ha_config *);

static inline const struct ha_node_config *
ha_config_self(const struct ha_config *c)
{
	return &c->nodes[c->self];
}

static inline const struct ha_node_config *
ha_config_peer(const struct ha_config *c)
{
	return &c->nodes[1 - c->self];
}

/* Is the peer a VRRP router, whatever else it may be? */
static inline bool
ha_config_is_vrrp(const struct ha_config *c)
{
	return c->n_instances > 0 && c->instances[0].protocol == HA_PROTOCOL_VRRP;
}

static inline bool
ha_config_has_witness(const struct ha_config *c)
{
	return c->witness.address.len > 0;
}

struct ha_secret {
	uint8_t bytes[HA_SECRET_MAX];
	size_t n;
};

/*
 * The shared secret: 16 bytes or more, without the newline at its end.  Refused when others than
 * its owner and group may read it.  0 or -errno with a reason.
 */
int ha_secret_read(struct ha_secret *, const char *file, struct err *);

/* The password of VRRP version 2: 1 to 8 bytes, filled up with zeros.  Else as above. */
int ha_password_read(uint8_t password[HA_PASSWORD_MAX], const char *file, struct err *);

#endif
