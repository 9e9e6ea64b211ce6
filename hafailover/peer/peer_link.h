/*
 * peer_link.h - heartbeats to and from the other node over UDP, on one or more paths.
 *
 * Path n is from our n-th address to the peer's n-th, one socket each.  What comes from elsewhere,
 * is not sealed with our secret, or is not news is counted and dropped; session.h says what is news.
 * The sockets are bound whether or not the address is there yet.
 *
 * On the loop's thread; nothing waits.  The content is the election's.
 */
#ifndef HAFAILOVER_PEER_PEER_LINK_H
#define HAFAILOVER_PEER_PEER_LINK_H

#include <ev.h>

#include "common/address.h"
#include "common/err.h"
#include "hafailover/peer/session.h"

enum peer_link_result {
	PACKET_OK, /* sent; received and news */
	PACKET_ERROR, /* the kernel refused to send; an ICMP error came */
	PACKET_HELLO, /* introductions, sent or received */
	PACKET_OLD, /* replayed, overtaken, doubled */
	PACKET_UNKNOWN, /* of a session that has not been introduced yet */
	PACKET_STRANGER, /* from another address, or of another name */
	PACKET_FORGED, /* not sealed with our secret */
	PACKET_OTHER_VERSION,
	PACKET_MALFORMED,
	PACKET_RESULTS,
};

struct peer_link_counters {
	uint64_t sent[PACKET_RESULTS], received[PACKET_RESULTS];
};

struct peer_link_path {
	struct address own, peer; /* with ports */
};

struct peer_link_options {
	const struct peer_link_path *paths; /* copied */
	unsigned n_paths;
	struct str node, peer; /* names; copied */
	struct str secret;
};

struct peer_link_events {
	/* News.  May send, not configure or close. */
	void (*heard)(void *owner, unsigned path, const struct wire_packet *);
	void *owner;
};

struct peer_link;

/* Without paths until it is configured.  `session`: random, not 0.  NULL: out of memory. */
struct peer_link *
peer_link_new(struct ev_loop *, uint64_t session, const struct peer_link_events *);
void peer_link_free(struct peer_link **);

/* From now on these; paths that are the same keep their sockets.  On failure nothing changes. */
int peer_link_configure(struct peer_link *, const struct peer_link_options *, struct err *);

/* What is said beside the heartbeat.  At most WIRE_MACS_MAX MACs are kept. */
void peer_link_set_macs(struct peer_link *, const uint8_t (*macs)[WIRE_MAC], size_t n);
void peer_link_set_lbd(struct peer_link *, uint32_t servers, uint32_t unchecked, uint64_t digest);

/* On all paths. */
void peer_link_send(struct peer_link *, const struct heartbeat *);

unsigned peer_link_paths(const struct peer_link *);
const struct peer_link_path *peer_link_path(const struct peer_link *, unsigned path);
const struct peer_link_counters *peer_link_count(const struct peer_link *, unsigned path);
const char *peer_link_result_name(enum peer_link_result);

/* Of the newest packet: what the peer said beside the heartbeat.  NULL: not heard yet. */
const struct wire_packet *peer_link_last(const struct peer_link *);
bool peer_link_is_peer_mac(const struct peer_link *, const uint8_t mac[WIRE_MAC]);

/* Why packets from the peer's address are refused, if the last one was; "" when all is well. */
struct peer_link_trouble {
	enum peer_link_result result; /* PACKET_OK: none; else FORGED, OTHER_VERSION or STRANGER */
	uint8_t version; /* the other one */
	char name[WIRE_NAME_MAX + 1]; /* of the stranger */
	int64_t at_ns;
};
struct peer_link_trouble peer_link_trouble(const struct peer_link *);

#endif
