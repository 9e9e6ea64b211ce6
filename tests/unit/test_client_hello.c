/* test_client_hello.c - the name in a ClientHello, in one record or many, whole or cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lbd/tls/client_hello.h"

struct bytes {
	unsigned char p[CLIENT_HELLO_MAX * 2];
	size_t n;
};

static void
put(struct bytes *b, const void *p, size_t n)
{
	assert_true(b->n + n <= sizeof(b->p));
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void
put_number(struct bytes *b, size_t v, unsigned bytes)
{
	while (bytes-- > 0)
		put(b, &(unsigned char){ (unsigned char)(v >> 8 * bytes) }, 1);
}

/* One extension with the name, `times` of them, behind one that is `padding` long. */
static void
put_extensions(struct bytes *b, const char *name, int times, size_t padding)
{
	size_t n = strlen(name), one = 4 + 5 + n;

	put_number(b, 4 + padding + one * (size_t)times, 2);
	put_number(b, 21, 2);
	put_number(b, padding, 2);
	for (size_t i = 0; i < padding; i++)
		put_number(b, 0, 1);
	for (int i = 0; i < times; i++) {
		put_number(b, 0, 2);
		put_number(b, 5 + n, 2);
		put_number(b, 3 + n, 2);
		put_number(b, 0, 1);
		put_number(b, n, 2);
		put(b, name, n);
	}
}

static void
hello_make(struct bytes *b, const char *name, int times, size_t padding)
{
	static const unsigned char zeros[34];
	size_t start;

	*b = (struct bytes){ .n = 0 };
	put(b, "\1\0\0\0", 4);
	start = b->n;
	put(b, zeros, 34);
	put(b, "\0", 1); /* no session */
	put(b, "\0\2\x13\x01", 4);
	put(b, "\1\0", 2);
	if (name)
		put_extensions(b, name, times, padding);
	b->p[2] = (unsigned char)((b->n - start) >> 8);
	b->p[3] = (unsigned char)(b->n - start);
}

/* In records of that size. */
static void
records_make(struct bytes *out, const struct bytes *message, size_t size)
{
	*out = (struct bytes){ .n = 0 };
	for (size_t at = 0, n; at < message->n; at += n) {
		n = message->n - at < size ? message->n - at : size;
		put(out, "\x16\3\1", 3);
		put_number(out, n, 2);
		put(out, message->p + at, n);
	}
}

static ssize_t
name_of(const struct bytes *b, size_t n, char name[256])
{
	char *exact = malloc(n ? n : 1), *room = malloc(CLIENT_HELLO_MAX);
	struct str found;
	ssize_t r;

	memcpy(exact, b->p, n);
	r = client_hello_name((struct str){ exact, n }, room, &found);
	memcpy(name, found.n ? found.p : "", found.n);
	name[found.n] = '\0';
	free(exact);
	free(room);
	return r;
}

static void
test_whole_and_cut(void **state)
{
	static struct bytes message, records;
	static const size_t sizes[] = { 16384, 100, 7, 1 };
	char name[256];

	(void)state;
	hello_make(&message, "www.example.org", 1, 40);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		records_make(&records, &message, sizes[i]);
		for (size_t n = 0; n < records.n; n++)
			assert_int_equal(name_of(&records, n, name), 0);
		assert_int_equal(name_of(&records, records.n, name), records.n);
		assert_string_equal(name, "www.example.org");
		put(&records, "behind", 6); /* another message, another record, whatever */
		assert_int_equal(name_of(&records, records.n, name), records.n);
		assert_string_equal(name, "www.example.org");
	}
}

static void
test_without_a_name(void **state)
{
	static struct bytes message, records;
	char name[256];

	(void)state;
	hello_make(&message, NULL, 0, 0);
	records_make(&records, &message, 16384);
	assert_int_equal(name_of(&records, records.n, name), records.n);
	assert_string_equal(name, "");
	hello_make(&message, "", 0, 3);
	records_make(&records, &message, 16384);
	assert_int_equal(name_of(&records, records.n, name), records.n);
	assert_string_equal(name, "");
}

static void
test_no_tls(void **state)
{
	static const char *const texts[] = { "G", "GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n",
		"\x80\x2e\1\3\1", "\x16\2", "\x16\3\1\xff\xff\2", "\x15\3\1" };
	struct bytes b;
	char name[256];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		b.n = strlen(texts[i]);
		memcpy(b.p, texts[i], b.n);
		assert_int_equal(name_of(&b, b.n, name), b.n);
		assert_string_equal(name, "");
	}
}

static void
test_refused(void **state)
{
	static struct bytes message, records;
	char name[256];

	(void)state;
	hello_make(&message, "a.example", 2, 0); /* twice: which one would the server take? */
	records_make(&records, &message, 16384);
	assert_int_equal(name_of(&records, records.n, name), CLIENT_HELLO_REFUSED);
	hello_make(&message, "", 1, 0); /* a name of no bytes */
	records_make(&records, &message, 16384);
	assert_int_equal(name_of(&records, records.n, name), CLIENT_HELLO_REFUSED);
	hello_make(&message, "a.example", 1, 0);
	message.p[3]++; /* one byte more than there is, then the end of the next record */
	put(&message, "x", 1);
	records_make(&records, &message, 16384);
	assert_int_equal(name_of(&records, records.n, name), CLIENT_HELLO_REFUSED);
	hello_make(&message, "a.example", 1, 0);
	records_make(&records, &message, 20);
	records.p[25] = 23; /* the second record is of another kind */
	assert_int_equal(name_of(&records, records.n, name), CLIENT_HELLO_REFUSED);
	records.p[25] = 22;
	records.p[28] = records.p[29] = 0; /* is empty */
	assert_int_equal(name_of(&records, records.n, name), CLIENT_HELLO_REFUSED);
}

static void
test_too_long(void **state)
{
	static struct bytes message, records;
	char name[256];

	(void)state;
	hello_make(&message, "a.example", 1, 16000);
	records_make(&records, &message, 16384);
	assert_int_equal(name_of(&records, records.n, name), records.n);
	assert_string_equal(name, "a.example");
	records_make(&records, &message, 100); /* the headers count */
	for (size_t n = CLIENT_HELLO_MAX; n <= records.n; n += records.n - n ? records.n - n : 1)
		assert_int_equal(name_of(&records, n, name), CLIENT_HELLO_REFUSED);
	hello_make(&message, "a.example", 1, 0);
	message.p[1] = 1; /* 64 KiB are announced: nobody waits for those */
	records_make(&records, &message, 16384);
	assert_int_equal(name_of(&records, records.n, name), CLIENT_HELLO_REFUSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_cut),
		cmocka_unit_test(test_without_a_name),
		cmocka_unit_test(test_no_tls),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
