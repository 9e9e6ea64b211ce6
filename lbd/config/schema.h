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

/* listeners[].tls; schema_tls.c. */
extern const struct json_field config_tls_fields[];
extern const struct json_field config_server_tls_fields[]; /* pools[].tls */

/* struct address; beside: struct str, as written. */
extern const struct json_kind config_kind_server_address;

/* Letters, digits and a few more: NULL when good, else what is wrong. */
const char *config_check_name(struct str);

/* What may stand in a Host field; the same answer. */
const char *config_check_host(struct str);

/* An absolute path; the same answer. */
const char *config_check_file(struct str);

/* Fills in what one row alone cannot know: derived names, node, workers. */
void config_complete(struct lbd_config *, const struct config_options *);

/* Everything that involves more than one key.  Works on what was decoded of a faulty file, too. */
void config_validate(struct lbd_config *, struct json_decoder *);

/* 16 hex digits and a NUL over what decides behaviour; -ENOMEM. */
int config_digest(const struct lbd_config *, char digest[17]);

#endif
