/* schema_routes.c - the tables of listeners[].routes. */
#include "lbd/config/schema.h"

#include <stdio.h>

#include "lbd/http/scan.h"

enum { K = 1024 };

static const char *
check_host_pattern(struct str s)
{
	if (str_starts(s, STR("*.")))
		s = str_skip(s, 2);
	if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return "is not a host, or \"*.\" and a domain";
	if (memchr(s.p, ':', s.n) && s.p[0] != '[')
		return "has a port: routes look at the name alone";
	return config_check_host(s);
}

static const char *
check_sni(struct str s)
{
	const char *wrong = check_host_pattern(s);

	if (!wrong && (s.p[0] == '[' || memchr(s.p, ':', s.n)))
		wrong = "is an address: clients ask for names alone";
	return wrong;
}

static const char *
check_route_path(struct str s)
{
	return memchr(s.p, '?', s.n) ? "has a query" : config_check_path(s);
}

/* Methods have cases, and no client means "get". */
static bool
is_small_method(struct str word)
{
	static const struct str known[] = { STR("GET"), STR("HEAD"), STR("POST"), STR("PUT"),
		STR("DELETE"), STR("OPTIONS"), STR("PATCH") };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (str_eq_nocase(word, known[i]))
			return !str_eq(word, known[i]);
	return false;
}

static const char *
check_methods(struct str s)
{
	const char *p = s.p, *end = s.p + s.n;

	while (p < end) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));
		struct str word = { p, (size_t)((blank ? blank : end) - p) };

		if (word.n == 0 || !scan_all(word, SCAN_TOKEN))
			return "is not a list of methods with one blank between";
		if (is_small_method(word))
			return "is never the method of a request: GET, HEAD and the like are in "
			       "capitals";
		p += word.n + 1;
	}
	return NULL;
}

static const char *
check_field(struct str s)
{
	return scan_all(s, SCAN_TOKEN) ? NULL : "is not the name of a header field";
}

static const char *
check_parameter(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("&=#", s.p[i]))
			return "cannot stand in a query";
	return NULL;
}

static const char *
check_parameter_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("&#", s.p[i]))
			return "cannot stand in a query";
	return NULL;
}

static const char *
check_location(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return "is not a URI: it holds a blank, a control or a non-ASCII character";
	if (s.p[0] == '/' || str_starts(s, STR("http://")) || str_starts(s, STR("https://")) ||
	    str_starts(s, STR("{scheme}://")))
		return NULL;
	return "is not a URI: it must begin with http://, https://, {scheme}:// or a slash";
}

static const char *
check_field_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return "holds what cannot stand in a header field";
	return NULL;
}

static const struct json_field header_fields[] = {
	{ JSON_ROW("name", json_kind_string, struct route_match_config, name), .required = true,
	    .min = 1, .max = 256, .check = check_field },
	{ JSON_ROW("value", json_kind_string, struct route_match_config, value), .max = 4 * K,
	    .check = check_field_value },
	{ 0 },
};

static const struct json_field header_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct route_match_config),
	.object = header_fields,
};

static const struct json_field query_fields[] = {
	{ JSON_ROW("name", json_kind_string, struct route_match_config, name), .required = true,
	    .min = 1, .max = 256, .check = check_parameter },
	{ JSON_ROW("value", json_kind_string, struct route_match_config, value), .max = 4 * K,
	    .check = check_parameter_value },
	{ 0 },
};

static const struct json_field query_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct route_match_config),
	.object = query_fields,
};

static const struct json_field client_element = {
	.kind = &json_kind_network,
	.size = sizeof(struct network),
};

static const struct json_field share_fields[] = {
	{ JSON_ROW("pool", json_kind_string, struct route_share_config, pool_name),
	    .required = true, .min = 1, .max = CONFIG_KEY_MAX, .expects = "the name of a pool" },
	{ JSON_ROW("weight", json_kind_integer, struct route_share_config, weight),
	    .required = true, .max = 1000000 },
	{ 0 },
};

static const struct json_field share_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct route_share_config),
	.object = share_fields,
};

static void
redirect_status_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	json_int_t n = json_integer_value(at->value); /* 0 of what is no number */

	if (n == 301 || n == 302 || n == 303 || n == 307 || n == 308)
		*(uint16_t *)to = (uint16_t)n;
	else
		json_config_mistyped(d, at, f);
}

static json_t *
redirect_status_encode(const struct json_field *f, const void *from)
{
	(void)f;
	return json_integer(*(const uint16_t *)from);
}

static void
redirect_status_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "301, 302, 303, 307 or 308");
}

const struct json_kind config_kind_redirect_status = { redirect_status_decode,
	redirect_status_encode, redirect_status_describe };

static const struct json_field redirect_fields[] = {
	{ JSON_ROW("to", json_kind_string, struct route_redirect_config, to), .required = true,
	    .min = 1, .max = 4 * K, .expects = "a URI, which may have {variables} in it",
	    .check = check_location },
	{ JSON_ROW("status", config_kind_redirect_status, struct route_redirect_config, status),
	    .fallback = "308" },
	{ 0 },
};

static const struct json_field respond_fields[] = {
	{ JSON_ROW("status", json_kind_integer, struct route_respond_config, status),
	    .required = true, .min = 200, .max = 599 },
	{ JSON_ROW("body", json_kind_string, struct route_respond_config, body), .max = 16 * K },
	{ JSON_ROW("content_type", json_kind_string, struct route_respond_config, content_type),
	    .fallback = "\"text/plain; charset=utf-8\"", .min = 1, .max = 256,
	    .check = check_field_value },
	{ 0 },
};

const struct json_field config_route_fields[] = {
	{ JSON_ROW("host", json_kind_string, struct route_config, host), .min = 1, .max = 255,
	    .expects = "a host, or \"*.\" and a domain", .check = check_host_pattern },
	{ JSON_ROW("sni", json_kind_string, struct route_config, sni), .min = 1, .max = 253,
	    .expects = "the name in a ClientHello, or \"*.\" and a domain", .check = check_sni },
	{ JSON_ROW("path", json_kind_string, struct route_config, path), .min = 1, .max = 4 * K,
	    .expects = "a path such as \"/login\"", .check = check_route_path },
	{ JSON_ROW("path_prefix", json_kind_string, struct route_config, path_prefix), .min = 1,
	    .max = 4 * K, .expects = "the beginning of a path, such as \"/api\"",
	    .check = check_route_path },
	{ JSON_ROW("method", json_kind_string, struct route_config, methods), .min = 1, .max = 1024,
	    .expects = "a method, or several with blanks between", .check = check_methods },
	{ JSON_ROW("headers", json_kind_array, struct route_config, headers),
	    .beside = offsetof(struct route_config, n_headers), .max = 16,
	    .element = &header_element, .expects = "an array of objects with name and value" },
	{ JSON_ROW("query", json_kind_array, struct route_config, query),
	    .beside = offsetof(struct route_config, n_query), .max = 16, .element = &query_element,
	    .expects = "an array of objects with name and value" },
	{ JSON_ROW("clients", json_kind_array, struct route_config, clients),
	    .beside = offsetof(struct route_config, n_clients), .max = 1024,
	    .element = &client_element,
	    .expects = "an array of networks such as \"10.0.0.0/8\" or \"2001:db8::/32\"" },
	{ JSON_ROW("rate_limit", json_kind_object, struct route_config, rate_limit),
	    .object = config_rate_limit_fields },
	{ JSON_ROW("replace_prefix", json_kind_string, struct route_config, replace_prefix),
	    .min = 1, .max = 4 * K, .expects = "what path_prefix becomes, such as \"/v2\" or \"/\"",
	    .check = check_route_path },
	{ JSON_ROW("request_headers", json_kind_object, struct route_config, request_headers),
	    .object = config_request_edit_fields },
	{ JSON_ROW("response_headers", json_kind_object, struct route_config, response_headers),
	    .object = config_response_edit_fields },
	{ JSON_ROW("pool", json_kind_string, struct route_config, pool_name), .min = 1,
	    .max = CONFIG_KEY_MAX, .expects = "the name of a pool" },
	{ JSON_ROW("split", json_kind_array, struct route_config, split),
	    .beside = offsetof(struct route_config, n_split), .min = 1, .max = 64,
	    .element = &share_element, .expects = "an array of objects with pool and weight" },
	{ JSON_ROW("redirect", json_kind_object, struct route_config, redirect),
	    .object = redirect_fields },
	{ JSON_ROW("respond", json_kind_object, struct route_config, respond),
	    .object = respond_fields },
	{ 0 },
};
