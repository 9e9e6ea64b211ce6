/*
 * config_schema.h - the tables of hafailover.json: every key with its kind, default and range.
 * Private to config*.c and tests.
 */
#ifndef HAFAILOVER_CONFIG_CONFIG_SCHEMA_H
#define HAFAILOVER_CONFIG_CONFIG_SCHEMA_H

#include "common/json_config.h"
#include "hafailover/config/config.h"

/* The document; its struct is ha_config. */
extern const struct json_field ha_config_fields[];

/* Its struct is ha_log_config; the witness has the same. */
extern const struct json_field ha_log_fields[];

/* NULL when good, else what is wrong with it: names of nodes and the like. */
const char *ha_check_name(struct str);

extern const struct json_kind ha_kind_host; /* struct address, port 0 */
extern const struct json_kind ha_kind_vip_address; /* struct address; beside: uint32_t, prefix */
extern const struct json_kind ha_kind_vip; /* struct ha_vip_config: a text or an object */
extern const struct json_kind ha_kind_lease; /* int64_t, whole seconds; 0: "off" */

/* Moves what may be written in two ways to where it is read. */
void ha_config_complete(struct ha_config *);

/* config_vrrp.c: the same for instances of VRRP. */
void ha_config_validate_vrrp(const struct ha_config *, struct json_decoder *);

/* Everything that involves more than one key, and which of the nodes this one is. */
void
ha_config_validate(struct ha_config *, struct json_decoder *, const struct ha_config_options *);

#endif
