/*
 * head.h - one message head, request or response, whatever protocol version it came in.
 *
 * The parsers fill it, the formatters write it, the proxy decides by it.  All slices point into the
 * buffer that was parsed and live no longer than that buffer.  What stands here was validated: the
 * request target is origin-form (or `*`), `host` is the one authority, framing is decided, and fields
 * that belong to one hop only are marked so that no formatter copies them.
 */
#ifndef LBD_HTTP_HEAD_H
#define LBD_HTTP_HEAD_H

#include "common/str.h"

enum {
	HTTP_FIELDS_MAX = 256,
	HTTP_2 = 2 /* in place of the minor version: it came as HTTP/2 */
};

/* Fields that lbd itself understands; everything else is FIELD_OTHER and passed on. */
enum field_id {
	FIELD_OTHER,
	FIELD_CONNECTION,
	FIELD_CONTENT_LENGTH,
	FIELD_COOKIE,
	FIELD_DATE,
	FIELD_EXPECT,
	FIELD_FORWARDED,
	FIELD_HOST,
	FIELD_HTTP2_SETTINGS,
	FIELD_KEEP_ALIVE,
	FIELD_PROXY_CONNECTION,
	FIELD_REFERER,
	FIELD_RETRY_AFTER,
	FIELD_TE,
	FIELD_TRAILER,
	FIELD_TRANSFER_ENCODING,
	FIELD_UPGRADE,
	FIELD_USER_AGENT,
	FIELD_VIA,
	FIELD_X_FORWARDED_FOR,
	FIELD_X_FORWARDED_HOST,
	FIELD_X_FORWARDED_PROTO,
	FIELD_X_REQUEST_ID,
	FIELD_LIKE_FORWARDING, /* other X-Forwarded-*, and spellings a server may take for ours */
	FIELD_LIKE_FRAMING, /* "Content_Length", "Transfer.Encoding": refused */
	FIELD_ID_COUNT
};

/*
 * `verbatim`: from name.p on stands "name: value" CRLF, spelt as a formatter would write it; whoever changes
 * name or value clears it.
 */
struct http_field {
	struct str name, value; /* value without surrounding blanks */
	enum field_id id;
	bool one_hop; /* RFC 9110 7.6.1: never forwarded as received */
	bool verbatim;
};

enum http_method {
	METHOD_OTHER, /* valid token that lbd does not know: forwarded, never retried */
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_PATCH
};

/* How the body is delimited, RFC 9112 section 6. */
enum http_framing {
	FRAMING_NONE, /* no body, or one of length 0 */
	FRAMING_LENGTH, /* http_head.length bytes, > 0 */
	FRAMING_CHUNKED,
	FRAMING_CLOSE /* responses only: until the server closes */
};

struct http_head {
	/* request */
	enum http_method method_id;
	struct str method;
	struct str target; /* origin-form or "*": what is forwarded */
	bool target_slash; /* a "/" belongs before it: "http://host?query" in absolute-form */
	struct str host; /* Host, or the authority of an absolute-form target; empty if neither */
	bool expect_continue; /* Expect: 100-continue from an HTTP/1.1 client */
	bool te_trailers; /* TE: trailers */
	/* response */
	unsigned status; /* 100..999 */
	struct str reason;
	/* both */
	unsigned minor; /* HTTP/1.minor: 0, or 1 for everything from 1.1 to 1.9; or HTTP_2 */
	enum http_framing framing;
	uint64_t
	    length; /* of the body with FRAMING_LENGTH; also of HEAD's absent body, see has_length */
	bool has_length; /* a Content-Length field was there (HEAD and 304 keep it) */
	bool keep_alive; /* this side allows another message on the connection */
	bool upgrade_websocket; /* request: asks for it; response: 101 that grants it */
	unsigned n_fields;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* GET, HEAD, PUT, DELETE, OPTIONS: RFC 9110 9.2.2 (TRACE is refused before it gets here). */
static inline bool
http_method_idempotent(enum http_method m)
{
	return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_PUT || m == METHOD_DELETE ||
	    m == METHOD_OPTIONS;
}

/* Which field is this?  `name` in any case. */
enum field_id field_id_of(struct str name);

/* Such fields, in any case, are not forwarded. */
void head_remove_field(struct http_head *, struct str name);

/* One more field.  Both are borrowed.  False: there is no room for it. */
bool head_add_field(struct http_head *, struct str name, struct str value);

/* The only field of that name from now on; as head_add_field. */
bool head_set_field(struct http_head *, struct str name, struct str value);

/* The value of the first field of that name, in any case; of Host, the one authority.  Empty: none. */
struct str head_value(const struct http_head *, struct str name);

/* The first field with that id, or NULL. */
const struct http_field *head_field(const struct http_head *, enum field_id);

#endif
