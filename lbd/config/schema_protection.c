/* schema_protection.c - pools[].retry, circuit_breaker and queue. */
#include "lbd/config/schema.h"

#include "common/clock.h"

#define MS NS_PER_MS
#define HOUR (3600 * NS_PER_S)
#define DAY (24 * HOUR)

static const struct json_choice retry_causes[] = {
	{ "connect_failure", RETRY_CONNECT_FAILURE },
	{ "reset", RETRY_RESET },
	{ "timeout", RETRY_TIMEOUT },
	{ "502", RETRY_502 },
	{ "503", RETRY_503 },
	{ "504", RETRY_504 },
	{ NULL, 0 },
};

static const char *
barred_per_try(const void *object)
{
	const struct retry_config *r = object;

	return r->on & RETRY_TIMEOUT
	    ? NULL
	    : "would end tries after which there is no other: \"on\" does not have \"timeout\"";
}

const struct json_field config_retry_fields[] = {
	{ JSON_ROW("attempts", json_kind_integer, struct retry_config, attempts), .fallback = "2",
	    .max = 10 },
	{ JSON_ROW("on", json_kind_choices, struct retry_config, on),
	    .fallback = "[\"connect_failure\", \"reset\"]", .choices = retry_causes },
	{ JSON_ROW("non_idempotent", json_kind_bool, struct retry_config, non_idempotent),
	    .fallback = "false" },
	{ JSON_ROW("budget_percent", json_kind_integer, struct retry_config, budget_percent),
	    .fallback = "20", .max = 100 },
	{ JSON_ROW("budget_min", json_kind_integer, struct retry_config, budget_min),
	    .fallback = "30", .max = 100000 },
	{ JSON_ROW("per_try_timeout", json_kind_duration, struct retry_config, per_try_timeout),
	    .min = 1 * MS, .max = 30 * DAY, .barred = barred_per_try },
	{ 0 },
};

const struct json_field config_breaker_fields[] = {
	{ JSON_ROW("consecutive_failures", json_kind_integer, struct breaker_config,
	      consecutive_failures),
	    .fallback = "5", .max = 1000000 },
	{ JSON_ROW("error_percent", json_kind_integer, struct breaker_config, error_percent),
	    .fallback = "50", .max = 100 },
	{ JSON_ROW("min_requests", json_kind_integer, struct breaker_config, min_requests),
	    .fallback = "20", .min = 1, .max = 1000000 },
	{ JSON_ROW("window", json_kind_duration, struct breaker_config, window),
	    .fallback = "\"10s\"", .min = 100 * MS, .max = HOUR },
	{ JSON_ROW("open", json_kind_duration, struct breaker_config, open), .fallback = "\"30s\"",
	    .min = 10 * MS, .max = HOUR },
	/* without one: 5m, or `open` if that is longer */
	{ JSON_ROW("max_open", json_kind_duration, struct breaker_config, max_open), .min = 10 * MS,
	    .max = DAY },
	{ JSON_ROW(
	      "max_ejected_percent", json_kind_integer, struct breaker_config, max_ejected_percent),
	    .fallback = "50", .max = 100 },
	{ JSON_ROW("probes", json_kind_integer, struct breaker_config, probes), .fallback = "3",
	    .min = 1, .max = 100 },
	{ 0 },
};

const struct json_field config_queue_fields[] = {
	{ JSON_ROW("size", json_kind_integer, struct queue_config, size), .required = true,
	    .min = 1, .max = 1000000 },
	{ 0 },
};
