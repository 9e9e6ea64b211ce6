/* ktls.c - counts records, and moves sequence number and nonce by as many. */
#include "lbd/tls/ktls.h"

#include <openssl/crypto.h>
#include <string.h>

enum { RECORD_HEADER = 5, COUNTER_SIZE = 8 };

/* 0: not of these kinds. */
static size_t
size_of(const struct tls_crypto_info *i, unsigned kinds)
{
	bool aes = kinds & KTLS_AES_GCM, chacha20 = kinds & KTLS_CHACHA20_POLY1305;

	if (i->version != TLS_1_2_VERSION && i->version != TLS_1_3_VERSION)
		return 0;
	switch (i->cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
		return aes ? sizeof(struct tls12_crypto_info_aes_gcm_128) : 0;
	case TLS_CIPHER_AES_GCM_256:
		return aes ? sizeof(struct tls12_crypto_info_aes_gcm_256) : 0;
	case TLS_CIPHER_CHACHA20_POLY1305:
		return chacha20 ? sizeof(struct tls12_crypto_info_chacha20_poly1305) : 0;
	}
	return 0;
}

void
ktls_key_take(struct ktls_key *k, const void *offer, unsigned kinds)
{
	struct tls_crypto_info head;

	ktls_key_forget(k);
	memcpy(&head, offer, sizeof(head));
	k->size = size_of(&head, kinds);
	memcpy(&k->info, offer, k->size);
}

void
ktls_key_count(struct ktls_key *k, const char *p, size_t n)
{
	const unsigned char *at = (const unsigned char *)p;
	size_t size;

	if (!k->size)
		return;
	for (; n; at += size, n -= size) {
		size = n < RECORD_HEADER ? n + 1 : RECORD_HEADER + ((size_t)at[3] << 8 | at[4]);
		if (size > n) {
			ktls_key_forget(k);
			return;
		}
		k->records++;
	}
}

/* Big-endian, as it stands on the wire. */
static void
counter_advance(unsigned char at[COUNTER_SIZE], uint64_t by)
{
	for (int i = COUNTER_SIZE - 1; i >= 0 && by; i--) {
		by += at[i];
		at[i] = (unsigned char)by;
		by >>= 8;
	}
}

/* With AES-GCM, TLS 1.2 counts the explicit part of the nonce up beside the sequence number (RFC 5288 3). */
size_t
ktls_key_next(const struct ktls_key *k, union ktls_info *next)
{
	bool explicit = k->info.info.version == TLS_1_2_VERSION;

	if (!k->size)
		return 0;
	*next = k->info;
	switch (k->info.info.cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
		counter_advance(next->aes_128.rec_seq, k->records);
		counter_advance(next->aes_128.iv, explicit ? k->records : 0);
		break;
	case TLS_CIPHER_AES_GCM_256:
		counter_advance(next->aes_256.rec_seq, k->records);
		counter_advance(next->aes_256.iv, explicit ? k->records : 0);
		break;
	case TLS_CIPHER_CHACHA20_POLY1305:
		counter_advance(next->chacha20.rec_seq, k->records);
		break;
	}
	return k->size;
}

void
ktls_key_forget(struct ktls_key *k)
{
	OPENSSL_cleanse(k, sizeof(*k));
}
