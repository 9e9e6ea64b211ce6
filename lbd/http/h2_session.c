/* h2_session.c - the life of a session, and what its owner has to say to it. */
#include <errno.h>
#include <stdlib.h>

#include "lbd/http/h2_session_parts.h"

enum {
	SEND_BLOCK_MAX = 128 * 1024
}; /* larger than any head of a server: one beyond it would be left out */

const uint8_t h2_notice_ping[8] = { 'g', 'o', 'a', 'w', 'a', 'y', 0, 1 };

static int
ng_new(struct h2_session *s)
{
	nghttp2_mem mem = h2_memory_functions(&s->memory);
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	int r = -ENOMEM;

	if (nghttp2_session_callbacks_new(&callbacks))
		return r;
	h2_receive_callbacks(callbacks);
	h2_send_callbacks(callbacks);
	if (nghttp2_option_new(&option) == 0) {
		nghttp2_option_set_no_auto_window_update(option, 1);
		/* nghttp2 counts them by the pieces in which they arrive: we count frames */
		nghttp2_option_set_max_continuations(option, UINT32_MAX);
		nghttp2_option_set_max_send_header_block_length(option, SEND_BLOCK_MAX);
		for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
			nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
		r = (s->client ? nghttp2_session_client_new3 : nghttp2_session_server_new3)(
		    &s->ng, callbacks, s, option, &mem);
		nghttp2_option_del(option);
	}
	nghttp2_session_callbacks_del(callbacks);
	return r ? -ENOMEM : 0;
}

static int
settings_submit(struct h2_session *s, const nghttp2_settings_entry *settings, size_t n, int window)
{
	if (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, settings, n))
		return -ENOMEM;
	return nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, window) ? -ENOMEM
											  : 0;
}

static int
settings_for_client(struct h2_session *s)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW_STREAM },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, s->limits.head_size },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};

	return settings_submit(
	    s, settings, sizeof(settings) / sizeof(settings[0]), H2_WINDOW_CONNECTION);
}

static int
settings_for_server(struct h2_session *s, uint32_t window)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, s->limits.head_size },
	};

	return settings_submit(
	    s, settings, sizeof(settings) / sizeof(settings[0]), H2_WINDOW_ANSWERS);
}

static struct h2_session *
session_new(const struct h2_events *events, void *owner, const struct http_limits *limits,
    struct http_head *head, uint32_t window)
{
	bool client = window > 0;
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
		.client = client,
		.last_seen = INT32_MAX,
	};
	if (ng_new(s) < 0 || (client ? settings_for_server(s, window) : settings_for_client(s)) < 0)
		h2_session_free(&s);
	return s;
}

struct h2_session *
h2_session_new(const struct h2_events *events, void *owner, const struct http_limits *limits,
    struct http_head *head)
{
	return session_new(events, owner, limits, head, 0);
}

struct h2_session *
h2_session_connect(const struct h2_events *events, void *owner, const struct http_limits *limits,
    struct http_head *head, uint32_t window)
{
	return session_new(events, owner, limits, head, window);
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
session_terminate(struct h2_session *s, uint32_t code)
{
	s->ending = H2_NO_MORE;
	s->memory.most = SIZE_MAX; /* it has room for a GOAWAY, and accepts nothing more */
	s->dead = nghttp2_session_terminate_session(s->ng, code) != 0;
}

static void
session_cut(struct h2_session *s, enum h2_offence offence)
{
	h2_session_offend(s, offence);
	s->cut = true;
	session_terminate(
	    s, s->offence == H2_PROTOCOL ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM);
}

static ssize_t
session_receive(struct h2_session *s, const char *p, size_t n)
{
	ssize_t r;

	s->work = 0;
	s->busy = true;
	r = nghttp2_session_mem_recv(s->ng, (const uint8_t *)p, n);
	s->busy = false;
	if (r < 0)
		session_cut(s, offence_of(r));
	if (!s->in_head)
		h2_block_free(&s->block);
	return r;
}

size_t
h2_session_feed(struct h2_session *s, const char *p, size_t n, int64_t now)
{
	enum h2_offence offence;
	ssize_t r;

	CHECK(!s->busy);
	if (s->cut)
		return n;
	r = session_receive(s, p, n);
	if (s->cut)
		return n;
	offence = h2_budget_bytes(&s->budget, (size_t)r, now);
	if (offence)
		session_cut(s, offence);
	return (size_t)r;
}

bool
h2_session_reads(const struct h2_session *s)
{
	return !s->cut && nghttp2_session_want_read(s->ng);
}

/* Not before: a request that came meanwhile was taken, and a client that is told otherwise would repeat it. */
static void
last_say(struct h2_session *s)
{
	int32_t last = nghttp2_session_get_last_proc_stream_id(s->ng);
	int r = nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);

	s->ending = H2_NO_MORE;
	(void)h2_session_submitted(s, r);
}

size_t
h2_session_output(struct h2_session *s, char *to, size_t size)
{
	int r;

	CHECK(!s->busy && size >= H2_OUTPUT_MIN);
	s->out = to;
	s->out_end = to + size;
	if (s->ending == H2_LAST_DUE)
		last_say(s);
	s->busy = true;
	r = nghttp2_session_send(s->ng);
	if (r && r != NGHTTP2_ERR_WOULDBLOCK)
		h2_session_offend(s, offence_of(r));
	if (s->offence && !s->cut) {
		session_cut(s, s->offence);
		nghttp2_session_send(s->ng); /* the GOAWAY */
	}
	s->busy = false;
	return (size_t)(s->out - to);
}

bool
h2_session_over(const struct h2_session *s)
{
	return s->dead || (!nghttp2_session_want_read(s->ng) && !nghttp2_session_want_write(s->ng));
}

bool
h2_session_in_head(const struct h2_session *s)
{
	return s->in_head;
}

uint32_t
h2_session_work(const struct h2_session *s)
{
	return s->work;
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

int
h2_session_submitted(struct h2_session *s, int error)
{
	if (error == NGHTTP2_ERR_NOMEM)
		h2_session_offend(s, H2_MEMORY);
	return error ? -ENOMEM : 0;
}

int
h2_session_respond(struct h2_session *s, int32_t id, const struct http_head *head, bool end)
{
	return h2_session_submitted(s, h2_send_head(s, id, head, end));
}

int32_t
h2_session_ask(
    struct h2_session *s, struct str head, struct str scheme, enum h2_follows follows, void *stream)
{
	int32_t id = h2_send_request(s, head, scheme, follows, stream);

	if (id < 0 && h2_session_submitted(s, id) < 0)
		return -ENOMEM;
	return id;
}

bool
h2_session_settled(const struct h2_session *s)
{
	return s->settled;
}

bool
h2_session_tunnels(const struct h2_session *s)
{
	return nghttp2_session_get_remote_settings(
		   s->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

uint32_t
h2_session_streams_max(const struct h2_session *s)
{
	uint32_t theirs =
	    nghttp2_session_get_remote_settings(s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	if (s->dead || s->cut || s->offence || s->ending != H2_GOES_ON ||
	    !nghttp2_session_check_request_allowed(s->ng))
		return 0;
	return theirs < H2_STREAMS_MAX ? theirs : H2_STREAMS_MAX;
}

void
h2_session_widen(struct h2_session *s, int32_t id, uint32_t window)
{
	int r =
	    nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, id, (int32_t)window);

	if (r == NGHTTP2_ERR_NOMEM)
		(void)h2_session_submitted(s, r);
}

void
h2_session_ping(struct h2_session *s)
{
	(void)h2_session_submitted(s, nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL));
}

uint32_t
h2_session_pongs(const struct h2_session *s)
{
	return s->pongs;
}

bool
h2_session_shut(const struct h2_session *s, int32_t id)
{
	return nghttp2_session_get_remote_window_size(s->ng) < H2_WINDOW_SHUT ||
	    nghttp2_session_get_stream_remote_window_size(s->ng, id) < H2_WINDOW_SHUT;
}

void
h2_session_resume(struct h2_session *s, int32_t id)
{
	nghttp2_session_resume_data(s->ng, id); /* not put off: then it looks by itself */
}

void
h2_session_reset(struct h2_session *s, int32_t id)
{
	uint32_t code = s->client ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR;
	int r = nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, code);

	(void)h2_session_submitted(s, r);
}

void
h2_session_consume(struct h2_session *s, int32_t id, size_t n)
{
	int r = 0;

	if (!id)
		r = nghttp2_session_consume_connection(s->ng, n);
	else if (s->client) /* of the connection's window it was taken as it came */
		r = nghttp2_session_consume_stream(s->ng, id, n);
	else
		r = nghttp2_session_consume(s->ng, id, n);

	(void)h2_session_submitted(s, r);
}

static void
notice_give(struct h2_session *s)
{
	int r = nghttp2_submit_shutdown_notice(s->ng);

	s->ending = H2_NOTICE_GIVEN;
	if (!r)
		r = nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, h2_notice_ping);
	(void)h2_session_submitted(s, r);
}

void
h2_session_shutdown(struct h2_session *s)
{
	if (s->ending == H2_GOES_ON)
		notice_give(s);
	else if (s->ending == H2_NOTICE_GIVEN)
		s->ending = H2_LAST_DUE;
}

void
h2_session_end(struct h2_session *s)
{
	session_terminate(s, NGHTTP2_NO_ERROR);
}
