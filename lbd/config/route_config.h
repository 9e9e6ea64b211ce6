/* route_config.h - the part of the configuration that says where a listener's requests go.  Part of config.h. */
#ifndef LBD_CONFIG_ROUTE_CONFIG_H
#define LBD_CONFIG_ROUTE_CONFIG_H

#include "common/address.h"
#include "lbd/config/limit_config.h"
#include "lbd/route/router.h"
#include "lbd/route/template.h"

/* A header field or a parameter of the query. */
struct route_match_config {
	struct str name;
	struct str value; /* NULL: it is there, whatever it says */
};

/* A pool and its share. */
struct route_share_config {
	struct str pool_name;
	uint32_t pool; /* index into lbd_config.pools */
	uint32_t weight;
};

/* A header field and what it says. */
struct field_edit {
	struct str name, value;
	const struct template *template; /* of the value; NULL for Host, which has no variables */
};

/* What happens to the fields of a request or a response on its way; removed first, then set, then added. */
struct header_edits {
	const struct field_edit *set, *add;
	const struct str *remove;
	uint32_t n_set, n_add, n_remove;
};

static inline bool
header_edits_any(const struct header_edits *e)
{
	return e->n_set || e->n_add || e->n_remove;
}

struct route_redirect_config {
	struct str to; /* empty: no redirect */
	const struct template *location; /* derived from it */
	uint16_t status;
};

struct route_respond_config {
	uint16_t status; /* 0: no response of our own */
	struct str body, content_type;
};

struct route_config {
	/* what every request asks, derived from the rest and close together */
	uint32_t n_conditions; /* beside host and path */
	bool changes; /* replace_prefix, or any header */
	struct route_share_config *shares; /* where requests go, by pool_name or by split */
	uint32_t n_shares; /* 0: lbd answers itself */
	uint32_t total; /* sum of their weights */
	uint32_t pool; /* of the only share */

	struct str host, path, path_prefix;
	struct str sni; /* lower case; as a rule's host */
	struct str methods; /* separated by blanks; empty: all */
	const struct route_match_config *headers, *query;
	uint32_t n_headers, n_query;
	const struct network *clients;
	uint32_t n_clients;
	const struct network_tree *client_tree; /* of the same; NULL: anybody */
	struct rate_limit_config rate_limit;
	struct header_edits request_headers, response_headers;
	struct str replace_prefix; /* what path_prefix becomes; NULL: it stays */
	/* one of these */
	struct str pool_name;
	struct route_share_config *split;
	uint32_t n_split;
	struct route_redirect_config redirect;
	struct route_respond_config respond;
};

#endif
