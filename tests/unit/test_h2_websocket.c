/* test_h2_websocket.c - keys and proofs: the example of RFC 6455 1.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lbd/proxy/h2_websocket.h"

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==", proof[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static void
test_the_proof_of_the_rfc(void **state)
{
	char accept[WEBSOCKET_ACCEPT_SIZE];

	(void)state;
	websocket_accept(key, accept);
	assert_memory_equal(accept, proof, sizeof(accept));
}

static void
test_a_key_is_base64_of_16_bytes(void **state)
{
	const uint64_t random[2] = { 0, UINT64_MAX };
	char made[WEBSOCKET_KEY_SIZE];

	(void)state;
	websocket_key_make(random, made);
	assert_memory_equal(made, "AAAAAAAAAAD//////////w==", sizeof(made));
}

static void
test_requests(void **state)
{
	static struct http_head head;

	(void)state;
	head.n_fields = 1;
	head.fields[0] = (struct http_field){ .name = STR("sec-websocket-key"), .value = STR("x") };
	assert_true(websocket_request(&head, key));
	assert_true(head.fields[0].one_hop);
	assert_true(str_eq(head.fields[1].value, (struct str){ key, WEBSOCKET_KEY_SIZE }));
	head.n_fields = HTTP_FIELDS_MAX;
	assert_false(websocket_request(&head, key));
}

static void
test_responses(void **state)
{
	static struct http_head head;
	const struct str name = STR("Sec-WebSocket-Accept");

	(void)state;
	head.status = 101;
	assert_false(websocket_response(&head, key));
	head.n_fields = 1;
	head.fields[0] = (struct http_field){ .name = name, .value = STR("x") };
	assert_false(websocket_response(&head, key));
	head.fields[0].value = (struct str){ proof, WEBSOCKET_ACCEPT_SIZE };
	assert_true(websocket_response(&head, key));
	assert_int_equal(head.status, 200);
	assert_true(head.fields[0].one_hop);
}

static void
test_keys_of_clients(void **state)
{
	static const struct {
		const char *fields, *key;
	} rows[] = {
		{ "", "" },
		{ "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", key },
		{ "A: b\r\nsec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\r\nB: c\r\n", key },
		{ "Sec-WebSocket-Key: short\r\n", "" },
		{ "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: "
		  "dGhlIHNhbXBsZSBub25jZQ==\r\n",
		    "" },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int n = snprintf(
		    text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", rows[i].fields);
		struct str found = websocket_key((struct str){ text, (size_t)n });

		assert_true(str_eq(found, str_of(rows[i].key)));
	}
}

static void
test_a_grant(void **state)
{
	static struct http_head head;
	char accept[WEBSOCKET_ACCEPT_SIZE];

	(void)state;
	head.n_fields = 0;
	head.status = 200;
	assert_true(websocket_grant(&head, str_of(key), accept));
	assert_int_equal(head.status, 101);
	assert_int_equal(head.n_fields, 1);
	assert_true(str_eq(head.fields[0].value, str_of(proof)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_proof_of_the_rfc),
		cmocka_unit_test(test_a_key_is_base64_of_16_bytes),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_keys_of_clients),
		cmocka_unit_test(test_a_grant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
