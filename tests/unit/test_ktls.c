/*
 * test_ktls.c - keys for the kernel: what OpenSSL offers is right at any record.
 *
 * The test is the kernel: it seals a record with the key that is kept, and OpenSSL as the client must read it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "lbd/tls/tls.h"

enum { RECORD_MAX = 512, ALL = KTLS_AES_GCM | KTLS_CHACHA20_POLY1305 };

/* --- counting --- */

static struct ktls_key
key_of(uint16_t version, uint16_t cipher)
{
	union ktls_info offer;
	struct ktls_key k = { 0 };

	memset(&offer, 0xff, sizeof(offer));
	offer.info.version = version;
	offer.info.cipher_type = cipher;
	ktls_key_take(&k, &offer, ALL);
	return k;
}

static void
test_offers(void **state)
{
	static const struct {
		uint16_t version, cipher;
		size_t size;
	} rows[] = {
		{ TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128,
		    sizeof(struct tls12_crypto_info_aes_gcm_128) },
		{ TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_256,
		    sizeof(struct tls12_crypto_info_aes_gcm_256) },
		{ TLS_1_3_VERSION, TLS_CIPHER_CHACHA20_POLY1305,
		    sizeof(struct tls12_crypto_info_chacha20_poly1305) },
		{ TLS_1_3_VERSION, TLS_CIPHER_AES_CCM_128, 0 },
		{ 0x0302, TLS_CIPHER_AES_GCM_128, 0 },
	};
	union ktls_info next;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktls_key k = key_of(rows[i].version, rows[i].cipher);

		assert_int_equal(ktls_key_next(&k, &next), rows[i].size);
		assert_int_equal(ktls_key_is_kept(&k), rows[i].size != 0);
		ktls_key_forget(&k);
		assert_int_equal(ktls_key_next(&k, &next), 0);
	}
}

/* Of a kind that the kernel does not take. */
static void
test_kinds(void **state)
{
	static const struct tls_crypto_info aes = { TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_128 },
					    chacha20 = { TLS_1_3_VERSION,
						    TLS_CIPHER_CHACHA20_POLY1305 };
	union ktls_info offer = { .info = aes };
	struct ktls_key k = { 0 };

	(void)state;
	ktls_key_take(&k, &offer, KTLS_CHACHA20_POLY1305);
	assert_false(ktls_key_is_kept(&k));
	ktls_key_take(&k, &offer, KTLS_AES_GCM);
	assert_true(ktls_key_is_kept(&k));
	offer.info = chacha20;
	ktls_key_take(&k, &offer, KTLS_AES_GCM); /* the one before is not in use any more */
	assert_false(ktls_key_is_kept(&k));
}

static void
test_counting(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int64_t records; /* -1: the key is kept no more */
	} rows[] = {
		{ "", 0, 0 },
		{ "\x17\x03\x03\0\0", 5, 1 },
		{ "\x17\x03\x03\0\1x", 6, 1 },
		{ "\x17\x03\x03\0\1x\x15\x03\x03\0\2xy", 13, 2 },
		{ "\x17\x03\x03\0\1", 5, -1 }, /* a record that is not whole */
		{ "\x17\x03\x03\0\1x\x17\x03", 8, -1 },
		{ "\x17\x03\x03\1\0x", 6, -1 },
	};
	union ktls_info next;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktls_key k = key_of(TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128);

		ktls_key_count(&k, rows[i].bytes, rows[i].n);
		assert_int_equal(ktls_key_is_kept(&k), rows[i].records >= 0);
		if (rows[i].records >= 0)
			assert_int_equal(k.records, rows[i].records);
		assert_int_equal(ktls_key_next(&k, &next) == 0, rows[i].records < 0);
	}
}

/* All bytes are 0xff at first: one more is all zeros, 258 more is 1, 1. */
static void
test_carry(void **state)
{
	static const unsigned char zeros[8] = { 0 }, more[8] = { [6] = 1, [7] = 1 },
				   before[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };
	struct ktls_key k = key_of(TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_256);
	union ktls_info next;

	(void)state;
	k.records = 1;
	ktls_key_next(&k, &next);
	assert_memory_equal(next.aes_256.rec_seq, zeros, 8);
	assert_memory_equal(next.aes_256.iv, zeros, 8);
	assert_memory_equal(next.aes_256.salt, before, 4);
	k.records = 258;
	ktls_key_next(&k, &next);
	assert_memory_equal(next.aes_256.rec_seq, more, 8);
	k = key_of(TLS_1_3_VERSION, TLS_CIPHER_AES_GCM_256);
	k.records = 258;
	ktls_key_next(&k, &next);
	assert_memory_equal(next.aes_256.rec_seq, more, 8);
	assert_memory_equal(next.aes_256.iv, before, 8); /* it is fixed */
}

/* --- beside OpenSSL --- */

struct pair {
	struct tls_engine *engine;
	struct tls_set set;
	struct tls_context context;
	struct tls *server;
	SSL_CTX *client_ctx;
	SSL *client;
};

static void
certificate_make(SSL_CTX *ctx)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	assert_non_null(key);
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* What the server has to say goes to the client. */
static void
server_says(struct pair *p)
{
	struct tls_engine *e = p->engine;

	if (e->out_n)
		assert_int_equal(
		    BIO_write(SSL_get_rbio(p->client), e->out, (int)e->out_n), e->out_n);
	e->out_n = 0;
}

static void
client_says(struct pair *p, char *room, size_t size)
{
	int n = BIO_read(SSL_get_wbio(p->client), room, (int)size);

	p->engine->in = (struct str){ room, n > 0 ? (size_t)n : 0 };
}

static void
pair_open(struct pair *p, int version, const char *ciphers, bool offers)
{
	char room[8192];
	enum tls_failure why;
	struct err err;
	bool done = false;

	memset(p, 0, sizeof(*p));
	p->engine = tls_engine_new(&err);
	assert_non_null(p->engine);
	p->engine->ktls = ALL;
	p->set.ctx = SSL_CTX_new_ex(p->engine->lib, NULL, TLS_server_method());
	p->client_ctx = SSL_CTX_new(TLS_client_method());
	if (offers)
		SSL_CTX_set_options(p->set.ctx, SSL_OP_ENABLE_KTLS);
	certificate_make(p->set.ctx);
	p->context = (struct tls_context){ .references = 1, .engine = p->engine, .sets = &p->set };
	SSL_CTX_set_max_proto_version(p->client_ctx, version);
	if (version == TLS1_3_VERSION)
		assert_int_equal(SSL_CTX_set_ciphersuites(p->client_ctx, ciphers), 1);
	else
		assert_int_equal(SSL_CTX_set_cipher_list(p->client_ctx, ciphers), 1);
	p->client = SSL_new(p->client_ctx);
	SSL_set_bio(p->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(p->client);
	p->server = tls_accept(&p->context);
	for (int turn = 0; turn < 4 && !done; turn++) {
		SSL_do_handshake(p->client);
		client_says(p, room, sizeof(room));
		done = tls_handshake(p->server, &why) == 0;
		server_says(p);
	}
	assert_true(done);
	assert_int_equal(SSL_do_handshake(p->client), 1);
}

static void
pair_close(struct pair *p)
{
	tls_free(&p->server);
	SSL_free(p->client);
	SSL_CTX_free(p->client_ctx);
	SSL_CTX_free(p->set.ctx);
	tls_engine_free(&p->engine);
}

static void
server_sends(struct pair *p, const char *text)
{
	assert_int_equal(tls_write(p->server, text, strlen(text)), 0);
	server_says(p);
}

static void
client_has(struct pair *p, const char *text)
{
	char room[64];
	int n = SSL_read(p->client, room, sizeof(room));

	assert_int_equal(n, strlen(text));
	assert_memory_equal(room, text, strlen(text));
}

/* What the kernel makes of the key. */
struct sealer {
	const EVP_CIPHER *cipher;
	const unsigned char *key, *seq;
	unsigned char nonce[12];
	bool explicit;
};

static void
sealer_of(struct sealer *s, const union ktls_info *i)
{
	bool old = i->info.version == TLS_1_2_VERSION;

	s->explicit = old && i->info.cipher_type != TLS_CIPHER_CHACHA20_POLY1305;
	if (i->info.cipher_type == TLS_CIPHER_AES_GCM_128) {
		s->cipher = EVP_aes_128_gcm();
		s->key = i->aes_128.key;
		s->seq = i->aes_128.rec_seq;
		memcpy(s->nonce, i->aes_128.salt, 4);
		memcpy(s->nonce + 4, i->aes_128.iv, 8);
	} else if (i->info.cipher_type == TLS_CIPHER_AES_GCM_256) {
		s->cipher = EVP_aes_256_gcm();
		s->key = i->aes_256.key;
		s->seq = i->aes_256.rec_seq;
		memcpy(s->nonce, i->aes_256.salt, 4);
		memcpy(s->nonce + 4, i->aes_256.iv, 8);
	} else {
		s->cipher = EVP_chacha20_poly1305();
		s->key = i->chacha20.key;
		s->seq = i->chacha20.rec_seq;
		memcpy(s->nonce, i->chacha20.iv, 12);
	}
	for (int k = 0; !s->explicit && k < 8; k++)
		s->nonce[4 + k] ^= s->seq[k];
}

/* One record of application data (RFC 8446 5.2; RFC 5246 6.2.3.3), to the client. */
static void
kernel_sends(struct pair *p, const union ktls_info *i, const char *text)
{
	bool old = i->info.version == TLS_1_2_VERSION;
	unsigned char record[RECORD_MAX] = { 0x17, 3, 3 }, plain[RECORD_MAX], aad[13], *at;
	size_t n = strlen(text), aad_n = old ? 13 : 5;
	struct sealer s;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int put, last;

	sealer_of(&s, i);
	memcpy(plain, text, n);
	if (old) {
		memcpy(aad, s.seq, 8);
		memcpy(aad + 8, "\x17\x03\x03\0", 4);
		aad[12] = (unsigned char)n;
	} else {
		plain[n++] = 0x17;
	}
	record[4] = (unsigned char)(n + 16 + (s.explicit ? 8 : 0));
	if (!old)
		memcpy(aad, record, 5);
	at = record + 5;
	if (s.explicit) {
		memcpy(at, s.nonce + 4, 8);
		at += 8;
	}
	assert_int_equal(EVP_EncryptInit_ex(c, s.cipher, NULL, s.key, s.nonce), 1);
	assert_int_equal(EVP_EncryptUpdate(c, NULL, &put, aad, (int)aad_n), 1);
	assert_int_equal(EVP_EncryptUpdate(c, at, &put, plain, (int)n), 1);
	assert_int_equal(EVP_EncryptFinal_ex(c, at + put, &last), 1);
	at += put;
	assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, at), 1);
	EVP_CIPHER_CTX_free(c);
	put = (int)(at + 16 - record);
	assert_int_equal(BIO_write(SSL_get_rbio(p->client), record, put), put);
}

static const struct {
	int version;
	const char *cipher;
} protocols[] = {
	{ TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256" },
	{ TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384" },
	{ TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256" },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256" },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384" },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305" },
};

/* The kernel goes on behind the handshake, its tickets, and as many records. */
static void
test_handover(void **state)
{
	static const int counts[] = { 0, 1, 3, 300 };
	union ktls_info next;
	struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
			pair_open(&p, protocols[i].version, protocols[i].cipher, true);
			for (int n = 0; n < counts[k]; n++) {
				server_sends(&p, "by OpenSSL");
				client_has(&p, "by OpenSSL");
			}
			assert_true(ktls_key_next(&p.server->key, &next) > 0);
			tls_offloaded(p.server);
			assert_false(ktls_key_is_kept(&p.server->key));
			kernel_sends(&p, &next, "by the kernel");
			client_has(&p, "by the kernel");
			pair_close(&p);
		}
	}
}

static void
test_large_writes(void **state)
{
	static char large[TLS_WRITE_MAX], room[TLS_WRITE_MAX];
	union ktls_info next;
	struct pair p;
	int got;

	(void)state;
	pair_open(&p, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", true);
	assert_int_equal(tls_write(p.server, large, sizeof(large)), 0); /* four records */
	server_says(&p);
	for (size_t n = 0; n < sizeof(large); n += (size_t)got) {
		got = SSL_read(p.client, room, sizeof(room));
		assert_true(got > 0);
	}
	ktls_key_next(&p.server->key, &next);
	kernel_sends(&p, &next, "next");
	client_has(&p, "next");
	pair_close(&p);
}

/* Not asked for, no offer; and with CBC there is none. */
static void
test_no_offer(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", false);
	assert_false(ktls_key_is_kept(&p.server->key));
	pair_close(&p);
	pair_open(&p, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", true);
	assert_false(ktls_key_is_kept(&p.server->key));
	server_sends(&p, "x");
	client_has(&p, "x");
	pair_close(&p);
}

/* The client asks for another key, or has another. */
static void
client_updates(struct pair *p, int kind, char *room, size_t size)
{
	assert_int_equal(SSL_key_update(p->client, kind), 1);
	assert_int_equal(SSL_write(p->client, "data", 4), 4);
	client_says(p, room, size);
}

/* OpenSSL answers it; the key that was kept is not the one in use any more. */
static void
test_update_before(void **state)
{
	char room[1024], text[16];
	struct pair p;

	(void)state;
	pair_open(&p, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", true);
	client_updates(&p, SSL_KEY_UPDATE_REQUESTED, room, sizeof(room));
	assert_int_equal(tls_read(p.server, text, sizeof(text)), 4);
	assert_false(ktls_key_is_kept(&p.server->key));
	server_says(&p);
	server_sends(&p, "with the next");
	client_has(&p, "with the next");
	pair_close(&p);
}

/* The kernel keeps its key: a client that wants another gets an alert, one that changes its own does not. */
static void
test_update_after(void **state)
{
	static const struct {
		int kind;
		bool fails;
	} rows[] = { { SSL_KEY_UPDATE_NOT_REQUESTED, false }, { SSL_KEY_UPDATE_REQUESTED, true } };
	char room[1024], text[16];
	struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pair_open(&p, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", true);
		tls_offloaded(p.server);
		client_updates(&p, rows[i].kind, room, sizeof(room));
		assert_int_equal(tls_read(p.server, text, sizeof(text)), 4);
		assert_int_equal(p.engine->out_n, 0); /* nothing with OpenSSL's key */
		assert_int_equal(p.server->alert, rows[i].fails ? 0x0250 : 0);
		assert_int_equal(
		    tls_read(p.server, text, sizeof(text)), rows[i].fails ? -EPROTO : -EAGAIN);
		pair_close(&p);
	}
}

static void
test_alert_after(void **state)
{
	char bad[] = "\x17\x03\x03\0\x20 this is not sealed with its key", text[16];
	struct pair p;

	(void)state;
	pair_open(&p, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", true);
	tls_offloaded(p.server);
	p.engine->in = (struct str){ bad, 5 + 0x20 };
	assert_int_equal(tls_read(p.server, text, sizeof(text)), -EPROTO);
	assert_int_equal(p.engine->out_n, 0);
	assert_int_equal(p.server->alert, SSL3_AL_FATAL << 8 | SSL_AD_BAD_RECORD_MAC);
	pair_close(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_counting),
		cmocka_unit_test(test_carry),
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_large_writes),
		cmocka_unit_test(test_no_offer),
		cmocka_unit_test(test_update_before),
		cmocka_unit_test(test_update_after),
		cmocka_unit_test(test_alert_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
