/* sticky.c - the words in order of index, and their indexes in a hash table with open addresses. */
#include "lbd/balance/sticky.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "common/check.h"

enum { NOBODY = 0xffff, MAC_SIZE = 32 };

struct sticky {
	EVP_MAC_CTX *mac; /* with the secret, for sticky_like */
	char (*words)[STICKY_WORD_SIZE];
	uint16_t *table;
	uint32_t mask; /* places in the table, at least twice as many as words, less one */
};

/* RFC 4648 section 5: four characters for three bytes. */
static void
base64url(const unsigned char *bytes, char word[STICKY_WORD_SIZE])
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (int i = 0; i < STICKY_WORD_SIZE; i += 4, bytes += 3) {
		unsigned three = (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];

		for (int k = 0; k < 4; k++)
			word[i + k] = digits[three >> (18 - 6 * k) & 63];
	}
}

/* All words with one key.  False: OpenSSL has no memory. */
static bool
words_make(struct sticky *s, const struct balance_server *servers, uint32_t n)
{
	static const char label[] = "lbpair cookie 1";
	unsigned char bytes[MAC_SIZE];
	size_t size;

	for (uint32_t i = 0; i < n; i++) {
		const struct str name = servers[i].name;

		if (EVP_MAC_init(s->mac, NULL, 0, NULL) != 1 ||
		    EVP_MAC_update(s->mac, (const unsigned char *)label, sizeof(label)) != 1 ||
		    EVP_MAC_update(s->mac, (const unsigned char *)name.p, name.n) != 1 ||
		    EVP_MAC_final(s->mac, bytes, &size, sizeof(bytes)) != 1)
			return false;
		base64url(bytes, s->words[i]);
	}
	return true;
}

/* NULL: out of memory. */
static EVP_MAC_CTX *
mac_new(struct str secret)
{
	const OSSL_PARAM with[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);

	if (mac && EVP_MAC_init(mac, (const unsigned char *)secret.p, secret.n, with) != 1) {
		EVP_MAC_CTX_free(mac);
		mac = NULL;
	}
	EVP_MAC_free(hmac);
	return mac;
}

/* Where to look for a word of STICKY_WORD_SIZE bytes first. */
static uint32_t
place_of(const struct sticky *s, const char *word)
{
	uint64_t first;

	memcpy(&first, word, sizeof(first));
	return (uint32_t)hash_mix(first) & s->mask;
}

static void
table_fill(struct sticky *s, uint32_t n)
{
	memset(s->table, 0xff, (s->mask + 1) * sizeof(*s->table));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t place = place_of(s, s->words[i]);

		while (s->table[place] != NOBODY)
			place = (place + 1) & s->mask;
		s->table[place] = (uint16_t)i;
	}
}

/* Takes the context over. */
static struct sticky *
sticky_make(EVP_MAC_CTX *mac, const struct balance_server *servers, uint32_t n)
{
	struct sticky *s = mac ? calloc(1, sizeof(*s)) : NULL;

	CHECK(n <= SERVER_SLOTS_MAX);
	if (!s) {
		EVP_MAC_CTX_free(mac);
		return NULL;
	}
	s->mac = mac;
	s->mask = 1;
	while (s->mask < 2 * n)
		s->mask = s->mask * 2 + 1;
	s->words = calloc(n + 1, sizeof(*s->words));
	s->table = calloc(s->mask + 1, sizeof(*s->table));
	if (!s->words || !s->table || !words_make(s, servers, n))
		sticky_free(&s);
	else
		table_fill(s, n);
	return s;
}

struct sticky *
sticky_new(struct str secret, const struct balance_server *servers, uint32_t n)
{
	return sticky_make(mac_new(secret), servers, n);
}

struct sticky *
sticky_like(const struct sticky *other, const struct balance_server *servers, uint32_t n)
{
	return sticky_make(EVP_MAC_CTX_dup(other->mac), servers, n);
}

void
sticky_free(struct sticky **sp)
{
	struct sticky *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	EVP_MAC_CTX_free(s->mac);
	free(s->words);
	free(s->table);
	free(s);
}

struct str
sticky_word(const struct sticky *s, uint32_t index)
{
	return (struct str){ s->words[index], STICKY_WORD_SIZE };
}

int
sticky_find(const struct sticky *s, struct str word)
{
	uint32_t place;

	if (word.n != STICKY_WORD_SIZE)
		return -1;
	for (place = place_of(s, word.p); s->table[place] != NOBODY; place = (place + 1) & s->mask)
		if (memcmp(s->words[s->table[place]], word.p, STICKY_WORD_SIZE) == 0)
			return s->table[place];
	return -1;
}
