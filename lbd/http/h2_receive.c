/* h2_receive.c - nghttp2's callbacks for what comes: every frame is counted, every head judged. */
#include "lbd/http/h2_session_parts.h"

enum {
	CONTINUATIONS_MAX = 8,
	BOMB = 4, /* a block so many times the limit is no mistake */
	BOMB_FREE = 64 * 1024
};

/* RFC 9113 5.1.1: false for a number that was left out before; far below the highest nobody remembers. */
static bool
stream_id_note(struct h2_session *s, int32_t id)
{
	int64_t up = ((int64_t)id - s->highest) / 2;

	if (id % 2 == 0)
		return true; /* never a client's: nghttp2 says so */
	if (id > s->highest) {
		s->opened = up < 64 ? s->opened << up | 1 : 1;
		s->highest = id;
		return true;
	}
	return -up >= 64 || s->opened >> -up & 1;
}

static int
on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2_session *s = h2_session_of(arg);

	(void)ng;
	if (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0) /* nghttp2 ignores priorities */
		return h2_session_offend(s, H2_PROTOCOL);
	if (hd->type == NGHTTP2_HEADERS && !s->client && !stream_id_note(s, hd->stream_id))
		return h2_session_offend(s, H2_PROTOCOL);
	/* our first SETTINGS forbade it, and it cannot have a request that it has before those */
	if (hd->type == NGHTTP2_PUSH_PROMISE)
		return h2_session_offend(s, H2_PROTOCOL);
	s->continuations = hd->type == NGHTTP2_CONTINUATION ? s->continuations + 1 : 0;
	if (s->continuations > CONTINUATIONS_MAX)
		return h2_session_offend(s, H2_HEADER_BLOCK);
	return h2_session_offend(s, h2_budget_frame(&s->budget, hd->type, hd->flags, hd->length));
}

/* Frames of types that nobody knows count, too: nghttp2 tells of them only if they are asked for. */
static int
on_unpack_extension(nghttp2_session *ng, void **payload, const nghttp2_frame_hd *hd, void *arg)
{
	(void)ng;
	(void)payload;
	(void)hd;
	(void)arg;
	return NGHTTP2_ERR_CANCEL;
}

static enum h2_block_kind
block_kind(const struct h2_session *s, const nghttp2_frame *frame)
{
	void *stream;

	if (!s->client)
		return frame->headers.cat == NGHTTP2_HCAT_REQUEST ? H2_REQUEST : H2_TRAILERS;
	stream = nghttp2_session_get_stream_user_data(s->ng, frame->hd.stream_id);
	return stream && s->events->awaits(stream) ? H2_RESPONSE : H2_TRAILERS;
}

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *s = h2_session_of(arg);

	(void)ng;
	if (!s->block)
		s->block = h2_block_new();
	if (!s->block)
		return h2_session_offend(s, H2_MEMORY);
	s->in_head = true;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		s->work += H2_FEED_REQUEST;
	h2_block_start(s->block, block_kind(s, frame));
	return 0;
}

static struct str
text_of(nghttp2_rcbuf *b)
{
	nghttp2_vec v = nghttp2_rcbuf_get_buf(b);

	return (struct str){ (const char *)v.base, v.len };
}

/* Only where more of the same head must follow: nghttp2 goes on when it is given bytes. */
static bool
may_pause(const struct h2_session *s)
{
	return s->block->kind == H2_REQUEST && s->block->decoded == 0;
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
    nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct h2_session *s = h2_session_of(arg);
	struct str n = text_of(name), v = text_of(value);
	bool pause = may_pause(s) && s->work >= H2_FEED_WORK;

	(void)ng;
	(void)frame;
	(void)flags;
	if (h2_block_add(s->block, &s->limits, n, v) < 0)
		return h2_session_offend(s, H2_MEMORY);
	if (s->block->decoded > BOMB * (uint64_t)s->limits.head_size + BOMB_FREE)
		return h2_session_offend(s, H2_HEADER_BLOCK);
	s->budget.payload += n.n + v.n;
	s->work += (uint32_t)(n.n + v.n);
	return pause ? NGHTTP2_ERR_PAUSE : 0;
}

/* What nghttp2 finds wrong with a field it would leave out; we refuse the request. */
static int
on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
    nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct h2_session *s = h2_session_of(arg);

	if (!s->block->refusal)
		s->block->refusal =
		    s->block->kind == H2_TRAILERS ? REFUSE_TRAILER : REFUSE_FIELD_VALUE;
	return on_header(ng, frame, name, value, flags, arg);
}

/* A reset for what the peer did is counted before it is sent: thousands of them could wait for that. */
static int
reset_count(struct h2_session *s)
{
	s->resets_due++;
	return h2_session_offend(s, h2_budget_reset(&s->budget));
}

static int
stream_refuse(struct h2_session *s, int32_t id, uint32_t code)
{
	int r = nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, code);

	return h2_session_submitted(s, r) ? NGHTTP2_ERR_CALLBACK_FAILURE : reset_count(s);
}

static int
request_received(struct h2_session *s, const nghttp2_frame *frame)
{
	int32_t id = frame->hd.stream_id;
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	enum refusal refusal = h2_block_request(s->block, &s->limits, end, s->head);
	size_t size = s->block->used;
	void *stream = s->events->request(s->owner, id, refusal, size);

	if (refusal && refusal_status(refusal) == 400)
		return stream_refuse(s, id, NGHTTP2_PROTOCOL_ERROR);
	if (!stream)
		return stream_refuse(s, id, NGHTTP2_REFUSED_STREAM);
	nghttp2_session_set_stream_user_data(s->ng, id, stream);
	if (end)
		s->events->end(stream, (struct str){ NULL, 0 });
	return 0;
}

static int
response_received(struct h2_session *s, const nghttp2_frame *frame)
{
	int32_t id = frame->hd.stream_id;
	void *stream = nghttp2_session_get_stream_user_data(s->ng, id);
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	enum refusal refusal = h2_block_response(s->block, end, s->head);

	s->events->response(stream, refusal, end);
	if (refusal)
		return stream_refuse(s, id, NGHTTP2_PROTOCOL_ERROR);
	if (end && (stream = nghttp2_session_get_stream_user_data(s->ng, id)))
		s->events->end(stream, (struct str){ NULL, 0 });
	return 0;
}

static int
trailers_received(struct h2_session *s, const nghttp2_frame *frame)
{
	int32_t id = frame->hd.stream_id;
	void *stream = nghttp2_session_get_stream_user_data(s->ng, id);

	if (s->client && !stream)
		return 0;
	if (s->block->refusal)
		return stream_refuse(s, id, NGHTTP2_PROTOCOL_ERROR);
	if (stream && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		s->events->end(stream, h2_block_trailers(s->block));
	return 0;
}

static int
headers_received(struct h2_session *s, const nghttp2_frame *frame)
{
	s->in_head = false;
	switch (s->block->kind) {
	case H2_REQUEST:
		return request_received(s, frame);
	case H2_RESPONSE:
		return response_received(s, frame);
	case H2_TRAILERS:
		return trailers_received(s, frame);
	}
	CHECK_NEVER();
}

/* A head that nghttp2 itself found malformed: its owner hears of it. */
static void
malformed_tell(struct h2_session *s, int32_t id)
{
	void *stream = nghttp2_session_get_stream_user_data(s->ng, id);
	enum refusal refusal;

	s->in_head = false;
	if (s->block->kind == H2_TRAILERS)
		return; /* what became of it is told when it closes */
	if (s->client)
		s->events->response(stream, REFUSE_MALFORMED, false);
	if (s->client || stream)
		return;
	refusal = h2_block_request(s->block, &s->limits, false, s->head);
	if (!refusal || refusal_status(refusal) != 400)
		refusal = REFUSE_MALFORMED;
	s->events->request(s->owner, id, refusal, s->block->used);
}

/* nghttp2 refused it, and resets the stream, or ends all. */
static int
on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
	struct h2_session *s = h2_session_of(arg);

	(void)ng;
	(void)error;
	if (frame->hd.type == NGHTTP2_HEADERS && s->in_head)
		malformed_tell(s, frame->hd.stream_id);
	return frame->hd.stream_id ? reset_count(s) : 0;
}

static int
on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *s = h2_session_of(arg);
	void *stream;

	if (s->client && frame->hd.type <= NGHTTP2_HEADERS &&
	    frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		s->budget.answers++;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		return headers_received(s, frame);
	case NGHTTP2_DATA:
		stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
		if (stream && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			s->events->end(stream, (struct str){ NULL, 0 });
		break;
	case NGHTTP2_SETTINGS:
		s->settled |= !(frame->hd.flags & NGHTTP2_FLAG_ACK);
		break;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK && s->ending == H2_NOTICE_GIVEN &&
		    memcmp(frame->ping.opaque_data, h2_notice_ping, sizeof(h2_notice_ping)) == 0)
			s->ending = H2_LAST_DUE;
		s->pongs += frame->hd.flags & NGHTTP2_FLAG_ACK;
		break;
	case NGHTTP2_GOAWAY: /* after a first word that names the highest number there may be a second */
		s->last_seen = frame->goaway.last_stream_id;
		break;
	}
	return 0;
}

static int
on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct h2_session *s = h2_session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, id);

	(void)flags;
	if (s->client)
		nghttp2_session_consume_connection(ng, n);
	if (stream)
		s->events->data(stream, (const char *)p, n);
	else
		h2_session_consume(s, id, n);
	return 0;
}

/* Without a word to its owner if there never was one. */
static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct h2_session *s = h2_session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, id);

	if (!stream)
		return 0;
	nghttp2_session_set_stream_user_data(ng, id, NULL);
	if (code != NGHTTP2_REFUSED_STREAM)
		s->events->closed(stream, H2_CLOSED);
	else
		s->events->closed(stream, id > s->last_seen ? H2_UNSEEN : H2_REFUSED);
	return 0;
}

void
h2_receive_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
	nghttp2_session_callbacks_set_unpack_extension_callback(c, on_unpack_extension);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback2(c, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
}
