/*
 * h2_session_parts.h - what the files of a session share.
 *
 *   h2_session.c  its life, what its owner asks of it    h2_send.c  what goes to the peer
 *   h2_receive.c  what comes from the peer
 */
#ifndef LBD_HTTP_H2_SESSION_PARTS_H
#define LBD_HTTP_H2_SESSION_PARTS_H

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "common/check.h"
#include "lbd/http/h2_head.h"
#include "lbd/http/h2_memory.h"
#include "lbd/http/h2_session.h"

enum { SESSION_MAGIC = 0x1bd30eee };

enum h2_ending {
	H2_GOES_ON,
	H2_NOTICE_GIVEN, /* it may not know yet */
	H2_LAST_DUE, /* it knows: which stream is the last is said with the next output */
	H2_NO_MORE /* streams than those that were taken */
};

struct h2_session {
	uint32_t magic;
	nghttp2_session *ng;
	const struct h2_events *events;
	void *owner;
	struct http_limits limits;
	struct http_head *head;
	bool client; /* we are: the peer is a server */
	int32_t last_seen; /* by the server that has said that it ends */
	uint32_t pongs;
	bool settled; /* the peer's SETTINGS have come */
	struct h2_block *block; /* the head that is being received; NULL: none yet */
	bool in_head;
	unsigned continuations; /* of the present block */
	uint32_t work; /* of this feed */
	bool busy; /* in feed or output */
	enum h2_ending ending;
	enum h2_offence offence;
	bool cut; /* GOAWAY said it */
	bool dead; /* or could not even be said */
	struct h2_budget budget;
	unsigned resets_due; /* counted already, and not yet sent */
	int32_t highest; /* stream so far */
	uint64_t opened; /* bit n: highest - 2n was opened */
	struct h2_memory memory;
	char *out, *out_end; /* during h2_session_output */
};

extern const uint8_t h2_notice_ping[8]; /* its answer says that the notice has arrived */

static inline struct h2_session *
h2_session_of(void *arg)
{
	struct h2_session *s = arg;

	CHECK(s->magic == SESSION_MAGIC);
	return s;
}

/* Notes the first one; what nghttp2 must be told, if anything. */
static inline int
h2_session_offend(struct h2_session *s, enum h2_offence offence)
{
	if (offence == H2_NO_OFFENCE)
		return 0;
	if (s->offence == H2_NO_OFFENCE)
		s->offence = offence;
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* What could not be submitted for lack of memory would be missed: that ends the session.  0 or -ENOMEM. */
int h2_session_submitted(struct h2_session *, int error);

void h2_receive_callbacks(nghttp2_session_callbacks *);
void h2_send_callbacks(nghttp2_session_callbacks *);

/* The head of a request, and of an answer, on its way.  0 or an error of nghttp2. */
int32_t h2_send_request(
    struct h2_session *, struct str head, struct str scheme, enum h2_follows, void *stream);
int h2_send_head(struct h2_session *, int32_t id, const struct http_head *, bool end);

#endif
