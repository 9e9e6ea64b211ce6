/*
 * witness_config.h - witness.json, decoded: immutable, one arena, freed as a whole.
 *
 * Every default is filled in and everything is in range.  Keys and meanings: hafailover.json(5).
 */
#ifndef HAFAILOVER_CONFIG_WITNESS_CONFIG_H
#define HAFAILOVER_CONFIG_WITNESS_CONFIG_H

#include "hafailover/config/config.h"

enum { WITNESS_LISTEN_MAX = 8 };

struct witness_pair_config {
	struct str name, secret_file;
};

struct witness_config {
	const struct address *listen;
	uint32_t n_listen;
	const struct witness_pair_config *pairs;
	uint32_t n_pairs;
	int64_t lease; /* the longest of a pair's addresses */
	bool http_on;
	struct address http;
	struct ha_log_config log;
	struct arena *arena; /* private */
};

/* NULL when anything is wrong: *problems then says everything that is.  `file`: its name there. */
struct witness_config *
witness_config_load(struct str text, const char *file, struct problems *problems);
void witness_config_free(struct witness_config **);

/* The effective configuration as JSON text that parses to itself; the caller frees it. */
char *witness_config_print(const struct witness_config *);

#endif
