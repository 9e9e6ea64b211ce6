/* schema_tls.c - the tables of listeners[].tls.  Defaults: Mozilla's "intermediate", without DHE. */
#include "lbd/config/schema.h"

static const struct json_field certificate_fields[] = {
	{ JSON_ROW("certificate", json_kind_string, struct tls_certificate_config, certificate),
	    .required = true, .min = 2, .max = 4095, .expects = "an absolute path",
	    .check = config_check_file },
	{ JSON_ROW("key", json_kind_string, struct tls_certificate_config, key), .required = true,
	    .min = 2, .max = 4095, .expects = "an absolute path", .check = config_check_file },
	{ 0 },
};

static const struct json_field certificate_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct tls_certificate_config),
	.object = certificate_fields,
};

static const struct json_choice versions[] = {
	{ "1.2", TLS_1_2 },
	{ "1.3", TLS_1_3 },
	{ NULL, 0 },
};

static const struct json_choice protocols[] = {
	{ "h2", ALPN_H2 },
	{ "http/1.1", ALPN_HTTP_1_1 },
	{ NULL, 0 },
};

/* OpenSSL's lists: names and colons, signs to add and remove. */
static const char *
check_list(struct str s)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:+!@=";

	for (size_t i = 0; i < s.n; i++)
		if (!strchr(allowed, s.p[i]))
			return "is not a list as OpenSSL knows them: names with colons between";
	return NULL;
}

static const char *
barred_by_1_3(const void *object)
{
	const struct tls_config *t = object;

	return t->min_version == TLS_1_3 ? "has no effect where TLS 1.3 is the least" : NULL;
}

const struct json_field config_tls_fields[] = {
	{ JSON_ROW("certificates", json_kind_array, struct tls_config, certificates),
	    .beside = offsetof(struct tls_config, n_certificates), .required = true, .min = 1,
	    .max = 1000, .element = &certificate_element,
	    .expects = "an array of objects with certificate and key" },
	{ JSON_ROW("min_version", json_kind_choice, struct tls_config, min_version),
	    .fallback = "\"1.2\"", .choices = versions },
	{ JSON_ROW("ciphers", json_kind_string, struct tls_config, ciphers), .min = 1, .max = 2048,
	    .fallback = "\"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
			"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
			"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305\"",
	    .check = check_list, .barred = barred_by_1_3 },
	{ JSON_ROW("groups", json_kind_string, struct tls_config, groups), .min = 1, .max = 512,
	    .fallback = "\"X25519:P-256:P-384\"", .check = check_list },
	{ JSON_ROW("alpn", json_kind_choices, struct tls_config, alpn),
	    .fallback = "[\"h2\", \"http/1.1\"]", .choices = protocols },
	{ JSON_ROW("check_host", json_kind_bool, struct tls_config, check_host),
	    .fallback = "true" },
	{ JSON_ROW("ticket_secret_file", json_kind_string, struct tls_config, ticket_secret_file),
	    .min = 2, .max = 4095, .expects = "an absolute path", .check = config_check_file },
	{ 0 },
};
