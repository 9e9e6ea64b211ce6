/* access_log_example.h - a record with something in every field. */
#ifndef TESTS_UNIT_ACCESS_LOG_EXAMPLE_H
#define TESTS_UNIT_ACCESS_LOG_EXAMPLE_H

#include "common/clock.h"
#include "lbd/worker/access_log.h"

static struct access_record
record_example(void)
{
	return (struct access_record){
		.wall_ns = 1769860800 * NS_PER_S + 7 * NS_PER_MS, /* 2026-01-31T12:00:00.007Z */
		.duration_ns = 12345678,
		.connect_ns = 499,
		.response_ns = -1,
		.bytes_in = 81,
		.bytes_out = 512,
		.status = 200,
		.retries = 1,
		.minor = 1,
		.termination = END_OK,
		.listener = STR("front"),
		.client = STR("192.0.2.7"),
		.method = STR("GET"),
		.host = STR("www.example.org"),
		.target = STR("/a?b=c"),
		.pool = STR("web"),
		.server = STR("s1"),
		.request_id = STR("abc123"),
		.referer = STR("http://example.org/"),
		.user_agent = STR("curl/8"),
		.tls_version = STR("TLSv1.3"),
	};
}

#endif
