/*
 * wire_bytes.h - big-endian fields to bytes and back, through a cursor; for the packets of this
 * daemon.  Nothing is bounded here: a packet has one size, which its reader checks first.
 */
#ifndef HAFAILOVER_PEER_WIRE_BYTES_H
#define HAFAILOVER_PEER_WIRE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline void
wire_put(uint8_t **p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*(*p)++ = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

static inline void
wire_put_bytes(uint8_t **p, const void *from, size_t n)
{
	memcpy(*p, from, n);
	*p += n;
}

static inline uint64_t
wire_get(const uint8_t **p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | *(*p)++;
	return v;
}

static inline void
wire_get_bytes(const uint8_t **p, void *to, size_t n)
{
	memcpy(to, *p, n);
	*p += n;
}

/* A name is followed by zeros to the end of its field. */
static inline bool
wire_is_name(const char *field, size_t size)
{
	size_t n = strnlen(field, size);

	for (size_t i = n; i < size; i++)
		if (field[i])
			return false;
	return n > 0;
}

#endif
