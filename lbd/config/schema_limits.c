/* schema_limits.c - the tables of rate_limit, access and client_prefix. */
#include "lbd/config/schema.h"

#include "lbd/http/scan.h"

enum { ACCESS_MAX = 100000 };

const struct json_field config_client_prefix_fields[] = {
	{ JSON_ROW("ipv4", json_kind_integer, struct client_prefix, ipv4), .fallback = "32",
	    .min = 8, .max = 32 },
	{ JSON_ROW("ipv6", json_kind_integer, struct client_prefix, ipv6), .fallback = "64",
	    .min = 16, .max = 128 },
	{ 0 },
};

static const char *
check_rate_key(struct str s)
{
	const struct str header = STR("header:");

	if (str_eq(s, STR("client_ip")) || str_eq(s, STR("route")))
		return NULL;
	if (!str_starts(s, header))
		return "is not \"client_ip\", \"header:NAME\" or \"route\"";
	s = str_skip(s, header.n);
	return s.n && scan_all(s, SCAN_TOKEN) ? NULL : "does not name a header field";
}

static const char *
barred_together(const void *object)
{
	const struct rate_limit_config *r = object;

	return str_eq(r->key_text, STR("route")) && !rate_count_any(&r->connections)
	    ? "has no effect on all requests together"
	    : NULL;
}

static const char *
barred_without_requests(const void *object)
{
	const struct rate_limit_config *r = object;

	return rate_count_any(&r->connections) && !rate_count_any(&r->requests)
	    ? "has no effect on connections, which have connection_burst"
	    : NULL;
}

static const char *
barred_without_connections(const void *object)
{
	const struct rate_limit_config *r = object;

	return rate_count_any(&r->connections)
	    ? NULL
	    : "has no effect without connections_per_second or connections_per_minute";
}

const struct json_field config_rate_limit_fields[] = {
	/* without a burst: what comes in a second */
	{ JSON_ROW("requests_per_second", json_kind_integer, struct rate_limit_config,
	      requests.per_second),
	    .min = 1, .max = 100000 },
	{ JSON_ROW("requests_per_minute", json_kind_integer, struct rate_limit_config,
	      requests.per_minute),
	    .min = 1, .max = 1000000 },
	{ JSON_ROW("burst", json_kind_integer, struct rate_limit_config, requests.burst), .min = 1,
	    .max = RATE_BURST_MAX, .barred = barred_without_requests },
	{ JSON_ROW("connections_per_second", json_kind_integer, struct rate_limit_config,
	      connections.per_second),
	    .min = 1, .max = 100000 },
	{ JSON_ROW("connections_per_minute", json_kind_integer, struct rate_limit_config,
	      connections.per_minute),
	    .min = 1, .max = 1000000 },
	{ JSON_ROW(
	      "connection_burst", json_kind_integer, struct rate_limit_config, connections.burst),
	    .min = 1, .max = RATE_BURST_MAX, .barred = barred_without_connections },
	{ JSON_ROW("key", json_kind_string, struct rate_limit_config, key_text),
	    .fallback = "\"client_ip\"", .min = 1, .max = 256,
	    .expects = "\"client_ip\", \"header:NAME\" or \"route\"", .check = check_rate_key },
	{ JSON_ROW("client_prefix", json_kind_object, struct rate_limit_config, prefix),
	    .fallback = "{}", .object = config_client_prefix_fields, .barred = barred_together },
	{ JSON_ROW("table_size", json_kind_size, struct rate_limit_config, table_size),
	    .fallback = "\"1m\"", .min = 4096, .max = 256 << 20, .barred = barred_together },
	{ 0 },
};

static const struct json_field network_element = {
	.kind = &json_kind_network,
	.size = sizeof(struct network),
};

const struct json_field config_access_fields[] = {
	{ JSON_ROW("allow", json_kind_array, struct access_config, allow),
	    .beside = offsetof(struct access_config, n_allow), .max = ACCESS_MAX,
	    .element = &network_element,
	    .expects = "an array of networks such as \"10.0.0.0/8\" or \"2001:db8::/32\"" },
	{ JSON_ROW("deny", json_kind_array, struct access_config, deny),
	    .beside = offsetof(struct access_config, n_deny), .max = ACCESS_MAX,
	    .element = &network_element,
	    .expects = "an array of networks such as \"10.0.0.0/8\" or \"2001:db8::/32\"" },
	{ 0 },
};
