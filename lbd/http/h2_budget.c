/* h2_budget.c - the allowances. */
#include "lbd/http/h2_budget.h"

#include <nghttp2/nghttp2.h>

#include "common/clock.h"

enum {
	RESETS_MAX = 100, /* and one for each answer, and each second */
	CONTROL_MAX = 1000,
	CONTROL_PER_SECOND = 4,
	CONTROL_PER_REQUEST = 8,
	CONTROL_PER_DATA =
	    4, /* some clients send two WINDOW_UPDATE for each DATA, and gRPC a PING */
	EMPTY_MAX = 32,
	OVERHEAD_FREE = 1 << 20,
	OVERHEAD_SHARE = 8, /* of nine bytes, one must mean something */
	TINY = 64,
	TINY_MAX = 1000
};

const char *
h2_offence_name(enum h2_offence offence)
{
	static const char *const names[H2_OFFENCES] = {
		[H2_NO_OFFENCE] = "none",
		[H2_RESETS] = "resets",
		[H2_CONTROL_FRAMES] = "control_frames",
		[H2_EMPTY_FRAMES] = "empty_frames",
		[H2_OVERHEAD] = "overhead",
		[H2_TINY_WINDOWS] = "tiny_windows",
		[H2_HEADER_BLOCK] = "header_block",
		[H2_MEMORY] = "memory",
		[H2_PROTOCOL] = "protocol",
	};

	return names[offence];
}

enum h2_offence
h2_budget_bytes(struct h2_budget *b, size_t received, int64_t now)
{
	if (!b->began)
		b->began = now;
	b->seconds = (uint64_t)(now - b->began) / NS_PER_S;
	b->bytes_in += received;
	return b->bytes_in / OVERHEAD_SHARE > b->payload + OVERHEAD_FREE ? H2_OVERHEAD
									 : H2_NO_OFFENCE;
}

enum h2_offence
h2_budget_reset(struct h2_budget *b)
{
	return ++b->resets > RESETS_MAX + b->answers + b->seconds ? H2_RESETS : H2_NO_OFFENCE;
}

static enum h2_offence
control_received(struct h2_budget *b)
{
	uint64_t most = CONTROL_MAX + CONTROL_PER_SECOND * b->seconds +
	    CONTROL_PER_REQUEST * b->requests + CONTROL_PER_DATA * b->data_frames;

	return ++b->control > most ? H2_CONTROL_FRAMES : H2_NO_OFFENCE;
}

/* Padding is no payload; behind it, how much was is counted by h2_budget_bytes alone. */
static enum h2_offence
data_received(struct h2_budget *b, uint8_t flags, size_t length)
{
	if (length == 0 && flags & NGHTTP2_FLAG_END_STREAM)
		return H2_NO_OFFENCE;
	if (length == 0)
		return ++b->empty > EMPTY_MAX ? H2_EMPTY_FRAMES : H2_NO_OFFENCE;
	b->empty = 0;
	if (flags & NGHTTP2_FLAG_PADDED)
		return H2_NO_OFFENCE;
	b->payload += length;
	b->data_frames += length >= TINY;
	return H2_NO_OFFENCE;
}

enum h2_offence
h2_budget_frame(struct h2_budget *b, uint8_t type, uint8_t flags, size_t length)
{
	switch (type) {
	case NGHTTP2_DATA:
		return data_received(b, flags, length);
	case NGHTTP2_HEADERS:
		b->requests++;
		b->empty = 0;
		return H2_NO_OFFENCE;
	case NGHTTP2_CONTINUATION:
		return length == 0 && ++b->empty > EMPTY_MAX ? H2_EMPTY_FRAMES : H2_NO_OFFENCE;
	case NGHTTP2_RST_STREAM:
		return h2_budget_reset(b);
	}
	return control_received(b);
}

enum h2_offence
h2_budget_sent(struct h2_budget *b, size_t data, bool more)
{
	b->payload += data;
	if (data >= TINY || !more) {
		b->data_frames += data > 0;
		return H2_NO_OFFENCE;
	}
	return ++b->tiny > TINY_MAX + b->data_frames / 2 ? H2_TINY_WINDOWS : H2_NO_OFFENCE;
}
