/* keyed_hash.c - SipHash with one round a word and three at the end, from its paper. */
#include "lbd/limit/keyed_hash.h"

#include <endian.h>
#include <string.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void
mix(struct state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

static inline void
take(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s);
	s->v0 ^= word;
}

static inline uint64_t
read64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* What is left of the bytes, and how many there were. */
static uint64_t
last_word(const unsigned char *p, size_t left, size_t n)
{
	uint64_t word = (uint64_t)n << 56;

	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

uint64_t
keyed_hash(const struct hash_secret *secret, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t left = n;
	struct state s = {
		secret->k[0] ^ UINT64_C(0x736f6d6570736575),
		secret->k[1] ^ UINT64_C(0x646f72616e646f6d),
		secret->k[0] ^ UINT64_C(0x6c7967656e657261),
		secret->k[1] ^ UINT64_C(0x7465646279746573),
	};

	for (; left >= 8; left -= 8, p += 8)
		take(&s, read64(p));
	take(&s, last_word(p, left, n));
	s.v2 ^= 0xff;
	mix(&s);
	mix(&s);
	mix(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
