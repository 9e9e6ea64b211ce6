/*
 * session.h - which of the rightly sealed packets are the peer's, and new: replays are refused
 * without synchronised clocks.  Pure.
 *
 * Each start of a daemon is a session, named by 64 random bits; its packets are numbered.  Within a
 * session only a higher number on the same path is news.  Another session is accepted only when its
 * packet echoes one that we sent after we had accepted the present one: who recorded packets of an
 * earlier session cannot make that, since they were sealed before.  A packet of an unknown session
 * is answered by a hello that carries the echo, so that two nodes know each other after one round
 * trip; the content of the packet waits for that.
 */
#ifndef HAFAILOVER_PEER_SESSION_H
#define HAFAILOVER_PEER_SESSION_H

#include "hafailover/peer/wire.h"

enum session_verdict {
	SESSION_NEWS, /* a heartbeat to believe */
	SESSION_HELLO, /* nothing but an introduction, and known */
	SESSION_OLD, /* seen before, overtaken, or replayed */
	SESSION_UNKNOWN, /* answer with a hello */
};

struct session_table {
	uint64_t own, own_sequence; /* ours, and the number that we sent last */
	uint64_t floor; /* an echo must be at least this to introduce another session */
	uint64_t peer; /* accepted; 0: none yet */
	uint64_t seen[HEARTBEAT_PATHS_MAX]; /* highest number by path */
	uint64_t echo_session, echo_sequence; /* what the next packet to the peer echoes */
	bool waiting; /* `waits` is of a session that has not shown an echo yet */
	struct wire_packet waits;
};

struct session_result {
	enum session_verdict verdict;
	bool met; /* a session was accepted just now: tell the peer by a hello */
	bool released; /* `waits` is its newest heartbeat: that is news */
};

void session_init(struct session_table *, uint64_t own);

/* A rightly sealed packet from the peer came on its path. */
struct session_result session_hear(struct session_table *, const struct wire_packet *);

/* Fills in session and echo of a packet that is about to be sent. */
void session_stamp(struct session_table *, struct wire_packet *, uint64_t sequence);

#endif
