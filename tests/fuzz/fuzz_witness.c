/*
 * fuzz_witness.c - any bytes as a datagram to a witness, and any bytes as the fields of a question.
 *
 * Oracle: no input is answered as it is, for nobody here can seal.  Sealed rightly, its first bytes
 * are refused as malformed, or decode to a packet that encodes and decodes to itself, cut nowhere and
 * changed in no byte; and a question is answered, challenged first, by a packet that a node takes.
 */
#include <openssl/hmac.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "hafailover/peer/witness_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEALED = WITNESS_WIRE_SIZE - 32, PAIR_AT = 8 };

static const struct witness_key key = { { "a key that is not in any corpus" }, 0x0102030405060708 };

static enum wire_verdict
decode(struct witness_packet *w, const uint8_t *bytes, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1); /* so that ASan sees one byte too far */
	enum wire_verdict v;

	CHECK(exact);
	if (n)
		memcpy(exact, bytes, n);
	v = witness_wire_decode(w, (struct str){ (char *)exact, n }, &key);
	free(exact);
	return v;
}

/* A packet of these bytes, with the seal of one who has the secret. */
static void
seal(uint8_t bytes[WITNESS_WIRE_SIZE], const uint8_t *data, size_t size)
{
	unsigned n = 32;

	memset(bytes, 0, WITNESS_WIRE_SIZE);
	if (size)
		memcpy(bytes, data, size < SEALED ? size : SEALED);
	memcpy(bytes, "LBWI\1", 5);
	for (unsigned i = 0; i < 8; i++)
		bytes[PAIR_AT + i] = (uint8_t)(i + 1);
	HMAC(EVP_sha256(), key.seal.bytes, sizeof(key.seal.bytes), bytes, SEALED, bytes + SEALED,
	    &n);
}

static void
check_decoded(const struct witness_packet *w)
{
	uint8_t bytes[WITNESS_WIRE_SIZE], again[WITNESS_WIRE_SIZE];
	struct witness_packet second;

	CHECK(w->node[0] && !w->node[WIRE_NAME_MAX] && w->session);
	CHECK(w->request.wish < WITNESS_WISHES && w->answer.verdict < WITNESS_VERDICTS);
	CHECK(witness_wire_encode(bytes, w, &key));
	CHECK(decode(&second, bytes, sizeof(bytes)) == WIRE_OK);
	CHECK(witness_wire_encode(again, &second, &key));
	CHECK(memcmp(bytes, again, sizeof(bytes)) == 0);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		CHECK(decode(&second, bytes, i) != WIRE_OK);
		bytes[i] ^= 1;
		CHECK(decode(&second, bytes, sizeof(bytes)) != WIRE_OK);
		bytes[i] ^= 1;
	}
}

static enum witness_result
hear(struct witness_table *t, const void *bytes, size_t n, struct witness_heard *h)
{
	witness_table_hear(t, (struct str){ bytes, n }, 1000 * NS_PER_S, h);
	return h->result;
}

/* A witness that has run for long, and knows nobody yet. */
static void
check_asked(const struct witness_packet *w, const uint8_t *sealed)
{
	struct witness_pair pair;
	struct witness_table t = { .host = 0xabc, .pairs = &pair, .n = 1 };
	struct witness_packet q = *w, reply;
	struct witness_heard h;
	uint8_t bytes[WITNESS_WIRE_SIZE];

	witness_pair_init(&pair, "fuzz", &key, NS_PER_S, 0);
	if (hear(&t, sealed, WITNESS_WIRE_SIZE, &h) == WITNESS_CHALLENGED) {
		CHECK(decode(&reply, h.reply, sizeof(h.reply)) == WIRE_OK);
		CHECK(reply.type == WITNESS_CHALLENGE && reply.answer.id == w->request.id);
		q.host = reply.host;
		q.challenge = reply.challenge;
		CHECK(witness_wire_encode(bytes, &q, &key));
		hear(&t, bytes, sizeof(bytes), &h);
	}
	CHECK(h.result == WITNESS_ANSWERED);
	CHECK(decode(&reply, h.reply, sizeof(h.reply)) == WIRE_OK);
	CHECK(reply.type == WITNESS_ANSWER && reply.session == w->session);
	CHECK((reply.answer.verdict == WITNESS_GRANTED) ==
	    (w->request.wish == WITNESS_TAKE && w->request.lease_ns > 0 &&
		w->request.lease_ns <= NS_PER_S));
	CHECK(witness_wire_encode(bytes, &q, &key));
	CHECK(hear(&t, bytes, sizeof(bytes), &h) == WITNESS_OLD);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t sealed[WITNESS_WIRE_SIZE];
	struct witness_packet w;
	enum wire_verdict v;

	CHECK(decode(&w, data, size) != WIRE_OK);
	seal(sealed, data, size);
	v = decode(&w, sealed, sizeof(sealed));
	CHECK(v == WIRE_OK || v == WIRE_MALFORMED);
	if (v != WIRE_OK)
		return 0;
	check_decoded(&w);
	if (w.type == WITNESS_QUESTION)
		check_asked(&w, sealed);
	return 0;
}
