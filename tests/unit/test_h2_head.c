/* test_h2_head.c - header blocks: what becomes of the fields, what is kept, what is only counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd/http/h2_head.h"

static const struct http_limits limits = { .head_size = 4096, .target_size = 64, .fields = 8 };

static struct http_head head;

/* "name=value" each, up to NULL. */
static void
fill(struct h2_block *b, const char *const *fields)
{
	for (; *fields; fields++) {
		size_t n = strcspn(*fields + 1, "=") + 1; /* pseudo-headers begin with a colon */

		assert_int_equal(
		    h2_block_add(b, &limits, (struct str){ *fields, n }, str_of(*fields + n + 1)),
		    0);
	}
}

#define GET ":method=GET", ":scheme=http", ":path=/", ":authority=test"

static const struct {
	const char *fields[16];
	bool more; /* a body follows */
	enum refusal refusal;
} rows[] = {
	{ { GET }, false, REFUSE_NOTHING },
	{ { GET, "host=TEST" }, false, REFUSE_NOTHING },
	{ { GET, "host=other" }, false, REFUSE_HOST },
	{ { GET, ":path=/" }, false, REFUSE_PSEUDO_HEADER },
	{ { GET, "a=b", ":protocol=x" }, false, REFUSE_PSEUDO_HEADER },
	{ { GET, ":protocol=websocket" }, true, REFUSE_PSEUDO_HEADER },
	{ { GET, ":unknown=x" }, false, REFUSE_PSEUDO_HEADER },
	{ { ":method=GET", ":scheme=http", ":path=/" }, false, REFUSE_HOST },
	{ { ":method=GET", ":scheme=ftp", ":path=/", ":authority=test" }, false, REFUSE_TARGET },
	{ { ":method=GET", ":scheme=http", ":path=*", ":authority=test" }, false, REFUSE_TARGET },
	{ { ":method=G T", ":scheme=http", ":path=/", ":authority=test" }, false,
	    REFUSE_REQUEST_LINE },
	{ { ":method=TRACE", ":scheme=http", ":path=/", ":authority=test" }, false,
	    REFUSE_METHOD_DENIED },
	{ { ":method=CONNECT", ":authority=test" }, true, REFUSE_METHOD_DENIED },
	{ { ":method=CONNECT", ":protocol=connect-udp", ":scheme=http", ":path=/",
	      ":authority=test" },
	    true, REFUSE_PROTOCOL },
	{ { GET, "Upper=x" }, false, REFUSE_FIELD_NAME },
	{ { GET, "a=b\r\nc: d" }, false, REFUSE_FIELD_VALUE },
	{ { GET, "a= b" }, false, REFUSE_FIELD_VALUE },
	{ { GET, "connection=close" }, false, REFUSE_CONNECTION_FIELD },
	{ { GET, "te=gzip" }, false, REFUSE_CONNECTION_FIELD },
	{ { GET, "content-length=5" }, true, REFUSE_NOTHING },
	{ { GET, "content-length=5" }, false, REFUSE_CONTENT_LENGTH },
	{ { GET, "a=1", "a=2", "a=3", "a=4", "a=5", "a=6", "a=7", "a=8" }, false, REFUSE_NOTHING },
	{ { GET, "a=1", "a=2", "a=3", "a=4", "a=5", "a=6", "a=7", "a=8", "a=9" }, false,
	    REFUSE_FIELD_COUNT },
};

static void
test_requests(void **state)
{
	struct h2_block *b = h2_block_new();

	(void)state;
	assert_non_null(b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		h2_block_start(b, H2_REQUEST);
		fill(b, rows[i].fields);
		if (h2_block_request(b, &limits, !rows[i].more, &head) != rows[i].refusal)
			fail_msg("row %zu", i);
	}
	h2_block_free(&b);
	assert_null(b);
}

static void
test_crumbs_become_one_field(void **state)
{
	static const char *const fields[] = { GET, "a=1", "cookie=x=1", "b=2", "cookie=y=2",
		"cookie=z", NULL };
	struct h2_block *b = h2_block_new();

	(void)state;
	h2_block_start(b, H2_REQUEST);
	fill(b, fields);
	assert_int_equal(h2_block_request(b, &limits, true, &head), REFUSE_NOTHING);
	assert_int_equal(head.n_fields, 3);
	assert_true(str_eq(head.fields[1].name, STR("cookie")));
	assert_true(str_eq(head.fields[1].value, STR("x=1; y=2; z")));
	assert_true(str_eq(head.fields[2].name, STR("b")));
	h2_block_free(&b);
}

static void
test_a_tunnel(void **state)
{
	static const char *const fields[] = { ":method=CONNECT", ":protocol=websocket",
		":scheme=https", ":path=/chat", ":authority=test", NULL };
	struct h2_block *b = h2_block_new();

	(void)state;
	h2_block_start(b, H2_REQUEST);
	fill(b, fields);
	assert_int_equal(h2_block_request(b, &limits, false, &head), REFUSE_NOTHING);
	assert_true(head.upgrade_websocket);
	assert_int_equal(head.method_id, METHOD_GET);
	assert_int_equal(head.framing, FRAMING_NONE);
	h2_block_free(&b);
}

/* A bomb costs no memory. */
static void
test_what_is_too_large_is_not_kept(void **state)
{
	char value[1000];
	struct h2_block *b = h2_block_new();

	(void)state;
	memset(value, 'x', sizeof(value));
	h2_block_start(b, H2_REQUEST);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(
		    h2_block_add(b, &limits, STR("a"), (struct str){ value, sizeof(value) }), 0);
	assert_int_equal(b->decoded, 10000 * (1 + 1000 + 32));
	assert_true(b->size <= 2 * limits.head_size);
	assert_int_equal(h2_block_request(b, &limits, true, &head), REFUSE_HEAD_SIZE);
	h2_block_free(&b);
}

static void
test_trailers(void **state)
{
	static const char *const good[] = { "x-sum=1", "host=evil", "grpc-status=0", NULL };
	static const char *const bad[] = { "x-sum=1", ":path=/", NULL };
	struct h2_block *b = h2_block_new();

	(void)state;
	h2_block_start(b, H2_TRAILERS);
	fill(b, good);
	assert_true(str_eq(h2_block_trailers(b), STR("x-sum: 1\r\ngrpc-status: 0\r\n")));
	h2_block_start(b, H2_TRAILERS);
	fill(b, bad);
	assert_int_equal(b->refusal, REFUSE_PSEUDO_HEADER);
	assert_int_equal(h2_block_trailers(b).n, 0);
	h2_block_free(&b);
}

static const struct response_row {
	const char *fields[6];
	bool more; /* a body, or trailers, may follow */
	enum refusal refusal;
	unsigned status;
	enum http_framing framing;
} responses[] = {
	{ { ":status=200", "a=b" }, true, REFUSE_NOTHING, 200, FRAMING_CHUNKED },
	{ { ":status=200", "a=b" }, false, REFUSE_NOTHING, 200, FRAMING_NONE },
	{ { ":status=200", "content-length=3" }, true, REFUSE_NOTHING, 200, FRAMING_LENGTH },
	{ { ":status=200", "content-length=0" }, true, REFUSE_NOTHING, 200, FRAMING_NONE },
	{ { ":status=200", "content-length=3" }, false, REFUSE_NOTHING, 200, FRAMING_NONE },
	{ { ":status=204" }, true, REFUSE_NOTHING, 204, FRAMING_NONE },
	{ { ":status=304", "content-length=3" }, false, REFUSE_NOTHING, 304, FRAMING_NONE },
	{ { ":status=100" }, true, REFUSE_NOTHING, 100, FRAMING_NONE },
	{ { ":status=999" }, false, REFUSE_NOTHING, 999, FRAMING_NONE },
	{ { ":status=103" }, false, REFUSE_FRAMING, 103, FRAMING_NONE },
	{ { ":status=101" }, true, REFUSE_UPGRADE, 101, FRAMING_NONE },
	{ { "a=b" }, true, REFUSE_STATUS_LINE, 0, FRAMING_NONE },
	{ { ":status=99" }, true, REFUSE_STATUS_LINE, 99, FRAMING_NONE },
	{ { ":status=099" }, true, REFUSE_STATUS_LINE, 99, FRAMING_NONE },
	{ { ":status=2000" }, true, REFUSE_STATUS_LINE, 2000, FRAMING_NONE },
	{ { ":status=2x0" }, true, REFUSE_STATUS_LINE, 2, FRAMING_NONE },
	{ { ":status=200", ":status=200" }, true, REFUSE_PSEUDO_HEADER, 0, FRAMING_NONE },
	{ { "a=b", ":status=200" }, true, REFUSE_PSEUDO_HEADER, 0, FRAMING_NONE },
	{ { ":status=200", ":path=/" }, true, REFUSE_PSEUDO_HEADER, 0, FRAMING_NONE },
	{ { ":status=200", "connection=close" }, true, REFUSE_CONNECTION_FIELD, 0, FRAMING_NONE },
	{ { ":status=200", "transfer-encoding=chunked" }, true, REFUSE_CONNECTION_FIELD, 0,
	    FRAMING_NONE },
	{ { ":status=200", "Set-Cookie=a" }, true, REFUSE_FIELD_NAME, 0, FRAMING_NONE },
	{ { ":status=200", "content-length=3", "content-length=3" }, true, REFUSE_CONTENT_LENGTH,
	    200, FRAMING_NONE },
};

static void
test_responses(void **state)
{
	struct h2_block *b = h2_block_new();

	(void)state;
	assert_non_null(b);
	for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++) {
		const struct response_row *r = &responses[i];

		h2_block_start(b, H2_RESPONSE);
		fill(b, r->fields);
		if (h2_block_response(b, !r->more, &head) != r->refusal ||
		    head.status != r->status || head.framing != r->framing)
			fail_msg("row %zu", i);
	}
	h2_block_start(b, H2_REQUEST);
	fill(b, responses[0].fields);
	assert_int_equal(h2_block_request(b, &limits, true, &head), REFUSE_PSEUDO_HEADER);
	h2_block_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_crumbs_become_one_field),
		cmocka_unit_test(test_a_tunnel),
		cmocka_unit_test(test_what_is_too_large_is_not_kept),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
