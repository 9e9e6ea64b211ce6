/*
 * h1_format.h - HTTP/1 message heads to bytes: written from what was understood, never copied whole.
 *
 * Framing fields are always generated, fields of one hop are left out, and what lbd adds (forwarding
 * headers, Via, request id) is added here.  Pure.  A head that does not fit sets writer.overflow.
 */
#ifndef LBD_HTTP_H1_FORMAT_H
#define LBD_HTTP_H1_FORMAT_H

#include "lbd/http/head.h"

struct writer {
	char *p, *end; /* next byte to write, end of the room */
	bool overflow;
};

static inline void
write_bytes(struct writer *w, const char *p, size_t n)
{
	if ((size_t)(w->end - w->p) < n) {
		w->overflow = true;
		return;
	}
	memcpy(w->p, p, n);
	w->p += n;
}

static inline void
write_str(struct writer *w, struct str s)
{
	if (s.n)
		write_bytes(w, s.p, s.n);
}

/* A whole line: `start` is "Name: ". */
static inline void
write_line(struct writer *w, struct str start, struct str value)
{
	char *p = w->p;

	if ((size_t)(w->end - p) < start.n + value.n + 2) {
		w->overflow = true;
		return;
	}
	memcpy(p, start.p, start.n);
	p += start.n;
	if (value.n)
		memcpy(p, value.p, value.n);
	p += value.n;
	memcpy(p, "\r\n", 2);
	w->p = p + 2;
}

void write_uint(struct writer *, uint64_t);

struct forward_line {
	struct str name, value;
};

/* What a request gets on its way to a server, apart from the head itself. */
struct forward {
	struct str client; /* address text: "192.0.2.1" or "2001:db8::1" */
	struct str proto; /* "http" or "https" */
	struct str request_id; /* generated; used unless a trusted client sent one */
	struct str via; /* received-by pseudonym */
	struct str host; /* what the server is told instead of the client's; empty: that */
	struct str default_host; /* for HTTP/1.0 requests without Host */
	bool
	    trusted; /* the client may speak for others: its forwarding headers are kept and extended */
	bool x_forwarded, rfc7239;
	const struct forward_line *lines; /* written as they are */
	unsigned n_lines;
};

/*
 * Where things that a log needs ended up in what was written: slices into the writer's buffer.
 * request_id may be the client's own.  All empty when the head did not fit.
 */
struct formatted {
	struct str method, target, host, request_id, user_agent, referer;
};

/* Framing as the head says; always HTTP/1.1; Connection only to upgrade or to say TE: trailers. */
void h1_format_request(
    struct writer *, const struct http_head *, const struct forward *, struct formatted *);

/* What the client's side of a response looks like. */
struct reply {
	unsigned client_minor; /* 0 or 1 */
	bool keep_alive; /* what we tell the client; false writes Connection: close */
	enum http_framing
	    framing; /* towards the client; FRAMING_CHUNKED writes Transfer-Encoding */
	bool upgrade; /* 101: Connection: upgrade and Upgrade: websocket */
};

/* Always says HTTP/1.1 (RFC 9110 6.2: own version).  Content-Length is generated from has_length/length. */
void h1_format_response(struct writer *, const struct http_head *, const struct reply *);

/* An error that lbd itself answers. */
struct error_response {
	unsigned status;
	bool head_only, keep_alive;
	unsigned retry_after; /* seconds; 0: nothing is said of it */
	struct str lines; /* what else the head says, with their ends */
	struct str content_type, body; /* of a page; no type: status and reason as a text */
};

/* Status line, Date-less minimal head, body (none for HEAD).  405 carries Allow. */
void h1_format_error(struct writer *, const struct error_response *);

/* RFC 9110 15: "Not Found"; "" for codes without a registered phrase. */
const char *http_reason(unsigned status);

#endif
