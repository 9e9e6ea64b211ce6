/* ticket.c - HMAC-SHA256 of the policy, the period and a counter, with the secret as key. */
#include "lbd/tls/ticket.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>

enum { PART_NAME, PART_CIPHER, PART_MAC };

static bool
derive(const struct tls_ticket_keys *k, int64_t period, unsigned char part, unsigned char out[32])
{
	static const char label[] = "lbpair ticket 1";
	unsigned char text[sizeof(label) + TLS_POLICY_SIZE + 8 + 1], *p = text;
	size_t n;

	memcpy(p, label, sizeof(label));
	p += sizeof(label);
	memcpy(p, k->policy, TLS_POLICY_SIZE);
	p += TLS_POLICY_SIZE;
	for (int shift = 56; shift >= 0; shift -= 8)
		*p++ = (unsigned char)((uint64_t)period >> shift);
	*p = part;
	return EVP_Q_mac(k->lib, "HMAC", NULL, "SHA256", NULL, k->secret.p, k->secret.n, text,
		   sizeof(text), out, 32, &n) != NULL;
}

static bool
key_make(const struct tls_ticket_keys *k, int64_t period, struct tls_ticket_key *key)
{
	unsigned char name[32];

	if (!derive(k, period, PART_NAME, name) || !derive(k, period, PART_CIPHER, key->cipher) ||
	    !derive(k, period, PART_MAC, key->mac))
		return false;
	memcpy(key->name, name, sizeof(key->name));
	key->period = period;
	return true;
}

/* False: OpenSSL cannot; all is as before. */
static bool
keys_follow(struct tls_ticket_keys *k, int64_t now_s)
{
	int64_t period = now_s / TLS_TICKET_PERIOD_S;
	struct tls_ticket_key fresh[3];

	if (k->keys[1].period == period)
		return true;
	for (int i = 0; i < 3; i++)
		if (!key_make(k, period + i - 1, &fresh[i]))
			return false;
	memcpy(k->keys, fresh, sizeof(fresh));
	OPENSSL_cleanse(fresh, sizeof(fresh));
	return true;
}

int
tls_ticket_keys_init(struct tls_ticket_keys *k, OSSL_LIB_CTX *lib, struct str secret,
    const unsigned char policy[TLS_POLICY_SIZE])
{
	*k = (struct tls_ticket_keys){ .lib = lib };
	k->secret = (struct str){ OPENSSL_memdup(secret.p, secret.n), secret.n };
	if (!k->secret.p)
		return -ENOMEM;
	k->keys[1].period = -1; /* not made yet */
	memcpy(k->policy, policy, TLS_POLICY_SIZE);
	k->cipher = EVP_CIPHER_fetch(lib, "AES-256-CBC", NULL);
	return k->cipher ? 0 : -ENOMEM;
}

void
tls_ticket_keys_fini(struct tls_ticket_keys *k)
{
	EVP_CIPHER_free(k->cipher);
	OPENSSL_clear_free((void *)(uintptr_t)k->secret.p, k->secret.n);
	OPENSSL_cleanse(k, sizeof(*k));
}

const struct tls_ticket_key *
tls_ticket_key_now(struct tls_ticket_keys *k, int64_t now_s)
{
	return keys_follow(k, now_s) ? &k->keys[1] : NULL;
}

const struct tls_ticket_key *
tls_ticket_key_named(struct tls_ticket_keys *k, const unsigned char name[16], int64_t now_s)
{
	if (!keys_follow(k, now_s))
		return NULL;
	for (int i = 0; i < 3; i++)
		if (memcmp(k->keys[i].name, name, 16) == 0)
			return &k->keys[i];
	return NULL;
}

bool
tls_ticket_key_use(const struct tls_ticket_keys *k, const struct tls_ticket_key *key,
    const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool seal)
{
	OSSL_PARAM with[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex2(cipher, k->cipher, key->cipher, iv, seal, NULL) == 1 &&
	    EVP_MAC_init(mac, key->mac, sizeof(key->mac), with) == 1;
}
