/* schema_health.c - the table of pools[].health_check. */
#include "lbd/config/schema.h"

#include "common/clock.h"

#define MS NS_PER_MS
#define HOUR (3600 * NS_PER_S)
#define DAY (24 * HOUR)

static const char *
barred_without_http(const void *object)
{
	const struct health_config *h = object;

	return h->type == CHECK_TCP ? "has no effect on checks of type \"tcp\"" : NULL;
}

static const char *
barred_without_tcp(const void *object)
{
	const struct health_config *h = object;

	return h->type == CHECK_TCP ? NULL : "has no effect on checks of another type than \"tcp\"";
}

static const char *
barred_send_hex(const void *object)
{
	const struct health_config *h = object;

	return h->send.n ? "has no effect beside send" : barred_without_tcp(object);
}

static const char *
barred_expect_hex(const void *object)
{
	const struct health_config *h = object;

	return h->expect.n ? "has no effect beside expect" : barred_without_tcp(object);
}

static const char *
barred_without_checks(const void *object)
{
	const struct health_config *h = object;

	return h->type == CHECK_NONE ? "has no effect without checks" : NULL;
}

static const struct json_choice down_choices[] = {
	{ "keep", ON_DOWN_KEEP },
	{ "close", ON_DOWN_CLOSE },
	{ NULL, 0 },
};

static const struct json_choice check_types[] = {
	{ "http", CHECK_HTTP },
	{ "https", CHECK_HTTPS },
	{ "tcp", CHECK_TCP },
	{ "none", CHECK_NONE },
	{ NULL, 0 },
};

static const struct json_field status_element = {
	.kind = &json_kind_integer,
	.size = sizeof(uint16_t),
	.min = 200,
	.max = 599,
};

const struct json_field config_health_fields[] = {
	{ JSON_ROW("type", json_kind_choice, struct health_config, type), .fallback = "\"http\"",
	    .choices = check_types },
	{ JSON_ROW("path", json_kind_string, struct health_config, path), .fallback = "\"/health\"",
	    .min = 1, .max = 1024, .expects = "a path such as \"/health\"",
	    .check = config_check_path, .barred = barred_without_http },
	{ JSON_ROW("host", json_kind_string, struct health_config, host), .min = 1, .max = 255,
	    .expects = "the value of a Host header", .check = config_check_host,
	    .barred = barred_without_http },
	{ JSON_ROW("expect_status", json_kind_array, struct health_config, expect_status),
	    .beside = offsetof(struct health_config, n_expect_status), .fallback = "[200]",
	    .min = 1, .max = 64, .element = &status_element, .barred = barred_without_http,
	    .expects = "an array of status codes" },
	{ JSON_ROW("send", json_kind_string, struct health_config, send), .min = 1, .max = 1024,
	    .expects = "what a check sends", .barred = barred_without_tcp },
	{ JSON_ROW("send_hex", config_kind_hex, struct health_config, send_hex),
	    .barred = barred_send_hex },
	{ JSON_ROW("expect", json_kind_string, struct health_config, expect), .min = 1, .max = 1024,
	    .expects = "what must be in the answer", .barred = barred_without_tcp },
	{ JSON_ROW("expect_hex", config_kind_hex, struct health_config, expect_hex),
	    .barred = barred_expect_hex },
	{ JSON_ROW("interval", json_kind_duration, struct health_config, interval),
	    .fallback = "\"5s\"", .min = 10 * MS, .max = DAY },
	/* without one: 2s, or the interval if that is shorter */
	{ JSON_ROW("timeout", json_kind_duration, struct health_config, timeout), .min = 1 * MS,
	    .max = HOUR },
	{ JSON_ROW("fall", json_kind_integer, struct health_config, fall), .fallback = "3",
	    .min = 1, .max = 100 },
	{ JSON_ROW("rise", json_kind_integer, struct health_config, rise), .fallback = "2",
	    .min = 1, .max = 100 },
	{ JSON_ROW("port", json_kind_integer, struct health_config, port), .min = 1, .max = 65535 },
	/* without one: keep */
	{ JSON_ROW("on_down", json_kind_choice, struct health_config, on_down),
	    .choices = down_choices, .barred = barred_without_checks },
	{ 0 },
};
