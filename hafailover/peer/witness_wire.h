/*
 * witness_wire.h - what a node and the witness of its pair say to each other, as UDP datagrams.
 * Pure.
 *
 * Big-endian, one size both ways, so that nobody is flooded through a witness; sealed with
 * HMAC-SHA256 over all of it, with a key derived from the secret that the pair shares with its
 * witness.  The number of the pair is derived from it, too: by that a witness of many pairs finds
 * the key.  Questions and answers differ by type: none can be sent back as the other.
 *
 * A challenge is an answer to a question of a session that the witness does not know: it names what
 * the question must echo.  Who believes what is decided by witness_table.h.
 *
 *   0  "LBWI"      4  version    5  type        6  wish or verdict    7  flags
 *   8  pair       16  session   24  id         28  lease or what is left of it, milliseconds
 *  32  host       40  challenge                48  zeros
 *  64  name of the node, 64 bytes             128  HMAC, 32 bytes
 */
#ifndef HAFAILOVER_PEER_WITNESS_WIRE_H
#define HAFAILOVER_PEER_WITNESS_WIRE_H

#include "hafailover/election/witness_rule.h"
#include "hafailover/peer/wire.h"

enum { WITNESS_WIRE_VERSION = 1, WITNESS_WIRE_SIZE = 160 };

enum witness_type { WITNESS_QUESTION = 1, WITNESS_ANSWER, WITNESS_CHALLENGE };

/* A challenge has the id of the question, and no answer. */
struct witness_packet {
	enum witness_type type;
	char node[WIRE_NAME_MAX + 1]; /* which asks, or is answered */
	uint64_t session; /* its own; random */
	uint64_t host, challenge; /* the witness's session, and what it wants to be echoed */
	struct witness_request request;
	struct witness_answer answer;
};

struct witness_key {
	struct wire_key seal;
	uint64_t pair;
};

/* False: OpenSSL failed. */
bool witness_key_derive(struct witness_key *, struct str secret);

bool witness_wire_encode(
    uint8_t bytes[WITNESS_WIRE_SIZE], const struct witness_packet *, const struct witness_key *);

/* Of which pair does a packet say that it is?  WIRE_FORGED is left to witness_wire_decode. */
enum wire_verdict witness_wire_pair(struct str packet, uint64_t *pair);

/* *w is valid with WIRE_OK only.  A packet of another pair is WIRE_FORGED. */
enum wire_verdict
witness_wire_decode(struct witness_packet *w, struct str packet, const struct witness_key *);

#endif
