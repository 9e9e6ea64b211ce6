/*
 * h2_session.h - one HTTP/2 connection: bytes in, messages out; messages in, bytes out.
 *
 * With a client we are the server's side: requests come, answers go.  With a server it is the other way
 * round, and all else is the same.
 *
 * nghttp2 does frames, HPACK, windows and the states of streams; here is what it lacks: the rules for heads
 * (h2_head.h), the budgets (h2_budget.h), a bound on memory, the graceful end.  No socket: what waits too long
 * is its owner's affair.  Whoever made the session owns it and keeps a `void *` for each stream,
 * from `request` until `closed`.  Events are told from within h2_session_feed and h2_session_output, which must
 * not be called, nor the session freed, from there; everything else may be.  No clock: `now` is an argument.
 */
#ifndef LBD_HTTP_H2_SESSION_H
#define LBD_HTTP_H2_SESSION_H

#include <sys/types.h>

#include "lbd/http/h1_parse.h"
#include "lbd/http/h2_budget.h"

enum {
	H2_STREAMS_MAX = 100, /* at once; RFC 9113 advises no less */
	H2_WINDOW_STREAM = 256 * 1024, /* what a client may send ahead, of one body */
	H2_WINDOW_CONNECTION = 384 * 1024, /* and of all */
	H2_WINDOW_UPLOAD = 768 * 1024, /* of a large one, while its server takes it */
	H2_WINDOW_UPLOADS = 896 * 1024,
	H2_WINDOW_ANSWER = 16 * 1024, /* what a server may send ahead, of one answer */
	H2_WINDOW_NARROW = 1000, /* where many answers wait for one client */
	H2_WINDOW_WIDE = 128 * 1024, /* and of one that is being read */
	H2_WINDOW_ANSWERS = 16 << 20, /* of all: whoever waits for a slow client waits alone */
	H2_WINDOW_SHUT = 1024, /* on whose stream we may send less could as well not read */
	H2_MEMORY_MAX = 512 * 1024, /* what nghttp2 may allocate for a connection */
	H2_OUTPUT_MIN = 20 * 1024, /* room that h2_session_output needs: a frame */
	H2_FEED_REQUEST = 4096, /* the work that a head is, besides its bytes */
	H2_FEED_WORK = 17 * H2_FEED_REQUEST /* that one h2_session_feed does of a client's */
};

/* How a stream ended that was ours. */
enum h2_closing {
	H2_CLOSED,
	H2_REFUSED, /* REFUSED_STREAM: nothing was done with it */
	H2_UNSEEN /* nor was it looked at: the peer said that it ends, or nothing left */
};

struct h2_events {
	/*
	 * A request's head is complete: it is in the `head` that the session was given, until this returns.
	 * With a refusal it holds what was understood; one of status 400 is malformed, and its stream is
	 * reset whatever is returned.  Else the stream's owner, who will answer; NULL: refused for now.
	 */
	void *(*request)(void *owner, int32_t id, enum refusal, size_t size);
	void (*data)(void *stream, const char *p, size_t n);
	void (*end)(void *stream, struct str trailers); /* the request is complete; trailer lines */
	void (*closed)(
	    void *stream, enum h2_closing); /* neither side sends more; a stream's last event */

	/*
	 * With a server.  The head of an answer, interim or final, is in `head` until this returns; one with a
	 * refusal is malformed, and its stream is reset.  `awaits`: no final one has come.
	 */
	void (*response)(void *stream, enum refusal, bool end);
	bool (*awaits)(void *stream);

	/* What waits to be sent; *end: nothing follows that.  Then that it goes out; its trailers. */
	size_t (*waiting)(void *stream, bool *end);
	void (*take)(void *stream, char *to, size_t n);
	struct str (*trailers)(void *stream);
	void (*sent)(void *stream, size_t bytes, bool end); /* a frame of any kind; the last one */
};

struct h2_session;

/* NULL: out of memory.  The limits are copied, the rest is borrowed. */
struct h2_session *h2_session_new(
    const struct h2_events *, void *owner, const struct http_limits *, struct http_head *);

/* With a server; the limits are those of its answers, of each of which it may send so much ahead. */
struct h2_session *h2_session_connect(const struct h2_events *, void *owner,
    const struct http_limits *, struct http_head *, uint32_t window);
void h2_session_free(struct h2_session **);

/*
 * How much of it is used up: all, or less when many requests came together; then others should have their turn
 * before the rest is fed.
 */
size_t h2_session_feed(struct h2_session *, const char *p, size_t n, int64_t now);

/* Up to `size` bytes to send; 0 when there is nothing. */
size_t h2_session_output(struct h2_session *, char *to, size_t size);

/* False: what comes is not looked at, and the connection over as soon as what is left to send is sent. */
bool h2_session_reads(const struct h2_session *);

/* Nothing is to be received or sent any more. */
bool h2_session_over(const struct h2_session *);

/* A header block has begun and not ended. */
bool h2_session_in_head(const struct h2_session *);

/* What the last feed did: requests and bytes of fields, see H2_FEED_REQUEST. */
uint32_t h2_session_work(const struct h2_session *);

/* Why it was ended before its time. */
enum h2_offence h2_session_offence(const struct h2_session *);

/* Bytes allocated now, by nghttp2 and for a head that is not complete. */
size_t h2_session_memory(const struct h2_session *);

/* An answer's head, interim or final.  `end`: nothing follows it.  0 or -ENOMEM. */
int h2_session_respond(struct h2_session *, int32_t id, const struct http_head *, bool end);

/*
 * With a server: a request whose head is that of HTTP/1, as h1_format_request wrote it.  What follows it decides
 * what that becomes.  The stream's number, or -ENOMEM.
 */
enum h2_follows {
	H2_NOTHING,
	H2_BODY,
	H2_WEBSOCKET /* a tunnel: RFC 8441; only if h2_session_tunnels */
};
int32_t h2_session_ask(
    struct h2_session *, struct str head, struct str scheme, enum h2_follows, void *stream);

/* The server has said by its SETTINGS what it takes; tunnels are among that. */
bool h2_session_settled(const struct h2_session *);
bool h2_session_tunnels(const struct h2_session *);

/* How many streams may be open; 0: none may be opened any more. */
uint32_t h2_session_streams_max(const struct h2_session *);

/* Of this body the peer may send so much ahead from now on; id 0: of all. */
void h2_session_widen(struct h2_session *, int32_t id, uint32_t window);

/* PING; and so many were answered. */
void h2_session_ping(struct h2_session *);
uint32_t h2_session_pongs(const struct h2_session *);

/* On that stream not even a little can be sent, for want of a window. */
bool h2_session_shut(const struct h2_session *, int32_t id);

/* `waiting` has something new to say. */
void h2_session_resume(struct h2_session *, int32_t id);

/* The stream ends at once, with an error of ours (not the peer's). */
void h2_session_reset(struct h2_session *, int32_t id);

/*
 * So much of what `data` brought is used up, and the peer may send as much again; id 0: of a closed one, which
 * does not matter for servers.
 */
void h2_session_consume(struct h2_session *, int32_t id, size_t n);

/*
 * No new streams: first the peer is told, and when that has arrived, up to which one they were taken.
 * Called once more: at once, for it does not say that it has arrived.
 */
void h2_session_shutdown(struct h2_session *);

/* Ends at once, streams or not. */
void h2_session_end(struct h2_session *);

#endif
