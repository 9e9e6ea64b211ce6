/*
 * test_wire.c - what is encoded is decoded as it was; what was cut, changed, sealed otherwise or is
 * nonsense under a right seal is refused, and told apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/hmac.h>

#include "common/clock.h"
#include "hafailover/peer/wire.h"

static const struct wire_key key = { { 1, 2, 3 } };

static struct wire_packet
example(void)
{
	return (struct wire_packet){
		.type = WIRE_HEARTBEAT,
		.path = 7,
		.node = "lb1",
		.macs = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 } },
		.n_macs = 2,
		.session = 0x0123456789abcdef,
		.sequence = 0xfedcba9876543210,
		.echo_session = 0x1111111122222222,
		.echo_sequence = 0x3333333344444444,
		.servers_total = 12,
		.servers_unchecked = 9,
		.lbd_digest = 0xfedc000000000001,
		.heartbeat = {
			.session = 0x0123456789abcdef,
			.sequence = 0xfedcba9876543210,
			.heard_session = 5,
			.heard = 6,
			.hears = 0x81,
			.order = 1,
			.ask = true,
			.role = ROLE_ACTIVE,
			.cause = CAUSE_VACANT,
			.age_ns = 123456789012,
			.holding = true,
			.owner = true,
			.listening = true,
			.stopping = true,
			.term = UINT64_MAX,
			.eligible = true,
			.lbd_ready = true,
			.lbd_draining = true,
			.steers = true,
			.draining = true,
			.connections = 0xcafef00d,
			.want = CAUSE_PREFER,
			.vote_ns = 1333 * NS_PER_MS,
			.servers_up = 65535,
			.priority = 255,
			.digest = 0x8877665544332211,
			.interval_ns = 100000000,
			.dead_ns = 300000000,
			.message = MESSAGE_REFUSED,
			.message_id = 0xdeadbeef,
			.message_cause = CAUSE_STOP,
			.message_refusal = REFUSAL_BUSY,
		},
	};
}

static enum wire_verdict
decode(struct wire_packet *w, const uint8_t *bytes, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1); /* so that ASan sees one byte too far */
	enum wire_verdict v;
	uint8_t version;

	assert_non_null(exact);
	memcpy(exact, bytes, n);
	v = wire_decode(w, (struct str){ (char *)exact, n }, &key, &version);
	free(exact);
	return v;
}

/* Seals what a test has changed. */
static void
seal(uint8_t bytes[WIRE_SIZE])
{
	unsigned n = 32;

	HMAC(EVP_sha256(), key.bytes, sizeof(key.bytes), bytes, WIRE_SIZE - 32,
	    bytes + WIRE_SIZE - 32, &n);
}

static void
assert_same(const struct heartbeat *a, const struct heartbeat *b)
{
#define SAME(member) assert_true(a->member == b->member)
	SAME(session);
	SAME(sequence);
	SAME(heard_session);
	SAME(heard);
	SAME(hears);
	SAME(order);
	SAME(ask);
	SAME(role);
	SAME(cause);
	SAME(age_ns);
	SAME(holding);
	SAME(owner);
	SAME(listening);
	SAME(stopping);
	SAME(term);
	SAME(eligible);
	SAME(lbd_ready);
	SAME(lbd_draining);
	SAME(steers);
	SAME(draining);
	SAME(connections);
	SAME(want);
	SAME(vote_ns);
	SAME(servers_up);
	SAME(priority);
	SAME(digest);
	SAME(interval_ns);
	SAME(dead_ns);
	SAME(message);
	SAME(message_id);
	SAME(message_cause);
	SAME(message_refusal);
#undef SAME
}

static void
test_all_fields(void **state)
{
	struct wire_packet in = example(), out;
	uint8_t bytes[WIRE_SIZE];

	(void)state;
	assert_true(wire_encode(bytes, &in, &key));
	assert_int_equal(decode(&out, bytes, WIRE_SIZE), WIRE_OK);
	assert_int_equal(out.type, in.type);
	assert_int_equal(out.path, in.path);
	assert_string_equal(out.node, in.node);
	assert_int_equal(out.n_macs, in.n_macs);
	assert_memory_equal(out.macs, in.macs, sizeof(in.macs));
	assert_true(out.session == in.session && out.sequence == in.sequence);
	assert_true(out.echo_session == in.echo_session && out.echo_sequence == in.echo_sequence);
	assert_int_equal(out.servers_total, in.servers_total);
	assert_int_equal(out.servers_unchecked, in.servers_unchecked);
	assert_true(out.lbd_digest == in.lbd_digest);
	assert_same(&out.heartbeat, &in.heartbeat);
}

/* Each flag alone, so that none is mistaken for another. */
static void
test_flags(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct wire_packet in = example(), out;
		struct heartbeat *h = &in.heartbeat;
		bool *flags[] = { &h->ask, &h->holding, &h->owner, &h->listening, &h->stopping,
			&h->eligible, &h->lbd_ready, &h->lbd_draining, &h->steers, &h->draining };
		uint8_t bytes[WIRE_SIZE];

		for (unsigned j = 0; j < 10; j++)
			*flags[j] = i == j;
		assert_true(wire_encode(bytes, &in, &key));
		assert_int_equal(decode(&out, bytes, WIRE_SIZE), WIRE_OK);
		assert_same(&out.heartbeat, h);
	}
}

static void
test_hello(void **state)
{
	struct wire_packet in = example(), out;
	uint8_t bytes[WIRE_SIZE];

	(void)state;
	in.type = WIRE_HELLO;
	memset(in.node, 'x', WIRE_NAME_MAX);
	assert_true(wire_encode(bytes, &in, &key));
	assert_int_equal(decode(&out, bytes, WIRE_SIZE), WIRE_OK);
	assert_int_equal(out.type, WIRE_HELLO);
	assert_string_equal(out.node, in.node);
	assert_true(out.echo_sequence == in.echo_sequence);
	assert_true(out.heartbeat.term == 0);
}

static void
test_cut(void **state)
{
	struct wire_packet in = example(), out;
	uint8_t bytes[WIRE_SIZE + 1] = { 0 };

	(void)state;
	assert_true(wire_encode(bytes, &in, &key));
	for (size_t n = 0; n <= WIRE_SIZE + 1; n++)
		assert_int_equal(decode(&out, bytes, n), n == WIRE_SIZE ? WIRE_OK : WIRE_MALFORMED);
}

/* A change of any bit is seen. */
static void
test_changed(void **state)
{
	struct wire_packet in = example(), out;
	uint8_t bytes[WIRE_SIZE];

	(void)state;
	assert_true(wire_encode(bytes, &in, &key));
	for (size_t bit = 0; bit < 8 * WIRE_SIZE; bit++) {
		enum wire_verdict expected = bit < 32 ? WIRE_MALFORMED
		    : bit < 40                        ? WIRE_OTHER_VERSION
						      : WIRE_FORGED;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(decode(&out, bytes, WIRE_SIZE), expected);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(decode(&out, bytes, WIRE_SIZE), WIRE_OK);
}

static void
test_other_secret(void **state)
{
	struct wire_packet in = example(), out;
	struct wire_key a, b;
	uint8_t bytes[WIRE_SIZE], version;

	(void)state;
	assert_true(wire_key_derive(&a, STR("0123456789abcdef")));
	assert_true(wire_key_derive(&b, STR("0123456789abcdeg")));
	assert_true(wire_encode(bytes, &in, &a));
	assert_int_equal(
	    wire_decode(&out, (struct str){ (char *)bytes, WIRE_SIZE }, &b, &version), WIRE_FORGED);
	assert_int_equal(
	    wire_decode(&out, (struct str){ (char *)bytes, WIRE_SIZE }, &a, &version), WIRE_OK);
	bytes[4] = 9;
	assert_int_equal(wire_decode(&out, (struct str){ (char *)bytes, WIRE_SIZE }, &a, &version),
	    WIRE_OTHER_VERSION);
	assert_int_equal(version, 9);
}

/* Sealed by somebody who has the secret, and still wrong. */
static void
test_nonsense(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} cases[] = {
		{ "type 0", 5, 0 },
		{ "type 3", 5, 3 },
		{ "path 8", 6, 8 },
		{ "five MACs", 7, 5 },
		{ "no name", 64, 0 },
		{ "a name with a hole", 65, 0 },
		{ "a role that is none", 132 + 19, ROLE_N },
		{ "a message that is none", 132 + 21, MESSAGE_N },
		{ "a negative age", 132 + 24, 0x80 },
		{ "an interval of centuries", 132 + 48, 0x7f },
		{ "a negative interval", 132 + 48, 0xff },
		{ "a negative dead interval", 132 + 56, 0xff },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct wire_packet in = example(), out;
		uint8_t bytes[WIRE_SIZE];

		assert_true(wire_encode(bytes, &in, &key));
		bytes[cases[i].at] = cases[i].value;
		seal(bytes);
		if (decode(&out, bytes, WIRE_SIZE) != WIRE_MALFORMED)
			fail_msg("%s is accepted", cases[i].what);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fields),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_other_secret),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
