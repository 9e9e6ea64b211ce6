/* test_witness_wire.c - questions and answers to bytes and back; what is not one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "hafailover/peer/witness_wire.h"

static struct witness_key
key_of(const char *secret)
{
	struct witness_key k;

	assert_true(witness_key_derive(&k, str_of(secret)));
	return k;
}

static const struct witness_packet question = {
	.type = WITNESS_QUESTION,
	.node = "lb1",
	.session = 0x1122334455667788,
	.host = 0x99aabbccddeeff00,
	.challenge = 0xffffffff00000001,
	.request = { .id = 0xfffffffe,
	    .wish = WITNESS_GIVE_BACK,
	    .has = true,
	    .lease_ns = 1333 * NS_PER_MS },
};

static const struct witness_packet answer = {
	.type = WITNESS_ANSWER,
	.node = "lb2",
	.session = 7,
	.host = 8,
	.challenge = 9,
	.answer = { .id = 10,
	    .verdict = WITNESS_TOO_LONG,
	    .yours = true,
	    .wanted = true,
	    .left_ns = 80 * NS_PER_S },
};

static enum wire_verdict
decode(struct witness_packet *w, const uint8_t *bytes, size_t n, const struct witness_key *key)
{
	/* of its exact size, so that a sanitizer sees what is read beyond */
	uint8_t *exact = malloc(n ? n : 1);
	enum wire_verdict v;

	assert_non_null(exact);
	memcpy(exact, bytes, n);
	v = witness_wire_decode(w, (struct str){ (const char *)exact, n }, key);
	free(exact);
	return v;
}

static void
test_round_trip(void **state)
{
	struct witness_key key = key_of("a secret of the pair");
	uint8_t bytes[WITNESS_WIRE_SIZE];
	struct witness_packet w;
	uint64_t pair;

	(void)state;
	assert_true(witness_wire_encode(bytes, &question, &key));
	assert_int_equal(
	    witness_wire_pair((struct str){ (const char *)bytes, sizeof(bytes) }, &pair), WIRE_OK);
	assert_true(pair == key.pair);
	assert_int_equal(decode(&w, bytes, sizeof(bytes), &key), WIRE_OK);
	assert_memory_equal(&w.request, &question.request, sizeof(w.request));
	assert_string_equal(w.node, "lb1");
	assert_true(w.type == WITNESS_QUESTION && w.session == question.session &&
	    w.host == question.host && w.challenge == question.challenge);

	assert_true(witness_wire_encode(bytes, &answer, &key));
	assert_int_equal(decode(&w, bytes, sizeof(bytes), &key), WIRE_OK);
	assert_int_equal(w.type, WITNESS_ANSWER);
	assert_memory_equal(&w.answer, &answer.answer, sizeof(w.answer));
}

/* What is lent is counted down: never more than there was. */
static void
test_times_are_rounded_down(void **state)
{
	struct witness_key key = key_of("a secret of the pair");
	struct witness_packet w = answer, got;
	uint8_t bytes[WITNESS_WIRE_SIZE];

	(void)state;
	w.answer.left_ns = 5 * NS_PER_MS - 1;
	assert_true(witness_wire_encode(bytes, &w, &key));
	assert_int_equal(decode(&got, bytes, sizeof(bytes), &key), WIRE_OK);
	assert_true(got.answer.left_ns == 4 * NS_PER_MS);
	w.answer.left_ns = -1;
	assert_true(witness_wire_encode(bytes, &w, &key));
	assert_int_equal(decode(&got, bytes, sizeof(bytes), &key), WIRE_OK);
	assert_true(got.answer.left_ns == 0);
}

/* No byte can be changed, and none is missing or too many. */
static void
test_seal(void **state)
{
	struct witness_key key = key_of("a secret of the pair"), other = key_of("another secret 1");
	uint8_t bytes[WITNESS_WIRE_SIZE + 1] = { 0 };
	struct witness_packet w;

	(void)state;
	assert_true(key.pair != other.pair);
	assert_true(witness_wire_encode(bytes, &question, &key));
	for (size_t i = 0; i < WITNESS_WIRE_SIZE; i++) {
		bytes[i] ^= 0x10;
		assert_int_not_equal(decode(&w, bytes, WITNESS_WIRE_SIZE, &key), WIRE_OK);
		bytes[i] ^= 0x10;
		assert_int_equal(decode(&w, bytes, i, &key), WIRE_MALFORMED);
	}
	assert_int_equal(decode(&w, bytes, WITNESS_WIRE_SIZE + 1, &key), WIRE_MALFORMED);
	assert_int_equal(decode(&w, bytes, WITNESS_WIRE_SIZE, &other), WIRE_FORGED);
	other.pair = key.pair;
	assert_int_equal(decode(&w, bytes, WITNESS_WIRE_SIZE, &other), WIRE_FORGED);
	bytes[4] = WITNESS_WIRE_VERSION + 1;
	assert_int_equal(decode(&w, bytes, WITNESS_WIRE_SIZE, &key), WIRE_OTHER_VERSION);
	assert_int_equal(decode(&w, bytes, WITNESS_WIRE_SIZE, &key), WIRE_OTHER_VERSION);
}

/* Sealed rightly, and nonsense within: by a fault of the sender. */
static void
test_nonsense(void **state)
{
	struct witness_key key = key_of("a secret of the pair");
	struct witness_packet bad[6], w;
	uint8_t bytes[WITNESS_WIRE_SIZE];

	(void)state;
	bad[0] = bad[1] = bad[2] = bad[3] = bad[4] = question;
	bad[0].type = (enum witness_type)0;
	bad[1].request.wish = WITNESS_WISHES;
	bad[2].session = 0;
	bad[3].request.id = 0;
	bad[4].node[0] = 0; /* "b1" after it */
	bad[5] = answer;
	bad[5].answer.verdict = WITNESS_VERDICTS;
	for (size_t i = 0; i < 6; i++) {
		assert_true(witness_wire_encode(bytes, &bad[i], &key));
		assert_int_equal(decode(&w, bytes, sizeof(bytes), &key), WIRE_MALFORMED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_times_are_rounded_down),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
