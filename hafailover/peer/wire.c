/*
 * wire.c - fields to bytes and back, through one cursor that knows where it is.
 *
 * The reader has nothing to bound: a packet has one size, which is checked first.  The seal is
 * checked before anything else is looked at but the version, so that a node of another version or
 * with another secret can be told apart.
 */
#include "hafailover/peer/wire.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/check.h"
#include "common/clock.h"
#include "hafailover/peer/wire_bytes.h"

enum { MAC_SIZE = 32, SEALED = WIRE_SIZE - MAC_SIZE, BODY = 128 };

static const int64_t LONGEST_NS = 3600 * NS_PER_S; /* of an interval that makes sense */

static const uint8_t magic[4] = { 'L', 'B', 'H', 'A' };

enum heartbeat_flag {
	FLAG_ASK = 1 << 0,
	FLAG_HOLDING = 1 << 1,
	FLAG_OWNER = 1 << 2,
	FLAG_LISTENING = 1 << 3,
	FLAG_STOPPING = 1 << 4,
	FLAG_ELIGIBLE = 1 << 5,
	FLAG_LBD_READY = 1 << 6,
	FLAG_LBD_DRAINING = 1 << 7,
};

enum move_flag {
	FLAG_STEERS = 1 << 0,
	FLAG_DRAINING = 1 << 1,
};

/* --- the seal --- */

bool
wire_key_derive(struct wire_key *key, struct str secret)
{
	static const char purpose[] = "lbpair native heartbeat 1";
	unsigned n = sizeof(key->bytes);

	return HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)purpose,
		   sizeof(purpose) - 1, key->bytes, &n) != NULL;
}

static bool
seal_make(const uint8_t *bytes, const struct wire_key *key, uint8_t seal[MAC_SIZE])
{
	unsigned n = MAC_SIZE;

	return HMAC(EVP_sha256(), key->bytes, sizeof(key->bytes), bytes, SEALED, seal, &n) != NULL;
}

/* --- writing --- */

static unsigned
flags_of(const struct heartbeat *h)
{
	return (h->ask ? FLAG_ASK : 0) | (h->holding ? FLAG_HOLDING : 0) |
	    (h->owner ? FLAG_OWNER : 0) | (h->listening ? FLAG_LISTENING : 0) |
	    (h->stopping ? FLAG_STOPPING : 0) | (h->eligible ? FLAG_ELIGIBLE : 0) |
	    (h->lbd_ready ? FLAG_LBD_READY : 0) | (h->lbd_draining ? FLAG_LBD_DRAINING : 0);
}

static void
put_heartbeat(uint8_t **p, const struct heartbeat *h)
{
	wire_put(p, h->heard_session, 8);
	wire_put(p, h->heard, 8);
	wire_put(p, h->hears, 1);
	wire_put(p, h->order, 1);
	wire_put(p, flags_of(h), 1);
	wire_put(p, h->role, 1);
	wire_put(p, h->cause, 1);
	wire_put(p, h->message, 1);
	wire_put(p, h->message_cause, 1);
	wire_put(p, h->message_refusal, 1);
	wire_put(p, (uint64_t)h->age_ns, 8);
	wire_put(p, h->term, 8);
	wire_put(p, h->digest, 8);
	wire_put(p, (uint64_t)h->interval_ns, 8);
	wire_put(p, (uint64_t)h->dead_ns, 8);
	wire_put(p, h->servers_up, 2);
	wire_put(p, h->priority, 2);
	wire_put(p, h->message_id, 4);
	wire_put(p, (h->steers ? FLAG_STEERS : 0) | (h->draining ? FLAG_DRAINING : 0), 1);
	wire_put(p, h->connections, 4);
	wire_put(p, h->want, 1);
	wire_put(p, (uint64_t)(h->vote_ns / NS_PER_MS), 4); /* less is safe */
}

bool
wire_encode(uint8_t bytes[WIRE_SIZE], const struct wire_packet *w, const struct wire_key *key)
{
	uint8_t *p = bytes;

	memset(bytes, 0, WIRE_SIZE);
	wire_put_bytes(&p, magic, sizeof(magic));
	wire_put(&p, WIRE_VERSION, 1);
	wire_put(&p, w->type, 1);
	wire_put(&p, w->path, 1);
	wire_put(&p, w->n_macs, 1);
	wire_put(&p, w->session, 8);
	wire_put(&p, w->sequence, 8);
	wire_put(&p, w->echo_session, 8);
	wire_put(&p, w->echo_sequence, 8);
	wire_put_bytes(&p, w->macs, sizeof(w->macs));
	wire_put_bytes(&p, w->node, WIRE_NAME_MAX);
	CHECK(p == bytes + BODY);
	if (w->type == WIRE_HEARTBEAT) {
		wire_put(&p, w->servers_total, 2);
		wire_put(&p, w->servers_unchecked, 2);
		put_heartbeat(&p, &w->heartbeat);
		wire_put(&p, w->lbd_digest, 8);
	}
	CHECK(p <= bytes + SEALED);
	return seal_make(bytes, key, bytes + SEALED);
}

/* --- reading --- */

static void
set_flags(struct heartbeat *h, unsigned flags)
{
	h->ask = flags & FLAG_ASK;
	h->holding = flags & FLAG_HOLDING;
	h->owner = flags & FLAG_OWNER;
	h->listening = flags & FLAG_LISTENING;
	h->stopping = flags & FLAG_STOPPING;
	h->eligible = flags & FLAG_ELIGIBLE;
	h->lbd_ready = flags & FLAG_LBD_READY;
	h->lbd_draining = flags & FLAG_LBD_DRAINING;
}

static void
set_move_flags(struct heartbeat *h, unsigned flags)
{
	h->steers = flags & FLAG_STEERS;
	h->draining = flags & FLAG_DRAINING;
}

/* Durations that somebody's arithmetic can bear; numbers that name something. */
static bool
is_sane(const struct heartbeat *h)
{
	return h->role < ROLE_N && h->message < MESSAGE_N && h->age_ns >= 0 &&
	    h->age_ns < INT64_MAX / 2 && h->interval_ns > 0 && h->interval_ns <= LONGEST_NS &&
	    h->dead_ns > 0 && h->dead_ns <= LONGEST_NS && h->vote_ns <= LONGEST_NS;
}

static bool
get_heartbeat(const uint8_t **p, struct heartbeat *h)
{
	h->heard_session = wire_get(p, 8);
	h->heard = wire_get(p, 8);
	h->hears = (uint8_t)wire_get(p, 1);
	h->order = (uint8_t)wire_get(p, 1);
	set_flags(h, (unsigned)wire_get(p, 1));
	h->role = (enum role)wire_get(p, 1);
	h->cause = (enum cause)wire_get(p, 1);
	h->message = (enum message)wire_get(p, 1);
	h->message_cause = (enum cause)wire_get(p, 1);
	h->message_refusal = (enum refusal)wire_get(p, 1);
	h->age_ns = (int64_t)wire_get(p, 8);
	h->term = wire_get(p, 8);
	h->digest = wire_get(p, 8);
	h->interval_ns = (int64_t)wire_get(p, 8);
	h->dead_ns = (int64_t)wire_get(p, 8);
	h->servers_up = (uint16_t)wire_get(p, 2);
	h->priority = (uint16_t)wire_get(p, 2);
	h->message_id = (uint32_t)wire_get(p, 4);
	set_move_flags(h, (unsigned)wire_get(p, 1));
	h->connections = (uint32_t)wire_get(p, 4);
	h->want = (enum cause)wire_get(p, 1);
	h->vote_ns = (int64_t)wire_get(p, 4) * NS_PER_MS;
	return is_sane(h);
}

/* What is sealed rightly can only be wrong by a fault of the sender: still nothing is assumed. */
static bool
get_packet(struct wire_packet *w, const uint8_t *p)
{
	p += sizeof(magic) + 1;
	w->type = (enum wire_type)wire_get(&p, 1);
	w->path = (uint8_t)wire_get(&p, 1);
	w->n_macs = (uint8_t)wire_get(&p, 1);
	w->session = wire_get(&p, 8);
	w->sequence = wire_get(&p, 8);
	w->echo_session = wire_get(&p, 8);
	w->echo_sequence = wire_get(&p, 8);
	wire_get_bytes(&p, w->macs, sizeof(w->macs));
	wire_get_bytes(&p, w->node, WIRE_NAME_MAX);
	if (w->path >= HEARTBEAT_PATHS_MAX || w->n_macs > WIRE_MACS_MAX || !w->session ||
	    !wire_is_name(w->node, WIRE_NAME_MAX))
		return false;
	if (w->type == WIRE_HELLO)
		return true;
	w->servers_total = (uint16_t)wire_get(&p, 2);
	w->servers_unchecked = (uint16_t)wire_get(&p, 2);
	w->heartbeat.session = w->session;
	w->heartbeat.sequence = w->sequence;
	if (w->type != WIRE_HEARTBEAT || !get_heartbeat(&p, &w->heartbeat))
		return false;
	w->lbd_digest = wire_get(&p, 8);
	return true;
}

enum wire_verdict
wire_decode(struct wire_packet *w, struct str packet, const struct wire_key *key, uint8_t *version)
{
	const uint8_t *bytes = (const uint8_t *)packet.p;
	uint8_t seal[MAC_SIZE];

	memset(w, 0, sizeof(*w));
	*version = 0;
	if (packet.n <= sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0)
		return WIRE_MALFORMED;
	*version = bytes[sizeof(magic)];
	if (*version != WIRE_VERSION)
		return WIRE_OTHER_VERSION;
	if (packet.n != WIRE_SIZE || !seal_make(bytes, key, seal))
		return WIRE_MALFORMED;
	if (CRYPTO_memcmp(seal, bytes + SEALED, MAC_SIZE) != 0)
		return WIRE_FORGED;
	return get_packet(w, bytes) ? WIRE_OK : WIRE_MALFORMED;
}
