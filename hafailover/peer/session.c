/* session.c - one comparison of an echo decides whom we believe, one of a number what is new. */
#include "hafailover/peer/session.h"

void
session_init(struct session_table *t, uint64_t own)
{
	memset(t, 0, sizeof(*t));
	t->own = own;
	t->floor = 1;
}

/* It was sealed after we accepted the present session (or started). */
static bool
is_introduced(const struct session_table *t, const struct wire_packet *w)
{
	return w->echo_session == t->own && w->echo_sequence >= t->floor &&
	    w->echo_sequence <= t->own_sequence;
}

/* Whatever the peer has sent before this packet may have been kept by somebody: it is old. */
static void
accept_session(struct session_table *t, const struct wire_packet *w)
{
	bool hello = w->type == WIRE_HELLO;

	t->peer = w->session;
	t->floor = t->own_sequence + 1;
	for (unsigned i = 0; i < HEARTBEAT_PATHS_MAX; i++)
		t->seen[i] = hello || i == w->path ? w->sequence : w->sequence - 1;
}

/* The newest one that could be the peer's. */
static void
echo_set(struct session_table *t, const struct wire_packet *w)
{
	t->echo_session = w->session;
	t->echo_sequence = w->sequence;
}

static struct session_result
hear_stranger(struct session_table *t, const struct wire_packet *w)
{
	struct session_result r = { .verdict = SESSION_UNKNOWN };

	echo_set(t, w);
	if (!is_introduced(t, w)) {
		t->waiting = w->type == WIRE_HEARTBEAT;
		t->waits = *w;
		return r;
	}
	accept_session(t, w);
	r.met = true;
	r.verdict = w->type == WIRE_HELLO ? SESSION_HELLO : SESSION_NEWS;
	r.released = w->type == WIRE_HELLO && t->waiting && t->waits.session == w->session &&
	    t->waits.sequence == w->sequence;
	t->waiting = false;
	return r;
}

struct session_result
session_hear(struct session_table *t, const struct wire_packet *w)
{
	struct session_result r = { .verdict = SESSION_NEWS };

	if (w->session != t->peer)
		return hear_stranger(t, w);
	if (w->type == WIRE_HELLO) {
		r.verdict = SESSION_HELLO;
		return r;
	}
	if (w->sequence <= t->seen[w->path]) {
		r.verdict = SESSION_OLD;
		return r;
	}
	t->seen[w->path] = w->sequence;
	echo_set(t, w);
	return r;
}

void
session_stamp(struct session_table *t, struct wire_packet *w, uint64_t sequence)
{
	if (sequence > t->own_sequence)
		t->own_sequence = sequence;
	w->session = t->own;
	w->sequence = t->own_sequence;
	w->echo_session = t->echo_session;
	w->echo_sequence = t->echo_sequence;
}
