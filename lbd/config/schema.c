/* schema.c - one table per object of lbd.json, innermost first. */
#include "lbd/config/schema.h"

#include <syslog.h>

#include "common/clock.h"
#include "common/daemon_kinds.h"

#define MS NS_PER_MS
#define S NS_PER_S
#define HOUR (3600 * NS_PER_S)
#define DAY (24 * HOUR)

enum { K = 1024, HEAD_MAX = 60 * K /* must fit a buffer of 64k, with what lbd adds */ };

/* Names go into logs, metrics, control commands and hash tables. */
const char *
config_check_name(struct str s)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@[]/-";

	for (size_t i = 0; i < s.n; i++)
		if (!strchr(allowed, s.p[i]))
			return "is not a name: allowed are letters, digits and . _ - : @ / [ ]";
	return NULL;
}

/* "POOL/SERVER" must have one reading. */
static const char *
check_pool_name(struct str s)
{
	return memchr(s.p, '/', s.n) ? "is not a pool's name: it holds a slash"
				     : config_check_name(s);
}

static const char *
check_user(struct str s)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	for (size_t i = 0; i < s.n; i++)
		if (!strchr(allowed, s.p[i]))
			return "is not a user's name";
	return NULL;
}

/* They become part of the check's request. */
static bool
is_visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

const char *
config_check_path(struct str s)
{
	if (s.p[0] != '/')
		return "is not a path: it must begin with a slash";
	return is_visible(s) && !memchr(s.p, '#', s.n)
	    ? NULL
	    : "is not a path: it holds a blank, \"#\", a control or a non-ASCII character";
}

const char *
config_check_host(struct str s)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:[]-";

	for (size_t i = 0; i < s.n; i++)
		if (!strchr(allowed, s.p[i]))
			return "is not a host: allowed are letters, digits and . _ - : [ ]";
	return NULL;
}

static const struct json_choice levels[] = {
	{ "error", LOG_ERR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ NULL, 0 },
};

static const struct json_choice access_formats[] = {
	{ "json", ACCESS_JSON },
	{ "combined", ACCESS_COMBINED },
	{ "off", ACCESS_OFF },
	{ NULL, 0 },
};

static const struct json_field access_fields[] = {
	{ JSON_ROW("target", json_kind_log_sink, struct log_config, access_target),
	    .beside = offsetof(struct log_config, access_path) },
	{ JSON_ROW("format", json_kind_choice, struct log_config, access_format),
	    .fallback = "\"json\"", .choices = access_formats },
	{ 0 },
};

static const struct json_field log_fields[] = {
	{ JSON_ROW("level", json_kind_choice, struct log_config, level), .fallback = "\"info\"",
	    .choices = levels },
	{ JSON_ROW("target", json_kind_log_sink, struct log_config, target),
	    .beside = offsetof(struct log_config, path), .fallback = "\"stderr\"" },
	{ .key = "access",
	    .kind = &json_kind_object,
	    .fallback = "{ \"format\": \"off\" }",
	    .object = access_fields },
	{ 0 },
};

static const struct json_field admin_fields[] = {
	{ JSON_ROW("socket", json_kind_string, struct admin_config, socket),
	    .fallback = "\"/run/lbpair/lbd.sock\"", .min = 2,
	    .max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1,
	    .expects = "an absolute path", .check = check_absolute_path },
	{ JSON_ROW("http", json_kind_listen_or_off, struct admin_config, http),
	    .beside = offsetof(struct admin_config, http_on), .fallback = "\"127.0.0.1:9101\"" },
	{ 0 },
};

static const char *
barred_without_client_limit(const void *object)
{
	const struct limits_config *l = object;

	return l->connections_per_client ? NULL : "has no effect without connections_per_client";
}

static const struct json_field limits_fields[] = {
	{ JSON_ROW("connections", json_kind_integer, struct limits_config, connections),
	    .fallback = "50000", .min = 1, .max = 1000000 },
	{ JSON_ROW("connections_per_client", json_kind_integer, struct limits_config,
	      connections_per_client),
	    .fallback = "0", .max = 1000000 },
	{ JSON_ROW("client_prefix", json_kind_object, struct limits_config, client_prefix),
	    .fallback = "{}", .object = config_client_prefix_fields,
	    .barred = barred_without_client_limit },
	{ JSON_ROW("headers", json_kind_integer, struct limits_config, request.fields),
	    .fallback = "128", .min = 1, .max = HTTP_FIELDS_MAX },
	{ JSON_ROW("header_size", json_kind_size, struct limits_config, request.head_size),
	    .fallback = "\"32k\"", .min = 1 * K, .max = HEAD_MAX },
	{ JSON_ROW("uri_size", json_kind_size, struct limits_config, request.target_size),
	    .fallback = "\"16k\"", .min = 64, .max = HEAD_MAX },
	{ JSON_ROW("body_size", json_kind_size, struct limits_config, body_size), .fallback = "0",
	    .max = INT64_C(1) << 40 },
	{ JSON_ROW("server_idle", json_kind_integer, struct limits_config, server_idle),
	    .fallback = "512", .max = 65536 },
	{ JSON_ROW("tls_handshakes", json_kind_integer, struct limits_config, tls_handshakes),
	    .fallback = "1000", .min = 1, .max = 1000000 },
	{ 0 },
};

/* All time-outs are alike but for their defaults. */
#define TIMEOUT(name, text)                                                                        \
	{                                                                                          \
		JSON_ROW(#name, json_kind_duration, struct timeouts_config, name),                 \
		    .fallback = (text), .min = 1 * MS, .max = 30 * DAY                             \
	}

static const struct json_field timeouts_fields[] = {
	TIMEOUT(client_header, "\"10s\""),
	TIMEOUT(client_idle, "\"60s\""),
	TIMEOUT(client_body, "\"30s\""),
	TIMEOUT(connect, "\"2s\""),
	TIMEOUT(response, "\"30s\""),
	TIMEOUT(server_idle, "\"60s\""),
	TIMEOUT(queue, "\"5s\""),
	TIMEOUT(tunnel, "\"1h\""),
	TIMEOUT(client_fin, "\"1m\""),
	TIMEOUT(server_fin, "\"1m\""),
	{ JSON_ROW("tcp_keepalive", json_kind_duration, struct timeouts_config, tcp_keepalive),
	    .min = 1 * S, .max = 9 * HOUR /* the kernel counts to 32767 s */ },
	TIMEOUT(drain, "\"30s\""),
	TIMEOUT(tls_handshake, "\"5s\""),
	{ 0 },
};

static const struct json_choice resolver_families[] = {
	{ "any", RESOLVER_ANY },
	{ "ipv4", RESOLVER_IPV4 },
	{ "ipv6", RESOLVER_IPV6 },
	{ NULL, 0 },
};

static const struct json_field resolver_server_element = {
	.kind = &json_kind_address,
	.size = sizeof(struct address),
};

static const char *
check_path_or_off(struct str s)
{
	return str_eq(s, STR("off")) ? NULL : check_absolute_path(s);
}

static const struct json_field resolver_fields[] = {
	{ JSON_ROW("servers", json_kind_array, struct resolver_config, servers),
	    .beside = offsetof(struct resolver_config, n_servers), .fallback = "[]", .max = 8,
	    .element = &resolver_server_element,
	    .expects = "an array of addresses such as \"192.0.2.53:53\"" },
	{ JSON_ROW("hosts", json_kind_bool, struct resolver_config, hosts), .fallback = "true" },
	{ JSON_ROW("family", json_kind_choice, struct resolver_config, family),
	    .fallback = "\"any\"", .choices = resolver_families },
	{ JSON_ROW("min_ttl", json_kind_duration, struct resolver_config, min_ttl),
	    .fallback = "\"1s\"", .min = 100 * MS, .max = HOUR },
	{ JSON_ROW("max_ttl", json_kind_duration, struct resolver_config, max_ttl),
	    .fallback = "\"5m\"", .min = 100 * MS, .max = DAY },
	{ JSON_ROW("hold", json_kind_duration, struct resolver_config, hold), .fallback = "\"0s\"",
	    .max = DAY },
	{ JSON_ROW("timeout", json_kind_duration, struct resolver_config, timeout),
	    .fallback = "\"2s\"", .min = 10 * MS, .max = 30 * S },
	{ JSON_ROW("attempts", json_kind_integer, struct resolver_config, attempts),
	    .fallback = "3", .min = 1, .max = 10 },
	{ JSON_ROW("state_file", json_kind_string, struct resolver_config, state_file),
	    .fallback = "\"/var/lib/lbpair/lbd.names\"", .min = 2, .max = 4091, /* and ".new" */
	    .expects = "an absolute path, or \"off\"", .check = check_path_or_off },
	{ 0 },
};

static const struct json_field trust_element = {
	.kind = &json_kind_network,
	.size = sizeof(struct network),
};

static const struct json_choice forwarded_froms[] = {
	{ "x_forwarded_for", FROM_X_FORWARDED_FOR },
	{ "forwarded", FROM_FORWARDED },
	{ NULL, 0 },
};

static const char *
barred_client_from(const void *object)
{
	const struct forwarded_config *f = object;

	return f->n_trust ? NULL : "has no effect without trust: nobody's word is believed";
}

static const struct json_field forwarded_fields[] = {
	{ JSON_ROW("trust", json_kind_array, struct forwarded_config, trust),
	    .beside = offsetof(struct forwarded_config, n_trust), .fallback = "[]", .max = 1024,
	    .element = &trust_element,
	    .expects = "an array of networks such as \"10.0.0.0/8\" or \"2001:db8::/32\"" },
	{ JSON_ROW("client_from", json_kind_choice, struct forwarded_config, client_from),
	    .choices = forwarded_froms, .barred = barred_client_from },
	{ JSON_ROW("x_forwarded", json_kind_bool, struct forwarded_config, x_forwarded),
	    .fallback = "true" },
	{ JSON_ROW("rfc7239", json_kind_bool, struct forwarded_config, rfc7239),
	    .fallback = "false" },
	{ 0 },
};

static const struct json_choice listener_protocols[] = {
	{ "http", LISTENER_HTTP },
	{ "tcp", LISTENER_TCP },
	{ NULL, 0 },
};

static const struct json_field bind_element = {
	.kind = &json_kind_address,
	.size = sizeof(struct address),
};

static const char *
barred_by_tcp(const void *object)
{
	const struct listener_config *l = object;

	return l->protocol == LISTENER_TCP ? "has no effect with protocol \"tcp\"" : NULL;
}

static const char *
barred_with_tls(const void *object)
{
	const struct listener_config *l = object;

	if (l->protocol == LISTENER_TCP)
		return barred_by_tcp(object);
	return l->tls.n_certificates ? "has no effect with tls, where alpn decides" : NULL;
}

static const char *
barred_redirect(const void *object)
{
	const struct listener_config *l = object;

	if (l->protocol == LISTENER_TCP)
		return barred_by_tcp(object);
	if (l->tls.n_certificates)
		return "has no effect with tls: what comes here is HTTPS already";
	return l->n_routes ? "would leave nothing to the routes of this listener" : NULL;
}

static const char *
barred_by_redirect(const void *object)
{
	const struct listener_config *l = object;

	if (l->protocol == LISTENER_TCP)
		return barred_by_tcp(object);
	return l->redirect.status ? "has no effect with redirect_https: no server gets a request"
				  : NULL;
}

static const char *
barred_hsts(const void *object)
{
	const struct listener_config *l = object;

	if (l->protocol == LISTENER_TCP)
		return barred_by_tcp(object);
	return l->tls.n_certificates ? NULL : "has no effect without tls: browsers ignore it there";
}

static const struct json_field redirect_fields[] = {
	{ JSON_ROW("status", config_kind_redirect_status, struct redirect_config, status),
	    .fallback = "308" },
	{ JSON_ROW("port", json_kind_integer, struct redirect_config, port), .fallback = "443",
	    .min = 1, .max = 65535 },
	{ 0 },
};

static const struct json_field hsts_fields[] = {
	{ JSON_ROW("max_age", json_kind_duration, struct hsts_config, max_age),
	    .fallback = "\"8760h\"", .min = 1 * S, .max = 730 * DAY },
	{ JSON_ROW("include_subdomains", json_kind_bool, struct hsts_config, include_subdomains),
	    .fallback = "false" },
	{ JSON_ROW("preload", json_kind_bool, struct hsts_config, preload), .fallback = "false" },
	{ 0 },
};

static const struct json_field route_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct route_config),
	.object = config_route_fields,
};

static const struct json_field listener_fields[] = {
	{ JSON_ROW("name", json_kind_string, struct listener_config, name), .expects = "a name",
	    .min = 1, .max = CONFIG_KEY_MAX, .check = config_check_name },
	{ JSON_ROW("bind", json_kind_array, struct listener_config, bind),
	    .beside = offsetof(struct listener_config, n_bind), .required = true, .min = 1,
	    .max = 64, .element = &bind_element,
	    .expects = "an array of \"ADDRESS:PORT\", \"[IPV6]:PORT\" or \"unix:/PATH\"" },
	{ JSON_ROW("protocol", json_kind_choice, struct listener_config, protocol),
	    .fallback = "\"http\"", .choices = listener_protocols },
	{ JSON_ROW("pool", json_kind_string, struct listener_config, pool_name), .min = 1,
	    .max = CONFIG_KEY_MAX, .expects = "the name of a pool" },
	{ JSON_ROW("routes", json_kind_array, struct listener_config, routes),
	    .beside = offsetof(struct listener_config, n_routes), .max = CONFIG_ROUTES_MAX,
	    .element = &route_element, .expects = "an array of routes" },
	{ JSON_ROW("request_headers", json_kind_object, struct listener_config, request_headers),
	    .object = config_request_edit_fields, .barred = barred_by_redirect },
	{ JSON_ROW("response_headers", json_kind_object, struct listener_config, response_headers),
	    .object = config_response_edit_fields, .barred = barred_by_tcp },
	{ JSON_ROW("access", json_kind_object, struct listener_config, access),
	    .object = config_access_fields },
	{ JSON_ROW("rate_limit", json_kind_object, struct listener_config, rate_limit),
	    .object = config_rate_limit_fields },
	{ JSON_ROW("forwarded", json_kind_object, struct listener_config, forwarded),
	    .fallback = "{}", .object = forwarded_fields, .barred = barred_by_tcp },
	{ JSON_ROW("proxy_protocol", config_kind_proxied, struct listener_config, proxied) },
	{ JSON_ROW("error_pages", config_kind_pages, struct listener_config, error_pages),
	    .barred = barred_by_tcp },
	{ JSON_ROW("tls", json_kind_object, struct listener_config, tls),
	    .object = config_tls_fields },
	{ JSON_ROW("http2", json_kind_bool, struct listener_config, http2), .fallback = "false",
	    .barred = barred_with_tls },
	{ JSON_ROW("redirect_https", json_kind_object, struct listener_config, redirect),
	    .object = redirect_fields, .barred = barred_redirect },
	{ JSON_ROW("hsts", json_kind_object, struct listener_config, hsts), .object = hsts_fields,
	    .barred = barred_hsts },
	{ 0 },
};

static const char *
barred_without_name(const void *object)
{
	const struct server_config *s = object;

	return server_is_named(s) ? NULL : "has no effect: the address is not a name";
}

static const struct json_field server_fields[] = {
	{ JSON_ROW("name", json_kind_string, struct server_config, name), .expects = "a name",
	    .min = 1, .max = CONFIG_KEY_MAX, .check = config_check_name },
	{ JSON_ROW("address", config_kind_server_address, struct server_config, address),
	    .beside = offsetof(struct server_config, address_text), .required = true },
	{ JSON_ROW("weight", json_kind_integer, struct server_config, weight), .fallback = "1",
	    .max = 256 },
	{ JSON_ROW("max_connections", json_kind_integer, struct server_config, max_connections),
	    .fallback = "0", .max = 1000000 },
	{ JSON_ROW("resolve_max", json_kind_integer, struct server_config, resolve_max),
	    .fallback = "16", .min = 1, .max = CONFIG_RESOLVE_MAX, .barred = barred_without_name },
	{ JSON_ROW("backup", json_kind_bool, struct server_config, backup) },
	{ 0 },
};

static const struct json_choice algorithms[] = {
	{ "round_robin", BALANCE_ROUND_ROBIN },
	{ "weighted_round_robin", BALANCE_ROUND_ROBIN },
	{ "least_connections", BALANCE_LEAST_CONNECTIONS },
	{ "ip_hash", BALANCE_IP_HASH },
	{ "consistent_hash", BALANCE_CONSISTENT_HASH },
	{ "least_response_time", BALANCE_LEAST_RESPONSE_TIME },
	{ "random", BALANCE_RANDOM },
	{ NULL, 0 },
};

static const char *
barred_without_hash(const void *object)
{
	const struct pool_config *p = object;

	return balance_hashes(p->algorithm)
	    ? NULL
	    : "has no effect unless algorithm is \"ip_hash\" or \"consistent_hash\"";
}

static const struct json_field server_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct server_config),
	.object = server_fields,
};

static const struct json_field pool_fields[] = {
	{ JSON_ROW("name", json_kind_string, struct pool_config, name), .expects = "a name",
	    .required = true, .min = 1, .max = CONFIG_KEY_MAX, .check = check_pool_name },
	{ JSON_ROW("algorithm", json_kind_choice, struct pool_config, algorithm),
	    .fallback = "\"round_robin\"", .choices = algorithms },
	{ JSON_ROW("hash_key", json_kind_string, struct pool_config, hash_key),
	    .fallback = "\"client_ip\"", .min = 1, .max = 256,
	    .expects = "what to hash, such as \"client_ip\" or \"header:NAME\"",
	    .check = config_check_hash_key, .barred = barred_without_hash },
	{ JSON_ROW(
	      "hash_balance_factor", json_kind_integer, struct pool_config, hash_balance_factor),
	    .fallback = "0", .max = 1000, .barred = barred_without_hash },
	{ JSON_ROW("servers", json_kind_array, struct pool_config, servers),
	    .beside = offsetof(struct pool_config, n_servers), .required = true, .min = 1,
	    .max = SERVER_SLOTS_MAX, .element = &server_element, .expects = "an array of servers" },
	{ JSON_ROW("health_check", json_kind_object, struct pool_config, health),
	    .fallback = "{ \"type\": \"tcp\" }", .object = config_health_fields },
	{ JSON_ROW("retry", json_kind_object, struct pool_config, retry), .fallback = "{}",
	    .object = config_retry_fields },
	{ JSON_ROW("circuit_breaker", json_kind_object, struct pool_config, breaker),
	    .object = config_breaker_fields },
	{ JSON_ROW("slow_start", json_kind_duration, struct pool_config, slow_start), .min = 1 * S,
	    .max = HOUR },
	{ JSON_ROW("queue", json_kind_object, struct pool_config, queue),
	    .object = config_queue_fields },
	{ JSON_ROW("stickiness", json_kind_object, struct pool_config, stickiness),
	    .object = config_stickiness_fields },
	{ JSON_ROW("tls", json_kind_object, struct pool_config, tls),
	    .object = config_server_tls_fields },
	{ JSON_ROW("http2", json_kind_bool, struct pool_config, http2), .fallback = "false" },
	{ JSON_ROW("send_proxy_protocol", json_kind_integer, struct pool_config, proxy_header),
	    .max = 2 },
	{ JSON_ROW("error_pages", config_kind_pages, struct pool_config, error_pages) },
	{ JSON_ROW("maintenance_page", config_kind_page, struct pool_config, maintenance_page) },
	{ 0 },
};

static const struct json_field listener_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct listener_config),
	.object = listener_fields,
};

static const struct json_field pool_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct pool_config),
	.object = pool_fields,
};

const struct json_field config_fields[] = {
	/* without one: the CPUs that may be used */
	{ JSON_ROW("workers", json_kind_integer, struct lbd_config, workers), .min = 1,
	    .max = CONFIG_WORKERS_MAX },
	{ JSON_ROW("user", json_kind_string, struct lbd_config, user), .min = 1, .max = 32,
	    .check = check_user },
	{ JSON_ROW("log", json_kind_object, struct lbd_config, log), .fallback = "{}",
	    .object = log_fields },
	{ JSON_ROW("admin", json_kind_object, struct lbd_config, admin), .fallback = "{}",
	    .object = admin_fields },
	{ JSON_ROW("limits", json_kind_object, struct lbd_config, limits), .fallback = "{}",
	    .object = limits_fields },
	{ JSON_ROW("timeouts", json_kind_object, struct lbd_config, timeouts), .fallback = "{}",
	    .object = timeouts_fields },
	{ JSON_ROW("resolver", json_kind_object, struct lbd_config, resolver), .fallback = "{}",
	    .object = resolver_fields },
	{ JSON_ROW("listeners", json_kind_array, struct lbd_config, listeners),
	    .beside = offsetof(struct lbd_config, n_listeners), .required = true, .min = 1,
	    .max = CONFIG_LISTENERS_MAX, .element = &listener_element,
	    .expects = "an array of listeners" },
	{ JSON_ROW("pools", json_kind_array, struct lbd_config, pools),
	    .beside = offsetof(struct lbd_config, n_pools), .required = true, .min = 1,
	    .max = CONFIG_POOLS_MAX, .element = &pool_element, .expects = "an array of pools" },
	{ 0 },
};
