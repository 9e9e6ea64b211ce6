/*
 * ktls.h - the key that a connection's records are sealed with, kept until the kernel may go on with it.  Pure.
 *
 * OpenSSL offers each key for sending to its BIO (engine.c), once, when it takes it into use, and goes on by itself
 * where the BIO declines.  Kept are that offer and how many records were sealed since: with both the kernel can begin
 * at any record.  A wrong number would use a nonce twice, so records are counted by their headers, in the very bytes
 * that leave; after anything that is not understood, the key is kept no more.
 */
#ifndef LBD_TLS_KTLS_H
#define LBD_TLS_KTLS_H

#include <linux/tls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kinds of keys that a kernel may take. */
enum { KTLS_AES_GCM = 1, KTLS_CHACHA20_POLY1305 = 2 };

/* As the kernel wants it (setsockopt TLS_TX), and as OpenSSL's record layer has it. */
union ktls_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 aes_128;
	struct tls12_crypto_info_aes_gcm_256 aes_256;
	struct tls12_crypto_info_chacha20_poly1305 chacha20;
};

struct ktls_key {
	union ktls_info info; /* as it was when the key came into use */
	size_t size; /* of info; 0: none is kept */
	uint64_t records; /* sealed since */
};

/* OpenSSL's offer.  Kept if it is of one of the kinds. */
void ktls_key_take(struct ktls_key *, const void *offer, unsigned kinds);

/* These n bytes were sealed with it: whole records.  No key: nothing. */
void ktls_key_count(struct ktls_key *, const char *p, size_t n);

/* What the kernel needs to seal the next record; its size, or 0: no key is kept. */
size_t ktls_key_next(const struct ktls_key *, union ktls_info *);

void ktls_key_forget(struct ktls_key *);

static inline bool
ktls_key_is_kept(const struct ktls_key *k)
{
	return k->size != 0;
}

#endif
