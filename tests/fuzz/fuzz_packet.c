/*
 * fuzz_packet.c - any bytes as a datagram, and any bytes as the fields of a packet.
 *
 * Oracle: no input is accepted as it is, for nobody here can seal (one that were, would have to
 * encode to itself).  Sealed rightly, its first bytes either are refused as malformed or, decoded and
 * encoded, give the same packet again; then every shorter length and a change of any byte is refused.
 */
#include <openssl/hmac.h>
#include <stdlib.h>

#include "common/check.h"
#include "hafailover/peer/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEALED = WIRE_SIZE - 32 };

static const struct wire_key key = { "a key that is not in any corpus" };

static enum wire_verdict
decode(struct wire_packet *w, const uint8_t *bytes, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1); /* so that ASan sees one byte too far */
	enum wire_verdict v;
	uint8_t version;

	CHECK(exact);
	if (n)
		memcpy(exact, bytes, n);
	v = wire_decode(w, (struct str){ (char *)exact, n }, &key, &version);
	free(exact);
	return v;
}

/* A packet of these bytes, with the seal of one who has the secret. */
static void
seal(uint8_t bytes[WIRE_SIZE], const uint8_t *data, size_t size)
{
	unsigned n = 32;

	memset(bytes, 0, WIRE_SIZE);
	if (size)
		memcpy(bytes, data, size < SEALED ? size : SEALED);
	memcpy(bytes, "LBHA\1", 5);
	HMAC(EVP_sha256(), key.bytes, sizeof(key.bytes), bytes, SEALED, bytes + SEALED, &n);
}

static void
check_accepted(const struct wire_packet *w)
{
	uint8_t bytes[WIRE_SIZE], again[WIRE_SIZE];
	struct wire_packet second;

	CHECK(wire_encode(bytes, w, &key));
	CHECK(decode(&second, bytes, WIRE_SIZE) == WIRE_OK);
	CHECK(wire_encode(again, &second, &key));
	CHECK(memcmp(bytes, again, WIRE_SIZE) == 0);
	CHECK(w->path < HEARTBEAT_PATHS_MAX && w->n_macs <= WIRE_MACS_MAX && w->session);
	CHECK(w->node[0] && !w->node[WIRE_NAME_MAX]);
	CHECK(w->heartbeat.role < ROLE_N && w->heartbeat.message < MESSAGE_N);
	for (size_t n = 0; n < WIRE_SIZE; n++)
		CHECK(decode(&second, bytes, n) == WIRE_MALFORMED ||
		    (n > 4 && bytes[4] != WIRE_VERSION));
	for (size_t i = 0; i < WIRE_SIZE; i++) {
		bytes[i] ^= 1;
		CHECK(decode(&second, bytes, WIRE_SIZE) != WIRE_OK);
		bytes[i] ^= 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t sealed[WIRE_SIZE];
	struct wire_packet w;
	enum wire_verdict v;

	CHECK(decode(&w, data, size) != WIRE_OK);
	seal(sealed, data, size);
	v = decode(&w, sealed, WIRE_SIZE);
	CHECK(v == WIRE_OK || v == WIRE_MALFORMED);
	if (v == WIRE_OK)
		check_accepted(&w);
	return 0;
}
