/* schema_tls.c - the tables of listeners[].tls and pools[].tls.  Defaults: Mozilla's "intermediate", without DHE. */
#include "lbd/config/schema.h"

#include "common/daemon_kinds.h"
#include "lbd/http/scan.h"

static const struct json_field certificate_fields[] = {
	{ JSON_ROW("certificate", json_kind_string, struct tls_certificate_config, certificate),
	    .required = true, .min = 2, .max = 4095, .expects = "an absolute path",
	    .check = check_absolute_path },
	{ JSON_ROW("key", json_kind_string, struct tls_certificate_config, key), .required = true,
	    .min = 2, .max = 4095, .expects = "an absolute path", .check = check_absolute_path },
	{ JSON_ROW("ocsp", json_kind_string, struct tls_certificate_config, ocsp), .min = 2,
	    .max = 4095, .expects = "an absolute path", .check = check_absolute_path },
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

static const struct json_choice verifications[] = {
	{ "off", TLS_VERIFY_OFF },
	{ "optional", TLS_VERIFY_OPTIONAL },
	{ "require", TLS_VERIFY_REQUIRE },
	{ NULL, 0 },
};

static const char *
barred_without_clients(const void *object)
{
	const struct tls_config *t = object;

	return t->client_verify == TLS_VERIFY_OFF ? "has no effect while client_verify is \"off\""
						  : NULL;
}

/* Those that lbd reads or writes itself have another meaning. */
static const char *
check_field_name(struct str s)
{
	if (!scan_all(s, SCAN_TOKEN))
		return "is not the name of a header field";
	return field_id_of(s) == FIELD_OTHER ? NULL : "is a field that lbd writes itself, or drops";
}

#define PEER_FIELD(key, value)                                                                     \
	{                                                                                          \
		JSON_ROW(key, json_kind_string, struct tls_peer_fields, name[value]),              \
		    .min = 1, .max = 64, .expects = "the name of a header field",                  \
		    .check = check_field_name                                                      \
	}

static const struct json_field peer_fields[] = {
	PEER_FIELD("verified", TLS_PEER_VERIFIED),
	PEER_FIELD("subject", TLS_PEER_SUBJECT),
	PEER_FIELD("issuer", TLS_PEER_ISSUER),
	PEER_FIELD("serial", TLS_PEER_SERIAL),
	PEER_FIELD("fingerprint", TLS_PEER_FINGERPRINT),
	PEER_FIELD("certificate", TLS_PEER_CERTIFICATE),
	{ 0 },
};

static const struct json_choice ktls_uses[] = {
	{ "off", TLS_KTLS_OFF },
	{ "auto", TLS_KTLS_AUTO },
	{ NULL, 0 },
};

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
	{ JSON_ROW("alpn", config_kind_alpn, struct tls_config, alpn),
	    .fallback = "[\"h2\", \"http/1.1\"]" },
	{ JSON_ROW("client_verify", json_kind_choice, struct tls_config, client_verify),
	    .fallback = "\"off\"", .choices = verifications },
	{ JSON_ROW("client_ca", json_kind_string, struct tls_config, client_ca), .min = 2,
	    .max = 4095, .expects = "an absolute path", .check = check_absolute_path,
	    .barred = barred_without_clients },
	{ JSON_ROW("client_crl", json_kind_string, struct tls_config, client_crl), .min = 2,
	    .max = 4095, .expects = "an absolute path", .check = check_absolute_path,
	    .barred = barred_without_clients },
	{ JSON_ROW("client_headers", json_kind_object, struct tls_config, client_headers),
	    .object = peer_fields, .barred = barred_without_clients },
	{ JSON_ROW("check_host", json_kind_bool, struct tls_config, check_host),
	    .fallback = "true" },
	{ JSON_ROW("ticket_secret_file", json_kind_string, struct tls_config, ticket_secret_file),
	    .min = 2, .max = 4095, .expects = "an absolute path", .check = check_absolute_path },
	{ JSON_ROW("ktls", json_kind_choice, struct tls_config, ktls), .fallback = "\"auto\"",
	    .choices = ktls_uses },
	{ 0 },
};

static const char *
barred_unverified(const void *object)
{
	const struct tls_server_config *t = object;

	return t->verify ? NULL : "has no effect where verify is false";
}

/* A name as certificates have it, or an address. */
static const char *
check_server_name(struct str s)
{
	return memchr(s.p, '[', s.n) || memchr(s.p, ']', s.n)
	    ? "is not a host: an IPv6 address stands here without brackets"
	    : config_check_host(s);
}

const struct json_field config_server_tls_fields[] = {
	{ JSON_ROW("min_version", json_kind_choice, struct tls_server_config, min_version),
	    .fallback = "\"1.2\"", .choices = versions },
	{ JSON_ROW("verify", json_kind_bool, struct tls_server_config, verify),
	    .fallback = "true" },
	{ JSON_ROW("ca", json_kind_string, struct tls_server_config, ca), .min = 2, .max = 4095,
	    .expects = "an absolute path", .check = check_absolute_path,
	    .barred = barred_unverified },
	{ JSON_ROW("server_name", json_kind_string, struct tls_server_config, server_name),
	    .min = 1, .max = 253, .expects = "a host's name", .check = check_server_name },
	{ JSON_ROW("certificate", json_kind_string, struct tls_server_config, certificate),
	    .min = 2, .max = 4095, .expects = "an absolute path", .check = check_absolute_path },
	{ JSON_ROW("key", json_kind_string, struct tls_server_config, key), .min = 2, .max = 4095,
	    .expects = "an absolute path", .check = check_absolute_path },
	{ 0 },
};
