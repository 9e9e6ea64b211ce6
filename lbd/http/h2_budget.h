/*
 * h2_budget.h - how much nonsense an HTTP/2 connection may bring with its requests.  Pure: counts.
 *
 * Everything that costs us more than it costs the peer is allowed in proportion to useful work and to time: a
 * browser that cancels, pings and prioritises all day stays far below, an attack that does nothing else does
 * not, and a stream that idles for months may be kept alive with pings.
 * RFC 9113 10.5; the cases are those of CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-28182 and
 * CVE-2025-8671.  nghttp2 1.52 has limits of its own for some, which lie behind these.
 */
#ifndef LBD_HTTP_H2_BUDGET_H
#define LBD_HTTP_H2_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a connection was ended with GOAWAY: the `reason` of lbpair_http2_connections_cut_total. */
enum h2_offence {
	H2_NO_OFFENCE,
	H2_RESETS, /* requests cancelled, or so broken that we had to, beyond answers given */
	H2_CONTROL_FRAMES, /* SETTINGS, PING, PRIORITY, WINDOW_UPDATE, unknown ones */
	H2_EMPTY_FRAMES, /* in a row, and not the last of a request */
	H2_OVERHEAD, /* bytes received that carry nothing */
	H2_TINY_WINDOWS, /* our answers go out in crumbs */
	H2_HEADER_BLOCK, /* far beyond the limits of a head: an HPACK bomb */
	H2_MEMORY,
	H2_PROTOCOL, /* RFC 9113 calls it a connection error */
	H2_OFFENCES
};

/* "resets", "control_frames", ... */
const char *h2_offence_name(enum h2_offence);

struct h2_budget {
	int64_t began;
	uint64_t seconds; /* since then */
	uint64_t bytes_in,
	    payload; /* of all received: header fields, DATA, and DATA that we sent */
	uint64_t requests, answers; /* answers: complete, and taken */
	uint64_t data_frames; /* of a useful size, or all that there was to send */
	uint64_t resets, control, tiny;
	uint32_t empty; /* in a row */
};

/* Each says whether that was one too many. */
enum h2_offence h2_budget_bytes(struct h2_budget *, size_t received, int64_t now);
enum h2_offence h2_budget_frame(struct h2_budget *, uint8_t type, uint8_t flags, size_t length);
enum h2_offence h2_budget_reset(struct h2_budget *); /* received, or sent for the peer's fault */
enum h2_offence h2_budget_sent(struct h2_budget *, size_t data, bool more);

#endif
