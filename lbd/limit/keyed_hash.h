/*
 * keyed_hash.h - SipHash-1-3: whoever does not know the secret cannot say which keys meet.
 *
 * For tables whose keys strangers choose, addresses among them.  Which server a client sticks to is another
 * matter (balance/hash.h): that hash must be the same on every machine.
 */
#ifndef LBD_LIMIT_KEYED_HASH_H
#define LBD_LIMIT_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_secret {
	uint64_t k[2];
};

uint64_t keyed_hash(const struct hash_secret *, const void *bytes, size_t n);

#endif
