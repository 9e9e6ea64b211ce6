/* refusal.c - the names of refusals and the status codes that go with them. */
#include "lbd/http/refusal.h"

static const struct {
	const char *name;
	unsigned status;
} rows[REFUSE_COUNT] = {
	[REFUSE_NOTHING] = { "nothing", 0 },
	[REFUSE_REQUEST_LINE] = { "request_line", 400 },
	[REFUSE_METHOD_LENGTH] = { "method_length", 501 },
	[REFUSE_METHOD_DENIED] = { "method_denied", 405 },
	[REFUSE_TARGET] = { "target", 400 },
	[REFUSE_TARGET_LENGTH] = { "target_length", 414 },
	[REFUSE_VERSION] = { "version", 400 },
	[REFUSE_VERSION_MAJOR] = { "version_major", 505 },
	[REFUSE_HOST] = { "host", 400 },
	[REFUSE_FIELD_NAME] = { "field_name", 400 },
	[REFUSE_FIELD_VALUE] = { "field_value", 400 },
	[REFUSE_FIELD_FOLD] = { "field_fold", 400 },
	[REFUSE_LINE_END] = { "line_end", 400 },
	[REFUSE_HEAD_SIZE] = { "head_size", 431 },
	[REFUSE_FIELD_COUNT] = { "field_count", 431 },
	[REFUSE_CONTENT_LENGTH] = { "content_length", 400 },
	[REFUSE_TRANSFER_ENCODING] = { "transfer_encoding", 400 },
	[REFUSE_TRANSFER_CODING] = { "transfer_coding", 501 },
	[REFUSE_FRAMING] = { "framing", 400 },
	[REFUSE_BODY_DENIED] = { "body_denied", 413 },
	[REFUSE_EXPECT] = { "expect", 417 },
	[REFUSE_CHUNK] = { "chunk", 400 },
	[REFUSE_TRAILER] = { "trailer", 400 },
	[REFUSE_BODY_SIZE] = { "body_size", 413 },
	[REFUSE_PSEUDO_HEADER] = { "pseudo_header", 400 },
	[REFUSE_CONNECTION_FIELD] = { "connection_field", 400 },
	[REFUSE_MALFORMED] = { "malformed", 400 },
	[REFUSE_PROTOCOL] = { "protocol", 501 },
	[REFUSE_MISDIRECTED] = { "misdirected", 421 },
	[REFUSE_STATUS_LINE] = { "status_line", 502 },
	[REFUSE_UPGRADE] = { "upgrade", 502 },
};

const char *
refusal_name(enum refusal r)
{
	return rows[r].name;
}

unsigned
refusal_status(enum refusal r)
{
	return rows[r].status;
}
