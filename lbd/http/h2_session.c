/* h2_session.c - nghttp2's callbacks, and what is said to it. */
#include "lbd/http/h2_session.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "common/check.h"
#include "lbd/http/h1_fields.h"
#include "lbd/http/h2_head.h"
#include "lbd/http/h2_memory.h"

enum {
	SESSION_MAGIC = 0x1bd30eee,
	FRAME_HEAD = 9,
	TRAILERS_MAX = 128,
	CONTINUATIONS_MAX = 8,
	BOMB = 4, /* a block so many times the limit is no mistake */
	BOMB_FREE = 64 * 1024
};

static const uint8_t shutdown_ping[8] = { 'g', 'o', 'a', 'w', 'a', 'y', 0, 1 };

struct h2_session {
	uint32_t magic;
	nghttp2_session *ng;
	const struct h2_events *events;
	void *owner;
	struct http_limits limits;
	struct http_head *head;
	struct h2_block *block; /* the head that is being received; NULL: none yet */
	bool in_head;
	unsigned continuations; /* of the present block */
	bool busy; /* in feed or output */
	bool ended; /* a graceful end was begun */
	enum h2_offence offence;
	bool cut; /* GOAWAY said it */
	struct h2_budget budget;
	int32_t highest; /* stream so far */
	uint64_t opened; /* bit n: highest - 2n was opened */
	struct h2_memory memory;
	char *out, *out_end; /* during h2_session_output */
};

static struct h2_session *
session_of(void *arg)
{
	struct h2_session *s = arg;

	CHECK(s->magic == SESSION_MAGIC);
	return s;
}

/* --- what is received --- */

static int
offend(struct h2_session *s, enum h2_offence offence)
{
	if (offence == H2_NO_OFFENCE)
		return 0;
	if (s->offence == H2_NO_OFFENCE)
		s->offence = offence;
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

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
	struct h2_session *s = session_of(arg);

	(void)ng;
	if (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0) /* nghttp2 ignores priorities */
		return offend(s, H2_PROTOCOL);
	if (hd->type == NGHTTP2_HEADERS && !stream_id_note(s, hd->stream_id))
		return offend(s, H2_PROTOCOL);
	s->continuations = hd->type == NGHTTP2_CONTINUATION ? s->continuations + 1 : 0;
	if (s->continuations > CONTINUATIONS_MAX)
		return offend(s, H2_HEADER_BLOCK);
	return offend(s, h2_budget_frame(&s->budget, hd->type, hd->flags, hd->length));
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

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *s = session_of(arg);

	(void)ng;
	if (!s->block)
		s->block = h2_block_new();
	if (!s->block)
		return offend(s, H2_MEMORY);
	s->in_head = true;
	h2_block_start(s->block, frame->headers.cat != NGHTTP2_HCAT_REQUEST);
	return 0;
}

static struct str
text_of(nghttp2_rcbuf *b)
{
	nghttp2_vec v = nghttp2_rcbuf_get_buf(b);

	return (struct str){ (const char *)v.base, v.len };
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
    nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct h2_session *s = session_of(arg);
	struct str n = text_of(name), v = text_of(value);

	(void)ng;
	(void)frame;
	(void)flags;
	if (h2_block_add(s->block, &s->limits, n, v) < 0)
		return offend(s, H2_MEMORY);
	if (s->block->decoded > BOMB * (uint64_t)s->limits.head_size + BOMB_FREE)
		return offend(s, H2_HEADER_BLOCK);
	s->budget.payload += n.n + v.n;
	return 0;
}

/* What nghttp2 finds wrong with a field it would leave out; we refuse the request. */
static int
on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
    nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct h2_session *s = session_of(arg);

	if (!s->block->refusal)
		s->block->refusal = s->block->trailers ? REFUSE_TRAILER : REFUSE_FIELD_VALUE;
	return on_header(ng, frame, name, value, flags, arg);
}

/* Reset for what the peer did. */
static int
stream_refuse(struct h2_session *s, int32_t id, uint32_t code)
{
	return nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, code)
	    ? NGHTTP2_ERR_CALLBACK_FAILURE
	    : 0;
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
trailers_received(struct h2_session *s, const nghttp2_frame *frame)
{
	int32_t id = frame->hd.stream_id;
	void *stream = nghttp2_session_get_stream_user_data(s->ng, id);

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
	return frame->headers.cat == NGHTTP2_HCAT_REQUEST ? request_received(s, frame)
							  : trailers_received(s, frame);
}

/* nghttp2 refused it, and resets the stream. */
static int
on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
	struct h2_session *s = session_of(arg);
	int32_t id = frame->hd.stream_id;
	enum refusal refusal;

	(void)error;
	if (frame->hd.type != NGHTTP2_HEADERS || !s->in_head)
		return 0;
	s->in_head = false;
	if (nghttp2_session_get_stream_user_data(ng, id) || s->block->trailers)
		return 0;
	refusal = h2_block_request(s->block, &s->limits, false, s->head);
	if (!refusal || refusal_status(refusal) != 400)
		refusal = REFUSE_MALFORMED;
	s->events->request(s->owner, id, refusal, s->block->used);
	return 0;
}

/* It knows that we want to end: up to here requests were taken, and none after this. */
static void
shutdown_known(struct h2_session *s)
{
	nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(s->ng), NGHTTP2_NO_ERROR, NULL, 0);
}

static int
on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *s = session_of(arg);
	void *stream;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		return headers_received(s, frame);
	case NGHTTP2_DATA:
		stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
		if (stream && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			s->events->end(stream, (struct str){ NULL, 0 });
		break;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK && s->ended &&
		    memcmp(frame->ping.opaque_data, shutdown_ping, sizeof(shutdown_ping)) == 0)
			shutdown_known(s);
		break;
	}
	return 0;
}

static int
on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct h2_session *s = session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, id);

	(void)flags;
	if (stream)
		s->events->data(stream, (const char *)p, n);
	else
		nghttp2_session_consume(ng, id, n);
	return 0;
}

/* Without a word to its owner if there never was one. */
static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct h2_session *s = session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, id);

	(void)code;
	if (!stream)
		return 0;
	nghttp2_session_set_stream_user_data(ng, id, NULL);
	s->events->closed(stream);
	return 0;
}

/* --- what is sent --- */

static ssize_t
on_send(nghttp2_session *ng, const uint8_t *p, size_t n, int flags, void *arg)
{
	struct h2_session *s = session_of(arg);
	size_t room = (size_t)(s->out_end - s->out);

	(void)ng;
	(void)flags;
	if (room == 0)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (n > room)
		n = room;
	memcpy(s->out, p, n);
	s->out += n;
	return (ssize_t)n;
}

/* DATA goes straight from its owner's memory to where the output is put together. */
static int
on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
    nghttp2_data_source *source, void *arg)
{
	struct h2_session *s = session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

	(void)source;
	CHECK(frame->data.padlen == 0);
	if ((size_t)(s->out_end - s->out) < n + FRAME_HEAD)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	memcpy(s->out, head, FRAME_HEAD);
	s->events->take(stream, s->out + FRAME_HEAD, n);
	s->out += n + FRAME_HEAD;
	return 0;
}

static nghttp2_nv
pair(struct str name, struct str value)
{
	/* nghttp2 copies both, and writes the name in lower case */
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n,
		value.n, NGHTTP2_NV_FLAG_NONE };
}

static int
trailers_submit(struct h2_session *s, int32_t id, struct str lines)
{
	nghttp2_nv nv[TRAILERS_MAX];
	struct http_field f;
	size_t n = 0;
	ssize_t r;

	while (n < TRAILERS_MAX && (r = h1_field_parse(lines, &f)) > H1_EMPTY_LINE) {
		nv[n++] = pair(f.name, f.value);
		lines = str_skip(lines, (size_t)r);
	}
	return nghttp2_submit_trailer(s->ng, id, nv, n);
}

static ssize_t
on_read_data(nghttp2_session *ng, int32_t id, uint8_t *buffer, size_t most, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct h2_session *s = session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, id);
	struct str trailers;
	size_t waiting, n;
	bool end;

	(void)buffer;
	(void)source;
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	waiting = s->events->waiting(stream, &end);
	if (waiting == 0 && !end)
		return NGHTTP2_ERR_DEFERRED;
	n = waiting < most ? waiting : most;
	offend(s, h2_budget_sent(&s->budget, n, n < waiting));
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (!end || n < waiting)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	trailers = s->events->trailers(stream);
	if (trailers.n && trailers_submit(s, id, trailers) == 0)
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return (ssize_t)n;
}

/* RFC 9113 8.1: the answer is complete, the rest of the request is not wanted. */
static void
stream_ended(struct h2_session *s, int32_t id)
{
	s->budget.answers++;
	if (nghttp2_session_get_stream_remote_close(s->ng, id) == 0)
		nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

/* Resets that we chose ourselves, and those that say no more than that the answer is complete. */
static bool
peers_fault(uint32_t code)
{
	return code != NGHTTP2_NO_ERROR && code != NGHTTP2_INTERNAL_ERROR;
}

static int
on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *s = session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
	bool body = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	bool end = body && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (stream)
		s->events->sent(stream, frame->hd.length + FRAME_HEAD, end);
	if (end)
		stream_ended(s, frame->hd.stream_id);
	if (frame->hd.type == NGHTTP2_RST_STREAM && peers_fault(frame->rst_stream.error_code))
		offend(s, h2_budget_reset(&s->budget));
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
	    s->offence == H2_NO_OFFENCE) {
		s->offence = H2_PROTOCOL;
		s->cut = true;
	}
	return 0;
}

/* --- the session --- */

static int
callbacks_set(nghttp2_session_callbacks **cp)
{
	nghttp2_session_callbacks *c;

	if (nghttp2_session_callbacks_new(&c))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
	nghttp2_session_callbacks_set_unpack_extension_callback(c, on_unpack_extension);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback2(c, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_session_callbacks_set_send_callback(c, on_send);
	nghttp2_session_callbacks_set_send_data_callback(c, on_send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
	*cp = c;
	return 0;
}

static int
ng_new(struct h2_session *s)
{
	nghttp2_mem mem = h2_memory_functions(&s->memory);
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	int r = -ENOMEM;

	if (callbacks_set(&callbacks) < 0)
		return r;
	if (nghttp2_option_new(&option) == 0) {
		nghttp2_option_set_no_auto_window_update(option, 1);
		/* nghttp2 counts them by the pieces in which they arrive: we count frames */
		nghttp2_option_set_max_continuations(option, UINT32_MAX);
		for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
			nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
		r = nghttp2_session_server_new3(&s->ng, callbacks, s, option, &mem);
		nghttp2_option_del(option);
	}
	nghttp2_session_callbacks_del(callbacks);
	return r ? -ENOMEM : 0;
}

static int
settings_submit(struct h2_session *s)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW_STREAM },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, s->limits.head_size },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};

	if (nghttp2_submit_settings(
		s->ng, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0])))
		return -ENOMEM;
	return nghttp2_session_set_local_window_size(
		   s->ng, NGHTTP2_FLAG_NONE, 0, H2_WINDOW_CONNECTION)
	    ? -ENOMEM
	    : 0;
}

struct h2_session *
h2_session_new(const struct h2_events *events, void *owner, const struct http_limits *limits,
    struct http_head *head)
{
	struct h2_session *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct h2_session){
		.magic = SESSION_MAGIC,
		.events = events,
		.owner = owner,
		.highest = -1,
		.memory = { .most = H2_MEMORY_MAX },
		.limits = *limits,
		.head = head,
	};
	if (ng_new(s) < 0 || settings_submit(s) < 0)
		h2_session_free(&s);
	return s;
}

void
h2_session_free(struct h2_session **sp)
{
	struct h2_session *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	CHECK(!s->busy);
	if (s->ng)
		nghttp2_session_del(s->ng);
	h2_block_free(&s->block);
	free(s);
}

/* What nghttp2 gave up for. */
static enum h2_offence
offence_of(ssize_t error)
{
	if (error == NGHTTP2_ERR_FLOODED)
		return H2_CONTROL_FRAMES;
	return error == NGHTTP2_ERR_NOMEM ? H2_MEMORY : H2_PROTOCOL;
}

static void
session_cut(struct h2_session *s, enum h2_offence offence)
{
	offend(s, offence);
	s->cut = true;
	nghttp2_session_terminate_session(
	    s->ng, s->offence == H2_PROTOCOL ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM);
}

bool
h2_session_feed(struct h2_session *s, const char *p, size_t n)
{
	enum h2_offence offence = h2_budget_bytes(&s->budget, n);
	ssize_t r = 0;

	CHECK(!s->busy);
	if (offence == H2_NO_OFFENCE) {
		s->busy = true;
		r = nghttp2_session_mem_recv(s->ng, (const uint8_t *)p, n);
		s->busy = false;
		if (r < 0)
			offence = offence_of(r);
	}
	if (offence)
		session_cut(s, offence);
	if (!s->in_head)
		h2_block_free(&s->block);
	return !offence && nghttp2_session_want_read(s->ng);
}

size_t
h2_session_output(struct h2_session *s, char *to, size_t size)
{
	enum h2_offence before = s->offence;
	int r;

	CHECK(!s->busy && size >= H2_OUTPUT_MIN);
	s->out = to;
	s->out_end = to + size;
	s->busy = true;
	r = nghttp2_session_send(s->ng);
	if (r && r != NGHTTP2_ERR_WOULDBLOCK)
		offend(s, offence_of(r));
	if (s->offence != before && !s->cut) {
		session_cut(s, s->offence);
		nghttp2_session_send(s->ng); /* the GOAWAY */
	}
	s->busy = false;
	return (size_t)(s->out - to);
}

bool
h2_session_over(const struct h2_session *s)
{
	return !nghttp2_session_want_read(s->ng) && !nghttp2_session_want_write(s->ng);
}

bool
h2_session_in_head(const struct h2_session *s)
{
	return s->in_head;
}

enum h2_offence
h2_session_offence(const struct h2_session *s)
{
	return s->offence;
}

size_t
h2_session_memory(const struct h2_session *s)
{
	return sizeof(*s) + s->memory.used + (s->block ? sizeof(*s->block) + s->block->size : 0);
}

static struct str
digits_of(char *end, uint64_t v)
{
	char *p = end;

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	return (struct str){ p, (size_t)(end - p) };
}

int
h2_session_respond(struct h2_session *s, int32_t id, const struct http_head *head, bool end)
{
	nghttp2_data_provider body = { .read_callback = on_read_data };
	char status[3], length[20];
	nghttp2_nv nv[HTTP_FIELDS_MAX + 2];
	size_t n = 0;
	int r;

	nv[n++] = pair(STR(":status"), digits_of(status + sizeof(status), head->status));
	for (unsigned i = 0; i < head->n_fields; i++)
		if (!head->fields[i].one_hop)
			nv[n++] = pair(head->fields[i].name, head->fields[i].value);
	if (head->has_length && head->status >= 200 && head->status != 204)
		nv[n++] =
		    pair(STR("content-length"), digits_of(length + sizeof(length), head->length));
	if (head->status < 200)
		r = nghttp2_submit_headers(s->ng, NGHTTP2_FLAG_NONE, id, NULL, nv, n, NULL);
	else
		r = nghttp2_submit_response(s->ng, id, nv, n, end ? NULL : &body);
	return r < 0 ? -ENOMEM : 0;
}

void
h2_session_resume(struct h2_session *s, int32_t id)
{
	nghttp2_session_resume_data(s->ng, id); /* not put off: then it looks by itself */
}

void
h2_session_reset(struct h2_session *s, int32_t id)
{
	nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
}

void
h2_session_consume(struct h2_session *s, int32_t id, size_t n)
{
	if (id)
		nghttp2_session_consume(s->ng, id, n);
	else
		nghttp2_session_consume_connection(s->ng, n);
}

void
h2_session_shutdown(struct h2_session *s)
{
	if (s->ended)
		return;
	nghttp2_submit_shutdown_notice(s->ng);
	nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, shutdown_ping);
	s->ended = true;
}

void
h2_session_end(struct h2_session *s)
{
	nghttp2_session_terminate_session(s->ng, NGHTTP2_NO_ERROR);
	s->ended = true;
}
