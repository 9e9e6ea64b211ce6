/*
 * hash.c - XXH64, written from its specification; bytes are read little-endian whatever the
 * machine.
 */
#include "lbd/balance/hash.h"

#include <endian.h>
#include <string.h>

static const uint64_t P1 = UINT64_C(0x9e3779b185ebca87), P2 = UINT64_C(0xc2b2ae3d27d4eb4f),
		      P3 = UINT64_C(0x165667b19e3779f9), P4 = UINT64_C(0x85ebca77c2b2ae63),
		      P5 = UINT64_C(0x27d4eb2f165667c5);

static uint64_t
read64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static uint64_t
read32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static uint64_t
lane(uint64_t sum, uint64_t input)
{
	return rotate(sum + input * P2, 31) * P1;
}

/* Whole stripes of 32 bytes, in four lanes. */
static uint64_t
stripes(const unsigned char *p, const unsigned char *end)
{
	uint64_t v[4] = { P1 + P2, P2, 0, -P1 }, h;
	unsigned i;

	for (; p < end; p += 32)
		for (i = 0; i < 4; i++)
			v[i] = lane(v[i], read64(p + i * 8));
	h = rotate(v[0], 1) + rotate(v[1], 7) + rotate(v[2], 12) + rotate(v[3], 18);
	for (i = 0; i < 4; i++)
		h = (h ^ lane(0, v[i])) * P1 + P4;
	return h;
}

uint64_t
balance_hash(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t whole = n & ~(size_t)31, left = n - whole;
	uint64_t h = whole ? stripes(p, p + whole) : P5;

	h += n;
	if (left)
		p += whole;
	for (; left >= 8; left -= 8, p += 8)
		h = rotate(h ^ lane(0, read64(p)), 27) * P1 + P4;
	if (left >= 4) {
		h = rotate(h ^ read32(p) * P1, 23) * P2 + P3;
		left -= 4, p += 4;
	}
	for (; left; left--, p++)
		h = rotate(h ^ *p * P5, 11) * P1;
	h = (h ^ h >> 33) * P2;
	h = (h ^ h >> 29) * P3;
	return h ^ h >> 32;
}
