/*
 * h1_fields.h - the field section of an HTTP/1 head or trailer, line by line.
 *
 * Shared by requests, responses and trailers.  A line is judged as soon as it is complete, a byte that can
 * stand nowhere at once; what depends on several fields is noted in struct h1_facts and decided by
 * h1_request.c and h1_response.c when the head is complete.
 */
#ifndef LBD_HTTP_H1_FIELDS_H
#define LBD_HTTP_H1_FIELDS_H

#include <sys/types.h>

#include "lbd/http/field.h"
#include "lbd/http/h1_parse.h"

/* Members of all Connection fields together: more are only ever sent to burn time. */
enum { H1_OPTIONS_MAX = 64 };

struct h1_facts {
	bool response; /* Host and Expect mean nothing there */
	uint32_t seen; /* FIELD_BIT of each that was there */
	unsigned options; /* members of Connection */
	bool close, keep_alive, upgrade; /* Connection lists these */
	bool named; /* Connection lists fields by name */
	bool websocket; /* Upgrade, once, with that value alone */
};

static inline bool
h1_seen(const struct h1_facts *facts, enum field_id id)
{
	return field_among(id, facts->seen);
}

/*
 * One field line.  >0: its bytes with CRLF, and all of *field but one_hop and id is set; 0: incomplete;
 * <0: -(enum refusal).  The empty line that ends the section answers H1_EMPTY_LINE; no field is so short.
 */
enum { H1_EMPTY_LINE = 2 };
ssize_t h1_field_parse(struct str in, struct http_field *field);

/*
 * All field lines up to and with the empty one; answers as h1_parse_request does.  head->minor is known.
 * On success the fields that Connection lists are marked.
 */
ssize_t
h1_fields_parse(struct str in, const struct http_limits *, struct http_head *, struct h1_facts *);

/*
 * What the field says of its message goes into *head and *facts; a reason to refuse that.  For HTTP/2 too,
 * where what belongs to a connection was refused before.
 */
enum refusal h1_field_note(struct http_head *, struct h1_facts *, const struct http_field *);

/* RFC 9112 9.3: may another message follow on this connection? */
bool h1_persistent(const struct http_head *, const struct h1_facts *);

#endif
