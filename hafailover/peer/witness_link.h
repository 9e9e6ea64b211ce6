/*
 * witness_link.h - a node's questions to its witness, and the answers.
 *
 * One UDP socket; its own address is the kernel's choice for the way there.  A challenge is answered
 * at once by the same question with what it wants echoed.  Nothing waits, and nothing is sent twice:
 * the election asks often enough.  What comes from elsewhere or is not sealed with our secret is
 * counted and dropped.  Which answer counts is the election's to say.
 *
 * On the loop's thread.
 */
#ifndef HAFAILOVER_PEER_WITNESS_LINK_H
#define HAFAILOVER_PEER_WITNESS_LINK_H

#include <ev.h>

#include "common/address.h"
#include "common/err.h"
#include "hafailover/peer/witness_wire.h"

enum witness_link_result {
	ASK_OK, /* asked; answered */
	ASK_ERROR, /* the kernel refused to send; an ICMP error came */
	ASK_CHALLENGE,
	ASK_OLD, /* for another session of ours, or not for the last question */
	ASK_STRANGER, /* from another address, or no answer */
	ASK_FORGED,
	ASK_OTHER_VERSION,
	ASK_MALFORMED,
	ASK_RESULTS,
};

struct witness_link_counters {
	uint64_t sent[ASK_RESULTS], received[ASK_RESULTS];
};

struct witness_link_options {
	struct address witness;
	struct str node; /* our name; copied */
	struct str secret;
};

struct witness_link_events {
	void (*answered)(void *owner, const struct witness_answer *);
	void *owner;
};

struct witness_link;

/* Asks nobody until it is configured.  `session`: random, not 0.  NULL: out of memory. */
struct witness_link *
witness_link_new(struct ev_loop *, uint64_t session, const struct witness_link_events *);
void witness_link_free(struct witness_link **);

/* From now on this witness.  On failure nothing changes. */
int
witness_link_configure(struct witness_link *, const struct witness_link_options *, struct err *);

void witness_link_ask(struct witness_link *, const struct witness_request *);

const struct address *witness_link_address(const struct witness_link *);
const struct witness_link_counters *witness_link_count(const struct witness_link *);
const char *witness_link_result_name(enum witness_link_result);

#endif
