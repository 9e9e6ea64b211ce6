/* peer_view.c - newest content by session and sequence, liveness by path. */
#include "hafailover/election/peer_view.h"

#include "common/check.h"

static bool
is_news(const struct peer_view *v, const struct heartbeat *h)
{
	return !v->known || h->session != v->last.session || h->sequence > v->last.sequence;
}

static void
note_hearing(struct peer_view *v, uint64_t session, int64_t now_ns)
{
	bool hears = v->last.heard_session == session && v->last.hears;

	if (hears)
		v->deaf_since_ns = 0;
	else if (!v->deaf_since_ns)
		v->deaf_since_ns = now_ns;
}

bool
peer_view_hear(
    struct peer_view *v, uint64_t session, unsigned path, const struct heartbeat *h, int64_t now_ns)
{
	CHECK(path < HEARTBEAT_PATHS_MAX);
	v->heard_ns[path] = now_ns;
	v->any_ns = now_ns;
	if (!is_news(v, h))
		return false;
	v->known = true;
	v->last = *h;
	v->last_ns = now_ns;
	note_hearing(v, session, now_ns);
	return true;
}

uint8_t
peer_view_paths(const struct peer_view *v, int64_t dead_ns, int64_t now_ns)
{
	unsigned i, bits = 0;

	for (i = 0; i < HEARTBEAT_PATHS_MAX; i++)
		if (v->heard_ns[i] && now_ns - v->heard_ns[i] < dead_ns)
			bits |= 1U << i;
	return (uint8_t)bits;
}

bool
peer_view_reachable(const struct peer_view *v, int64_t dead_ns, int64_t now_ns)
{
	return v->known && now_ns - v->any_ns < dead_ns;
}
