/* h2_upload.c - who has the wide window of a connection. */
#include "lbd/proxy/h2_upload.h"

#include "lbd/proxy/h2_connection.h"

/* Much was taken already, and nothing waits. */
static bool
is_fast(const struct h2_stream *s)
{
	return s->taken >= H2_WINDOW_STREAM && !s->incoming.body && !s->incoming.ended;
}

void
h2_upload_taken(struct h2_stream *s, size_t n)
{
	struct h2_connection *h = s->connection;

	s->taken += n;
	if (h->wide || s->closed || !is_fast(s))
		return;
	h->wide = s;
	h2_session_widen(h->session, s->id, H2_WINDOW_UPLOAD);
	h2_session_widen(h->session, 0, H2_WINDOW_UPLOADS);
}

void
h2_upload_end(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;

	if (h->wide != s)
		return;
	h->wide = NULL;
	h2_session_widen(h->session, 0, H2_WINDOW_CONNECTION);
}
