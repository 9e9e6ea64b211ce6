/*
 * test_sticky.c - the words of cookies.
 *
 * The pinned ones are an interface: a change that moves them moves every client of every installation at its
 * next upgrade, and parts the nodes of a pair while one has it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lbd/balance/sticky.h"
#include "lbd/http/scan.h"

enum { MANY = 2000 };

static const struct str secret = { "0123456789abcdef0123456789abcdef", 32 };
static struct balance_server servers[MANY];
static char names[MANY][16];

static void
servers_name(uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "s%u", first + i);
		servers[i].name = str_of(names[i]);
	}
}

static struct sticky *
make(struct str key, uint32_t first, uint32_t n)
{
	struct sticky *s;

	servers_name(first, n);
	s = sticky_new(key, servers, n);
	assert_non_null(s);
	return s;
}

/* By another implementation: base64url(HMAC-SHA256(secret, "lbpair cookie 1\0" name)[0..11]). */
static void
test_words_are_pinned(void **state)
{
	static const char *const pinned[] = { "q3hJga5APgwkQLy4", "As7mNpA2i9cGq5t0",
		"Y-WKmfFARnNvhsIT" };
	struct sticky *s = make(secret, 0, 3);

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(sticky_word(s, i).n, STICKY_WORD_SIZE);
		assert_memory_equal(sticky_word(s, i).p, pinned[i], STICKY_WORD_SIZE);
	}
	sticky_free(&s);
	assert_null(s);
}

static void
test_every_word_is_found(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 3, 4, 5, 63, 64, 65, MANY };

	(void)state;
	for (size_t k = 0; k < sizeof(numbers) / sizeof(*numbers); k++) {
		struct sticky *s = make(secret, 0, numbers[k]);

		for (uint32_t i = 0; i < numbers[k]; i++) {
			struct str word = sticky_word(s, i);

			for (size_t c = 0; c < word.n; c++)
				assert_true(scan_is(word.p[c], SCAN_TOKEN));
			assert_int_equal(sticky_find(s, word), i);
		}
		sticky_free(&s);
	}
}

/* The other node, the next start, another pool: other places, other neighbours. */
static void
test_words_hang_on_secret_and_name_alone(void **state)
{
	struct sticky *one = make(secret, 0, 10), *other = make(secret, 5, 10);

	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(sticky_find(other, sticky_word(one, i)), i < 5 ? -1 : (int)i - 5);
	sticky_free(&other);
	other = make(STR("another secret, of 32 bytes, or 33"), 0, 10);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(sticky_find(other, sticky_word(one, i)), -1);
	sticky_free(&other);
	sticky_free(&one);
}

/* Clients may say what they like. */
static void
test_nobodys_words(void **state)
{
	struct sticky *s = make(secret, 0, 3);
	char word[STICKY_WORD_SIZE + 1];

	(void)state;
	assert_int_equal(sticky_find(s, (struct str){ NULL, 0 }), -1);
	assert_int_equal(sticky_find(s, STR("s0")), -1);
	assert_int_equal(sticky_find(s, STR("AAAAAAAAAAAAAAAA")), -1);
	assert_int_equal(sticky_find(s, STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")), -1);
	for (size_t i = 0; i < STICKY_WORD_SIZE; i++) {
		memcpy(word, sticky_word(s, 1).p, STICKY_WORD_SIZE);
		word[STICKY_WORD_SIZE] = 'A';
		assert_int_equal(sticky_find(s, (struct str){ word, STICKY_WORD_SIZE + 1 }), -1);
		assert_int_equal(sticky_find(s, (struct str){ word, i }), -1);
		word[i] ^= 1;
		assert_int_equal(sticky_find(s, (struct str){ word, STICKY_WORD_SIZE }), -1);
	}
	sticky_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_are_pinned),
		cmocka_unit_test(test_every_word_is_found),
		cmocka_unit_test(test_words_hang_on_secret_and_name_alone),
		cmocka_unit_test(test_nobodys_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
