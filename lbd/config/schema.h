/*
 * schema.h - the tables of lbd.json: every key with its kind, default and range.  Private to
 * config/ and tests.
 */
#ifndef LBD_CONFIG_SCHEMA_H
#define LBD_CONFIG_SCHEMA_H

#include "common/json_config.h"
#include "lbd/config/config.h"

/* The document; its struct is lbd_config.  json_decoder.context is the config_options. */
extern const struct json_field config_fields[];

/* listeners[].routes; schema_routes.c. */
extern const struct json_field config_route_fields[];

/* rate_limit, access, client_prefix; schema_limits.c. */
extern const struct json_field config_rate_limit_fields[], config_access_fields[],
    config_client_prefix_fields[];

/* request_headers, response_headers; schema_headers.c. */
extern const struct json_field config_request_edit_fields[], config_response_edit_fields[];

/* listeners[].tls; schema_tls.c. */
extern const struct json_field config_tls_fields[];
extern const struct json_field config_server_tls_fields[]; /* pools[].tls */

/* pools[].health_check; schema_health.c. */
extern const struct json_field config_health_fields[];

/* pools[].retry, circuit_breaker, queue; schema_protection.c. */
extern const struct json_field config_retry_fields[], config_breaker_fields[],
    config_queue_fields[];

/* pools[].stickiness; schema_affinity.c. */
extern const struct json_field config_stickiness_fields[];

/* pools[].hash_key: what it means, false if nothing; NULL when good, else what is wrong. */
bool config_hash_key_parse(struct str, enum hash_key *, struct str *name);
const char *config_check_hash_key(struct str);

/* struct field_edit *; beside: uint32_t, how many. */
extern const struct json_kind config_kind_request_edits, config_kind_response_edits;

/* struct pages_config, struct page_config; schema_pages.c. */
extern const struct json_kind config_kind_pages, config_kind_page;

/* struct proxied_config; schema_proxied.c. */
extern const struct json_kind config_kind_proxied;

/* struct alpn_config; schema_alpn.c. */
extern const struct json_kind config_kind_alpn;

/* uint16_t: 301, 302, 303, 307 or 308. */
extern const struct json_kind config_kind_redirect_status;

/* struct str: bytes, written as pairs of hex digits.  hex.c. */
extern const struct json_kind config_kind_hex;

/* struct address; beside: struct str, as written. */
extern const struct json_kind config_kind_server_address;

/* Letters, digits and a few more: NULL when good, else what is wrong. */
const char *config_check_name(struct str);

/* What may stand in a Host field; the same answer. */
const char *config_check_host(struct str);

/* The path of a URI, perhaps with a query; the same answer. */
const char *config_check_path(struct str);

/* Fills in what one row alone cannot know: derived names, node, workers. */
void config_complete(struct lbd_config *, const struct config_options *);

/* Everything that involves more than one key.  Works on what was decoded of a faulty file, too. */
void config_validate(struct lbd_config *, struct json_decoder *);

/*
 * Pools, templates and the router of a listener's routes, or problems.  False: out of memory.  validate_routes.c.
 */
bool config_routes_complete(struct lbd_config *, struct json_decoder *, uint32_t listener);

/* Rates, keys and trees of a listener's limits, or problems.  False: out of memory.  validate_limits.c. */
bool config_limits_complete(struct lbd_config *, struct json_decoder *, uint32_t listener);

/* The index of the pool with that name; -1, and the problem is listed as that of the path. */
__attribute__((format(printf, 4, 5))) int config_find_pool(
    const struct lbd_config *, struct json_decoder *, struct str name, const char *path, ...);

/* May that listener use that pool?  Else the problem is listed. */
void config_check_tcp_pool(
    const struct lbd_config *, struct json_decoder *, uint32_t listener, uint32_t pool);

/* 16 hex digits and a NUL over what decides behaviour; -ENOMEM.  Of a SHA-256 its first bytes. */
int config_digest(const struct lbd_config *, char digest[17]);
void config_digest_write(const unsigned char *hash, char digest[17]);

#endif
