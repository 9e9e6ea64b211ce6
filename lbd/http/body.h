/*
 * body.h - finds the end of a message body and re-frames it, in place, as it streams through.
 *
 * The decoder keeps no bytes: a chunk-size line or trailer section that is incomplete is left uneaten
 * and the caller presents it again with more behind it.  Its output overwrites the input buffer from its
 * start (it is never longer), so that the caller sends one contiguous piece.  RFC 9112 sections 6 and 7.
 */
#ifndef LBD_HTTP_BODY_H
#define LBD_HTTP_BODY_H

#include "lbd/http/head.h"
#include "lbd/http/refusal.h"

enum body_output {
	BODY_AS_IS, /* length and close framing: bytes pass; chunked: framing is generated anew */
	BODY_PAYLOAD /* chunked framing is removed: for HTTP/1.0 and HTTP/2 clients */
};

struct body {
	enum http_framing framing;
	enum body_output output;
	bool
	    keep_trailers; /* pass trailer fields on (the receiver said TE: trailers, or is a server) */
	bool done;
	uint8_t state; /* body.c's own */
	uint32_t extensions; /* bytes of chunk extensions so far, bounded */
	uint64_t left; /* of the length, or of the present chunk */
	uint64_t payload; /* body bytes seen, without framing */
	const struct str *reserved; /* names that no trailer field passed on may resemble */
	uint32_t n_reserved;
};

struct body_step {
	size_t eaten; /* bytes of the input that are used up; the rest must be presented again */
	size_t out; /* bytes to send on, at the start of the buffer */
	size_t
	    trailers; /* bytes of trailer lines behind them; with BODY_PAYLOAD, if they are kept */
	enum refusal
	    refusal; /* not REFUSE_NOTHING: the message is broken, nothing more may be sent */
};

void
body_init(struct body *, enum http_framing, uint64_t length, enum body_output, bool keep_trailers);

/*
 * Decodes `n` bytes at `p`, rewriting them.  When eaten < n and !done, the rest (never more than
 * BODY_PENDING_MAX bytes) waits for more input.  When done, what follows belongs to the next message.
 * After `done` nothing is eaten.  Bytes [out, eaten) of the buffer are undefined afterwards; bytes from
 * `eaten` on are untouched.
 */
enum { BODY_PENDING_MAX = 8192 + 512 };
struct body_step body_decode(struct body *, char *p, size_t n);

/*
 * Chunk framing around `n` payload bytes at p, written before and after them: the caller guarantees
 * CHUNK_HEAD_MAX bytes of room before p and 2 after p + n.  Returns the start of the chunk; *total is its
 * length.  n > 0.
 */
enum { CHUNK_HEAD_MAX = 18 };
char *chunk_wrap(char *p, size_t n, size_t *total);

#endif
