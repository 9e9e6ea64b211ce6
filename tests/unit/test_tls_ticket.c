/* test_tls_ticket.c - the same secret gives the same keys; another time, policy or secret others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd/tls/ticket.h"

static const struct str secret = { "0123456789abcdef0123456789abcdef", 32 };
static const unsigned char open_policy[TLS_POLICY_SIZE] = { 1 }, strict[TLS_POLICY_SIZE] = { 2 };
static const int64_t now = INT64_C(1800000000);

static void
make(struct tls_ticket_keys *k, struct str with, const unsigned char *policy)
{
	assert_int_equal(tls_ticket_keys_init(k, NULL, with, policy), 0);
}

static void
test_two_nodes_agree(void **state)
{
	struct tls_ticket_keys a, b;
	unsigned char name[16];

	(void)state;
	make(&a, secret, open_policy);
	make(&b, secret, open_policy);
	memcpy(name, tls_ticket_key_now(&a, now)->name, 16);
	/* b's clock is an hour and a period off, either way */
	for (int64_t off = -1; off <= 1; off++) {
		const struct tls_ticket_key *k =
		    tls_ticket_key_named(&b, name, now + off * TLS_TICKET_PERIOD_S);

		assert_non_null(k);
		assert_memory_equal(k->cipher, tls_ticket_key_now(&a, now)->cipher, 32);
		assert_memory_equal(k->mac, tls_ticket_key_now(&a, now)->mac, 32);
	}
	tls_ticket_keys_fini(&a);
	tls_ticket_keys_fini(&b);
}

static void
test_time_changes_keys(void **state)
{
	struct tls_ticket_keys k;
	struct tls_ticket_key first;

	(void)state;
	make(&k, secret, open_policy);
	first = *tls_ticket_key_now(&k, now);
	assert_memory_equal(tls_ticket_key_now(&k, now + 1)->name, first.name, 16);
	assert_memory_not_equal(
	    tls_ticket_key_now(&k, now + TLS_TICKET_PERIOD_S)->name, first.name, 16);
	/* a ticket is good for one whole period after the one in which it was sealed */
	assert_non_null(tls_ticket_key_named(&k, first.name, now + TLS_TICKET_PERIOD_S));
	assert_null(tls_ticket_key_named(&k, first.name, now + 2 * TLS_TICKET_PERIOD_S));
	assert_null(tls_ticket_key_named(&k, first.name, now - 2 * TLS_TICKET_PERIOD_S));
	/* and when time comes back, so do the keys */
	assert_memory_equal(tls_ticket_key_now(&k, now)->cipher, first.cipher, 32);
	tls_ticket_keys_fini(&k);
}

/* A machine without a clock starts in 1970. */
static void
test_the_first_period_of_all(void **state)
{
	static const unsigned char zero[32];
	struct tls_ticket_keys k;

	(void)state;
	make(&k, secret, open_policy);
	assert_memory_not_equal(tls_ticket_key_now(&k, 0)->cipher, zero, 32);
	tls_ticket_keys_fini(&k);
}

static void
test_policies_and_secrets_are_apart(void **state)
{
	struct tls_ticket_keys a, b, c;

	(void)state;
	make(&a, secret, open_policy);
	make(&b, secret, strict);
	make(&c, STR("0123456789abcdef0123456789abcdeF"), open_policy);
	assert_null(tls_ticket_key_named(&b, tls_ticket_key_now(&a, now)->name, now));
	assert_null(tls_ticket_key_named(&c, tls_ticket_key_now(&a, now)->name, now));
	assert_memory_not_equal(
	    tls_ticket_key_now(&a, now)->cipher, tls_ticket_key_now(&b, now)->cipher, 32);
	assert_memory_not_equal(
	    tls_ticket_key_now(&a, now)->cipher, tls_ticket_key_now(&a, now)->mac, 32);
	tls_ticket_keys_fini(&a);
	tls_ticket_keys_fini(&b);
	tls_ticket_keys_fini(&c);
}

/* What one node sealed another opens, with nothing in between but the key's name. */
static void
test_sealed_here_opened_there(void **state)
{
	struct tls_ticket_keys a, b;
	const struct tls_ticket_key *key;
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
	static const unsigned char iv[16] = { 7 };
	unsigned char sealed[64], plain[64];
	int n, more;

	(void)state;
	make(&a, secret, strict);
	make(&b, secret, strict);
	key = tls_ticket_key_now(&a, now);
	assert_true(tls_ticket_key_use(&a, key, iv, cipher, mac, true));
	assert_int_equal(
	    EVP_CipherUpdate(cipher, sealed, &n, (const unsigned char *)"session", 7), 1);
	assert_int_equal(EVP_CipherFinal_ex(cipher, sealed + n, &more), 1);
	n += more;
	key = tls_ticket_key_named(&b, key->name, now + TLS_TICKET_PERIOD_S);
	assert_true(tls_ticket_key_use(&b, key, iv, cipher, mac, false));
	assert_int_equal(EVP_CipherUpdate(cipher, plain, &more, sealed, n), 1);
	n = more;
	assert_int_equal(EVP_CipherFinal_ex(cipher, plain + n, &more), 1);
	assert_int_equal(n + more, 7);
	assert_memory_equal(plain, "session", 7);
	EVP_CIPHER_CTX_free(cipher);
	EVP_MAC_CTX_free(mac);
	EVP_MAC_free(hmac);
	tls_ticket_keys_fini(&a);
	tls_ticket_keys_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_nodes_agree),
		cmocka_unit_test(test_time_changes_keys),
		cmocka_unit_test(test_the_first_period_of_all),
		cmocka_unit_test(test_policies_and_secrets_are_apart),
		cmocka_unit_test(test_sealed_here_opened_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
