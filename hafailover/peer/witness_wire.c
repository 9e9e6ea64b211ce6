/* witness_wire.c - a packet is looked at only as far as its seal until that is known to be right. */
#include "hafailover/peer/witness_wire.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/check.h"
#include "common/clock.h"
#include "hafailover/peer/wire_bytes.h"

enum { SEAL_SIZE = 32, SEALED = WITNESS_WIRE_SIZE - SEAL_SIZE, PAIR_AT = 8, NAME_AT = 64 };

static const uint8_t magic[4] = { 'L', 'B', 'W', 'I' };

enum flag { FLAG_HAS = 1 << 0, FLAG_YOURS = 1 << 1, FLAG_WANTED = 1 << 2 };

/* --- the seal --- */

static bool
derive(const char *purpose, struct str secret, uint8_t bytes[SEAL_SIZE])
{
	unsigned n = SEAL_SIZE;

	return HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)purpose,
		   strlen(purpose), bytes, &n) != NULL;
}

bool
witness_key_derive(struct witness_key *key, struct str secret)
{
	uint8_t number[SEAL_SIZE];
	const uint8_t *p = number;

	if (!derive("lbpair witness seal 1", secret, key->seal.bytes) ||
	    !derive("lbpair witness pair 1", secret, number))
		return false;
	key->pair = wire_get(&p, 8);
	return true;
}

static bool
seal_make(const uint8_t *bytes, const struct witness_key *key, uint8_t seal[SEAL_SIZE])
{
	unsigned n = SEAL_SIZE;

	return HMAC(EVP_sha256(), key->seal.bytes, sizeof(key->seal.bytes), bytes, SEALED, seal,
		   &n) != NULL;
}

/* --- writing --- */

static uint64_t
milliseconds(int64_t ns)
{
	int64_t ms = ns / NS_PER_MS;

	return ms < 0 ? 0 : ms > UINT32_MAX ? UINT32_MAX : (uint64_t)ms;
}

static void
put_question(uint8_t **p, const struct witness_request *r)
{
	wire_put(p, r->wish, 1);
	wire_put(p, r->has ? FLAG_HAS : 0, 1);
}

static void
put_answer(uint8_t **p, const struct witness_answer *a)
{
	wire_put(p, a->verdict, 1);
	wire_put(p, (a->yours ? FLAG_YOURS : 0) | (a->wanted ? FLAG_WANTED : 0), 1);
}

bool
witness_wire_encode(
    uint8_t bytes[WITNESS_WIRE_SIZE], const struct witness_packet *w, const struct witness_key *key)
{
	bool asks = w->type == WITNESS_QUESTION;
	uint8_t *p = bytes;

	memset(bytes, 0, WITNESS_WIRE_SIZE);
	wire_put_bytes(&p, magic, sizeof(magic));
	wire_put(&p, WITNESS_WIRE_VERSION, 1);
	wire_put(&p, w->type, 1);
	if (asks)
		put_question(&p, &w->request);
	else
		put_answer(&p, &w->answer);
	CHECK(p == bytes + PAIR_AT);
	wire_put(&p, key->pair, 8);
	wire_put(&p, w->session, 8);
	wire_put(&p, asks ? w->request.id : w->answer.id, 4);
	wire_put(&p, milliseconds(asks ? w->request.lease_ns : w->answer.left_ns), 4);
	wire_put(&p, w->host, 8);
	wire_put(&p, w->challenge, 8);
	memcpy(bytes + NAME_AT, w->node, WIRE_NAME_MAX);
	return seal_make(bytes, key, bytes + SEALED);
}

/* --- reading --- */

enum wire_verdict
witness_wire_pair(struct str packet, uint64_t *pair)
{
	const uint8_t *p = (const uint8_t *)packet.p;

	if (packet.n <= sizeof(magic) || memcmp(p, magic, sizeof(magic)) != 0)
		return WIRE_MALFORMED;
	if (p[sizeof(magic)] != WITNESS_WIRE_VERSION)
		return WIRE_OTHER_VERSION;
	if (packet.n != WITNESS_WIRE_SIZE)
		return WIRE_MALFORMED;
	p += PAIR_AT;
	*pair = wire_get(&p, 8);
	return WIRE_OK;
}

static bool
set_question(struct witness_packet *w, uint8_t wish, unsigned flags, uint32_t id, int64_t ns)
{
	w->request = (struct witness_request){
		.id = id, .wish = (enum witness_wish)wish, .has = flags & FLAG_HAS, .lease_ns = ns
	};
	return wish < WITNESS_WISHES;
}

static bool
set_answer(struct witness_packet *w, uint8_t verdict, unsigned flags, uint32_t id, int64_t ns)
{
	w->answer = (struct witness_answer){ .id = id,
		.verdict = (enum witness_verdict)verdict,
		.yours = flags & FLAG_YOURS,
		.wanted = flags & FLAG_WANTED,
		.left_ns = ns };
	return verdict < WITNESS_VERDICTS;
}

/* What is sealed rightly can only be wrong by a fault of the sender: still nothing is assumed. */
static bool
get_packet(struct witness_packet *w, const uint8_t *bytes)
{
	const uint8_t *p = bytes + sizeof(magic) + 1;
	uint8_t what, flags;
	int64_t ns;
	uint32_t id;

	w->type = (enum witness_type)wire_get(&p, 1);
	what = (uint8_t)wire_get(&p, 1);
	flags = (uint8_t)wire_get(&p, 1);
	p += 8; /* the pair: that of the key, or the seal is not right */
	w->session = wire_get(&p, 8);
	id = (uint32_t)wire_get(&p, 4);
	ns = (int64_t)wire_get(&p, 4) * NS_PER_MS;
	w->host = wire_get(&p, 8);
	w->challenge = wire_get(&p, 8);
	memcpy(w->node, bytes + NAME_AT, WIRE_NAME_MAX);
	if (!w->session || !id || !wire_is_name(w->node, WIRE_NAME_MAX))
		return false;
	if (w->type == WITNESS_QUESTION)
		return set_question(w, what, flags, id, ns);
	return (w->type == WITNESS_ANSWER || w->type == WITNESS_CHALLENGE) &&
	    set_answer(w, what, flags, id, ns);
}

enum wire_verdict
witness_wire_decode(struct witness_packet *w, struct str packet, const struct witness_key *key)
{
	const uint8_t *bytes = (const uint8_t *)packet.p;
	uint8_t seal[SEAL_SIZE];
	uint64_t pair;
	enum wire_verdict v = witness_wire_pair(packet, &pair);

	memset(w, 0, sizeof(*w));
	if (v != WIRE_OK)
		return v;
	if (pair != key->pair)
		return WIRE_FORGED;
	if (!seal_make(bytes, key, seal))
		return WIRE_MALFORMED;
	if (CRYPTO_memcmp(seal, bytes + SEALED, SEAL_SIZE) != 0)
		return WIRE_FORGED;
	return get_packet(w, bytes) ? WIRE_OK : WIRE_MALFORMED;
}
