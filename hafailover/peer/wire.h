/*
 * wire.h - a native packet: what a heartbeat looks like in a UDP datagram.  Pure.
 *
 * Big-endian, fixed size, sealed with HMAC-SHA256 over all of it with a key derived from the shared
 * secret.  Two types: a heartbeat, and a hello that only introduces a session to a node that does
 * not know it.  Who may be believed beyond the seal is decided by session.h.
 *
 *   0  "LBHA"           4  version       5  type        6  path        7  count of MACs
 *   8  session         16  sequence     24  echo_session              32  echo_sequence
 *  40  MACs, 4 of 6 bytes                              64  name of the sender, 64 bytes
 * 128  servers_total, servers_unchecked, 2 bytes each; the heartbeat; lbd_digest, 8 bytes (all 0 in a hello)
 * 224  HMAC, 32 bytes
 */
#ifndef HAFAILOVER_PEER_WIRE_H
#define HAFAILOVER_PEER_WIRE_H

#include "common/str.h"
#include "hafailover/election/heartbeat.h"

enum {
	WIRE_VERSION = 1,
	WIRE_SIZE = 256,
	WIRE_NAME_MAX = 64,
	WIRE_MACS_MAX = 4,
	WIRE_MAC = 6,
};

enum wire_type { WIRE_HEARTBEAT = 1, WIRE_HELLO };

struct wire_packet {
	enum wire_type type;
	uint8_t path; /* sent on; the same number at both ends */
	char node[WIRE_NAME_MAX + 1]; /* the sender */
	uint8_t macs[WIRE_MACS_MAX][WIRE_MAC]; /* of its interfaces for virtual addresses */
	uint8_t n_macs;
	uint64_t session, sequence; /* of the sender */
	uint64_t echo_session, echo_sequence; /* newest of the receiver's that arrived; or 0 */
	/* of the sender's lbd, with heartbeat.servers_up, for the operator alone */
	uint16_t servers_total, servers_unchecked;
	uint64_t lbd_digest; /* of its configuration; 0: not known */
	struct heartbeat heartbeat; /* its session and sequence are those above */
};

struct wire_key {
	uint8_t bytes[32];
};

/* False: OpenSSL failed. */
bool wire_key_derive(struct wire_key *, struct str secret);

bool wire_encode(uint8_t bytes[WIRE_SIZE], const struct wire_packet *, const struct wire_key *);

enum wire_verdict {
	WIRE_OK,
	WIRE_MALFORMED, /* not one of ours, cut short, or sealed rightly with nonsense within */
	WIRE_OTHER_VERSION,
	WIRE_FORGED, /* another secret, or changed on the way */
};

/* *version is set whenever the packet shows one.  *w is valid with WIRE_OK only. */
enum wire_verdict
wire_decode(struct wire_packet *w, struct str packet, const struct wire_key *, uint8_t *version);

#endif
