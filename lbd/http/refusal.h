/*
 * refusal.h - every reason for which a message is refused: its name in logs and metrics, its status.
 *
 * Parsers return a negated enum refusal.  One row a reason, in refusal.c.
 */
#ifndef LBD_HTTP_REFUSAL_H
#define LBD_HTTP_REFUSAL_H

enum refusal {
	REFUSE_NOTHING,
	REFUSE_REQUEST_LINE, /* 400 not "method SP target SP version CRLF" */
	REFUSE_METHOD_LENGTH, /* 501 */
	REFUSE_METHOD_DENIED, /* 405 TRACE, CONNECT */
	REFUSE_TARGET, /* 400 */
	REFUSE_TARGET_LENGTH, /* 414 */
	REFUSE_VERSION, /* 400 misspelt */
	REFUSE_VERSION_MAJOR, /* 505 */
	REFUSE_HOST, /* 400 missing, several, malformed, contradicts the target */
	REFUSE_FIELD_NAME, /* 400 */
	REFUSE_FIELD_VALUE, /* 400 control characters */
	REFUSE_FIELD_FOLD, /* 400 obsolete line folding */
	REFUSE_LINE_END, /* 400 bare LF or bare CR */
	REFUSE_HEAD_SIZE, /* 431 */
	REFUSE_FIELD_COUNT, /* 431 */
	REFUSE_CONTENT_LENGTH, /* 400 */
	REFUSE_TRANSFER_ENCODING, /* 400 */
	REFUSE_TRANSFER_CODING, /* 501 unknown coding */
	REFUSE_FRAMING, /* 400 both Content-Length and Transfer-Encoding */
	REFUSE_BODY_DENIED, /* 413 a body with GET or HEAD in HTTP/1.0 */
	REFUSE_EXPECT, /* 417 */
	REFUSE_CHUNK, /* 400 chunk size or extension */
	REFUSE_TRAILER, /* 400 */
	REFUSE_BODY_SIZE, /* 413 */
	REFUSE_PSEUDO_HEADER, /* 400 HTTP/2: missing, repeated, unknown, or behind a field */
	REFUSE_CONNECTION_FIELD, /* 400 HTTP/2: a field that means a connection of HTTP/1 */
	REFUSE_MALFORMED, /* 400 HTTP/2: any other reason of RFC 9113 8.1.1 */
	REFUSE_PROTOCOL, /* 501 HTTP/2: a tunnel for anything but WebSocket */
	REFUSE_MISDIRECTED, /* 421 a host that the connection's certificate does not name */
	REFUSE_STATUS_LINE, /* 502, responses only */
	REFUSE_UPGRADE, /* 502 a 101 nobody asked for */
	REFUSE_COUNT
};

/* "request_line", ...: stable, for logs, metrics and tests. */
const char *refusal_name(enum refusal);

/* The status a client gets when a request is refused so.  (For a response it is always 502.) */
unsigned refusal_status(enum refusal);

#endif
