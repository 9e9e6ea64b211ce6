/*
 * test_body.c - where a body ends, and chunks as we write them.
 *
 * Every chunked row is decoded whole, cut at every byte, byte by byte, and what came out once more: see
 * tests/fuzz/body_oracle.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fuzz/body_oracle.h"

#define TEXT(literal)                                                                              \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

/* `in` is accepted to its end; `out` is what is sent on with trailers, `payload` to HTTP/1.0. */
static const struct {
	struct str in, out, payload;
} good[] = {
	{ TEXT("0\r\n\r\n"), TEXT("0\r\n\r\n"), TEXT("") },
	{ TEXT("5\r\nhello\r\n0\r\n\r\n"), TEXT("5\r\nhello\r\n0\r\n\r\n"), TEXT("hello") },
	{ TEXT("005\r\nhello\r\n00\r\n\r\n"), TEXT("5\r\nhello\r\n0\r\n\r\n"), TEXT("hello") },
	{ TEXT("0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n"),
	    TEXT("5\r\nhello\r\n0\r\n\r\n"), TEXT("hello") },
	{ TEXT("A\r\n0123456789\r\n0\r\n\r\n"), TEXT("a\r\n0123456789\r\n0\r\n\r\n"),
	    TEXT("0123456789") },
	{ TEXT("0F\r\n0123456789abcde\r\n1\r\nx\r\n0\r\n\r\n"),
	    TEXT("f\r\n0123456789abcde\r\n1\r\nx\r\n0\r\n\r\n"), TEXT("0123456789abcdex") },
	{ TEXT("1\r\n\n\r\n1\r\n\r\r\n2\r\n\r\n\r\n0\r\n\r\n"),
	    TEXT("1\r\n\n\r\n1\r\n\r\r\n2\r\n\r\n\r\n0\r\n\r\n"), TEXT("\n\r\r\n") },
	{ TEXT("3\r\n\0\r\n\r\n0\r\n\r\n"), TEXT("3\r\n\0\r\n\r\n0\r\n\r\n"), TEXT("\0\r\n") },
	/* extensions are dropped */
	{ TEXT("5;a=b\r\nhello\r\n0;c\r\n\r\n"), TEXT("5\r\nhello\r\n0\r\n\r\n"), TEXT("hello") },
	{ TEXT("5;\r\nhello\r\n0\r\n\r\n"), TEXT("5\r\nhello\r\n0\r\n\r\n"), TEXT("hello") },
	{ TEXT("5; a = \"b;\t c\"\r\nhello\r\n0\r\n\r\n"), TEXT("5\r\nhello\r\n0\r\n\r\n"),
	    TEXT("hello") },
	{ TEXT("1;x\r\na\r\n1\r\nb\r\n1;y\r\nc\r\n0\r\n\r\n"),
	    TEXT("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"), TEXT("abc") },
	/* trailers */
	{ TEXT("0\r\nX: y\r\n\r\n"), TEXT("0\r\nX: y\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nX:y\r\nZ:\r\n\r\n"), TEXT("0\r\nX:y\r\nZ:\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nX:  \ty \r\nZ: \r\n\r\n"), TEXT("0\r\nX: y\r\nZ: \r\n\r\n"), TEXT("") },
	{ TEXT("1;e\r\na\r\n0\r\nX:y\r\nx: z\r\n\r\n"), TEXT("1\r\na\r\n0\r\nX:y\r\nx: z\r\n\r\n"),
	    TEXT("a") },
	{ TEXT("0\r\nETag: \"a\"\r\nDigest: b\r\nServer-Timing: c\r\n\r\n"),
	    TEXT("0\r\nETag: \"a\"\r\nDigest: b\r\nServer-Timing: c\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nContent-Length: 5\r\n\r\n"), TEXT("0\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nA: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\nHOST: x\r\nC: 3\r\n\r\n"),
	    TEXT("0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nContent_Length: 5\r\ntransfer_encoding: chunked\r\nX_Forwarded_For: 1\r\n"
	       "X-Forwarded-Proto: https\r\nForwarded: for=1\r\nVia: 1\r\nX-Request-Id: 1\r\n\r\n"),
	    TEXT("0\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nAuthorization: a\r\nProxy-Authorization: a\r\nCookie: a\r\nSet-Cookie: a\r\n"
	       "WWW-Authenticate: a\r\nProxy-Authenticate: a\r\nX-Real-IP: a\r\n\r\n"),
	    TEXT("0\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nConnection: close\r\nKeep-Alive: 1\r\nTE: a\r\nTrailer: a\r\nUpgrade: a\r\n"
	       "HTTP2-Settings: a\r\nProxy-Connection: a\r\n\r\n"),
	    TEXT("0\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nContent-Type: a\r\nContent-Encoding: a\r\nContent-Range: a\r\nRange: a\r\n"
	       "If-Match: a\r\nIf-None-Match: a\r\nIf-Range: a\r\nExpect: a\r\n\r\n"),
	    TEXT("0\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nAge: a\r\nCache-Control: a\r\nDate: a\r\nExpires: a\r\nLocation: a\r\n"
	       "Max-Forwards: 1\r\nPragma: a\r\nRetry-After: 1\r\nVary: a\r\nWarning: a\r\n\r\n"),
	    TEXT("0\r\n\r\n"), TEXT("") },
	{ TEXT("0\r\nHostname: a\r\nIfx: b\r\nContents: c\r\nProxyx: d\r\n\r\n"),
	    TEXT("0\r\nHostname: a\r\nIfx: b\r\nContents: c\r\nProxyx: d\r\n\r\n"), TEXT("") },
};

static struct oracle_body
decode(struct str in, enum body_output output, bool keep_trailers)
{
	return oracle_decode(in, output, keep_trailers, in.n, 0);
}

static void
good_check(struct str in, enum body_output output, struct str want)
{
	struct oracle_body o = decode(in, output, true);

	if (!o.done || o.refusal || o.eaten != in.n || o.n_out != want.n ||
	    memcmp(o.out, want.p, want.n) != 0)
		fail_msg("%.*s gives %s %.*s", STR_ARG(in), refusal_name(o.refusal), (int)o.n_out,
		    o.out);
	free(o.out);
}

static void
test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *wrong = oracle_body(good[i].in, 1);

		if (wrong)
			fail_msg("%.*s: %s", STR_ARG(good[i].in), wrong);
		good_check(good[i].in, BODY_AS_IS, good[i].out);
		good_check(good[i].in, BODY_PAYLOAD, good[i].payload);
	}
}

/* What follows the message is left alone. */
static void
test_next_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[1024];
		size_t n = good[i].in.n;
		struct oracle_body o;

		memcpy(text, good[i].in.p, n);
		memcpy(text + n, "GET / HTTP/1.1\r\n", 16);
		o = decode((struct str){ text, n + 16 }, BODY_AS_IS, true);
		assert_true(o.done);
		assert_int_equal(o.eaten, n);
		assert_null(oracle_body((struct str){ text, n + 16 }, 1));
		free(o.out);
	}
}

#define CHUNK(text)                                                                                \
	{                                                                                          \
		TEXT(text), REFUSE_CHUNK                                                           \
	}
#define LINE_END(text)                                                                             \
	{                                                                                          \
		TEXT(text), REFUSE_LINE_END                                                        \
	}
#define TRAILER(text)                                                                              \
	{                                                                                          \
		TEXT("0\r\n" text), REFUSE_TRAILER                                                 \
	}

static const struct {
	struct str in;
	enum refusal want;
} bad[] = {
	CHUNK("\r\n\r\n"),
	CHUNK("\r\n0\r\n\r\n"),
	CHUNK(" 5\r\nhello\r\n0\r\n\r\n"),
	CHUNK("\t5\r\nhello\r\n0\r\n\r\n"),
	CHUNK("5 \r\nhello\r\n0\r\n\r\n"),
	CHUNK("5\t\r\nhello\r\n0\r\n\r\n"),
	CHUNK("5 ;a\r\nhello\r\n0\r\n\r\n"),
	CHUNK("-5\r\nhello\r\n0\r\n\r\n"),
	CHUNK("+5\r\nhello\r\n0\r\n\r\n"),
	CHUNK("0x5\r\nhello\r\n0\r\n\r\n"),
	CHUNK("0X5\r\nhello\r\n0\r\n\r\n"),
	CHUNK("x\r\n"),
	CHUNK("5h\r\nhello\r\n0\r\n\r\n"),
	CHUNK("g\r\n"),
	CHUNK("5,\r\n"),
	CHUNK("5.0\r\n"),
	CHUNK("5_0\r\n"),
	CHUNK("\"5\"\r\n"),
	CHUNK(";a\r\n"),
	CHUNK("5\0\r\n"),
	CHUNK("\0"),
	CHUNK("5\xa0\r\n"),
	CHUNK("\xef\xbc\x95\r\n"),
	CHUNK("00000000000000005\r\nhello\r\n0\r\n\r\n"), /* 17 digits */
	CHUNK("8000000000000000\r\n"), /* 2^63 */
	CHUNK("ffffffffffffffff\r\n"),
	CHUNK("fffffffffffffffff\r\n"),
	CHUNK("10000000000000000\r\n"),
	CHUNK("10000000000000005\r\nhello\r\n"),
	CHUNK("100000000000000000000000000000005\r\nhello\r\n"),
	CHUNK("5;\0\r\n"),
	CHUNK("5;a\x01\r\n"),
	CHUNK("5;a\x7f\r\n"),
	CHUNK("5\r\nhello0\r\n\r\n"),
	CHUNK("5\r\nhello!\r\n0\r\n\r\n"),
	CHUNK("5\r\nhelloxx0\r\n\r\n"),
	CHUNK("5\r\nhello 0\r\n\r\n"),
	CHUNK("4\r\nhello\r\n0\r\n\r\n"),
	LINE_END("6\r\nhello\r\n0\r\n\r\n"),
	CHUNK("5\r\nhello\r\n\r\n0\r\n\r\n"),
	CHUNK("5\r\nhello\r\nGET / HTTP/1.1\r\n"),
	CHUNK("5\r\nhello\r\n 0\r\n\r\n"),
	LINE_END("5\nhello\r\n0\r\n\r\n"),
	LINE_END("5\rhello\r\n0\r\n\r\n"),
	LINE_END("5\r\rhello\r\n0\r\n\r\n"),
	LINE_END("\n"),
	LINE_END("5;a\nhello\r\n0\r\n\r\n"),
	LINE_END("5;a\rb\r\nhello\r\n0\r\n\r\n"),
	LINE_END("5;\r\r\nhello\r\n0\r\n\r\n"),
	LINE_END("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
	CHUNK("5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n"),
	LINE_END("5\r\nhello\n0\r\n\r\n"),
	LINE_END("5\r\nhello\r0\r\n\r\n"),
	LINE_END("5\r\nhello\r\r\n0\r\n\r\n"),
	LINE_END("0\n\r\n"),
	LINE_END("0\n\n"),
	TRAILER("\n"),
	TRAILER("\r\r\n"),
	TRAILER("X: y\n\r\n"),
	TRAILER("X: y\r\n\n"),
	TRAILER("X: y\rZ: 1\r\n\r\n"),
	TRAILER("X : y\r\n\r\n"),
	TRAILER(" X: y\r\n\r\n"),
	TRAILER("X: y\r\n z\r\n\r\n"),
	TRAILER(": y\r\n\r\n"),
	TRAILER("X\r\n\r\n"),
	TRAILER("X: \0\r\n\r\n"),
	TRAILER("X: a\x01\r\n\r\n"),
	TRAILER("X\x80: y\r\n\r\n"),
	TRAILER("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
};

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct oracle_body o = decode(bad[i].in, BODY_AS_IS, true);
		const char *wrong = oracle_body(bad[i].in, 1);

		if (o.refusal != bad[i].want || wrong)
			fail_msg("%.*s gives %s%s", STR_ARG(bad[i].in), refusal_name(o.refusal),
			    wrong ? wrong : "");
		free(o.out);
	}
}

/* No prefix of a good message is refused or done. */
static void
test_incomplete(void **state)
{
	struct str in = STR("5;ext\r\nhello\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n");

	(void)state;
	for (size_t n = 0; n < in.n; n++) {
		struct oracle_body o = decode((struct str){ in.p, n }, BODY_AS_IS, true);

		assert_false(o.done);
		assert_int_equal(o.refusal, REFUSE_NOTHING);
		assert_null(o.wrong);
		free(o.out);
	}
}

/* before, n times `c`, after. */
static struct str
stretched(const char *before, char c, size_t n, const char *after)
{
	static char text[80000];
	size_t b = strlen(before), a = strlen(after);

	assert_true(b + n + a <= sizeof(text));
	memcpy(text, before, b);
	memset(text + b, c, n);
	memcpy(text + b + n, after, a);
	return (struct str){ text, b + n + a };
}

static void
verdict_check(struct str in, enum refusal want)
{
	struct oracle_body o = decode(in, BODY_AS_IS, true);

	assert_int_equal(o.refusal, want);
	assert_null(oracle_body(in, in.n / 50 + 1));
	free(o.out);
}

static void
test_limits(void **state)
{
	size_t size = strlen("X: \r\n\r\n");

	(void)state;
	verdict_check(stretched("5;", 'x', 255, "\r\nhello\r\n0\r\n\r\n"), REFUSE_NOTHING);
	verdict_check(stretched("5;", 'x', 256, "\r\nhello\r\n0\r\n\r\n"), REFUSE_CHUNK);
	verdict_check(stretched("5;", 'x', 256, ""), REFUSE_CHUNK);
	verdict_check(stretched("5;", 'x', 255, ""), REFUSE_NOTHING);
	verdict_check(stretched("", '0', 16, ""), REFUSE_NOTHING);
	verdict_check(stretched("", '0', 17, ""), REFUSE_CHUNK);
	verdict_check(stretched("0\r\nX: ", 'y', 8192 - size, "\r\n\r\n"), REFUSE_NOTHING);
	verdict_check(stretched("0\r\nX: ", 'y', 8193 - size, "\r\n\r\n"), REFUSE_TRAILER);
	verdict_check(stretched("0\r\nX: ", 'y', 8191 - 3, ""), REFUSE_NOTHING);
	verdict_check(stretched("0\r\nX: ", 'y', 8192 - 3, ""), REFUSE_TRAILER);
	verdict_check(stretched("0\r\n", 'X', 9000, ""), REFUSE_TRAILER);
	verdict_check(STR("7fffffffffffffff\r\nx"), REFUSE_NOTHING);
	verdict_check(STR("7FFFFFFFFFFFFFFF;a=b\r\nx"), REFUSE_NOTHING);
}

/* 16 KiB of extensions in a message, not one more. */
static void
test_extensions_of_a_message(void **state)
{
	for (size_t spare = 0; spare < 2; spare++) {
		struct body b;
		char chunk[300];
		size_t n;

		(void)state;
		body_init(&b, FRAMING_CHUNKED, 0, BODY_PAYLOAD, false);
		for (int i = 0; i < 64; i++) {
			n = (size_t)snprintf(
			    chunk, sizeof(chunk), "1;%0*d\r\nx\r\n", i ? 255 : 255 - (int)spare, 0);
			assert_int_equal(body_decode(&b, chunk, n).eaten, n);
		}
		n = (size_t)snprintf(chunk, sizeof(chunk), "1;\r\nx\r\n");
		assert_int_equal(
		    body_decode(&b, chunk, n).refusal, spare ? REFUSE_NOTHING : REFUSE_CHUNK);
		assert_int_equal(b.payload, 64 + spare);
	}
}

/* A chunk may be of any size; only what is there is looked at, and left where it is. */
static void
test_large_chunk(void **state)
{
	struct body b;
	struct body_step step;
	char data[64];

	(void)state;
	body_init(&b, FRAMING_CHUNKED, 0, BODY_AS_IS, true);
	memcpy(data, "7fffffffffffffff\r\n", 18);
	step = body_decode(&b, data, 18);
	assert_int_equal(step.eaten, 18);
	assert_int_equal(step.out, 18);
	assert_int_equal(b.left, INT64_MAX);
	for (int i = 0; i < 3; i++) {
		step = body_decode(&b, data, sizeof(data));
		assert_int_equal(step.eaten, sizeof(data));
		assert_int_equal(step.out, sizeof(data));
	}
	assert_int_equal(b.left, INT64_MAX - 3 * 64);
	assert_int_equal(b.payload, 3 * 64);
}

/* 2^32 + 5 bytes are not 5. */
static void
test_no_truncation(void **state)
{
	static const char *const texts[] = { "100000005\r\nhello\r\n0\r\n\r\n",
		"1000000000000005\r\nhello\r\n0\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct oracle_body o = decode(str_of(texts[i]), BODY_PAYLOAD, false);

		assert_false(o.done);
		assert_int_equal(o.refusal, REFUSE_NOTHING);
		assert_int_equal(o.payload, strlen("hello\r\n0\r\n\r\n"));
		free(o.out);
	}
}

/* Chunks that are spelt as ours stay where they are: written to nothing but equal bytes. */
static void
test_canonical_stays(void **state)
{
	static const char text[] =
	    "5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX: y\r\n\r\n";
	char data[sizeof(text)];
	struct body_step step;
	struct body b;

	(void)state;
	memcpy(data, text, sizeof(text));
	body_init(&b, FRAMING_CHUNKED, 0, BODY_AS_IS, true);
	step = body_decode(&b, data, sizeof(text) - 1);
	assert_true(b.done);
	assert_int_equal(step.eaten, sizeof(text) - 1);
	assert_int_equal(step.out, sizeof(text) - 1);
	assert_memory_equal(data, text, sizeof(text));
}

static void
test_reserved_trailers_dropped(void **state)
{
	static const struct str reserved[] = { STR("Who-Is-It"), STR("peer") };
	char text[] =
	    "0\r\nWho-Is-It: a\r\nwho.is_it: b\r\nPEER: c\r\nWho-Is: d\r\nPeers: e\r\n\r\n";
	struct body b;
	struct body_step step;

	(void)state;
	body_init(&b, FRAMING_CHUNKED, 0, BODY_AS_IS, true);
	b.reserved = reserved;
	b.n_reserved = 2;
	step = body_decode(&b, text, sizeof(text) - 1);
	assert_int_equal(step.refusal, REFUSE_NOTHING);
	assert_true(
	    str_eq((struct str){ text, step.out }, STR("0\r\nWho-Is: d\r\nPeers: e\r\n\r\n")));
}

static void
test_trailers_dropped(void **state)
{
	struct str in = STR("1\r\na\r\n0\r\nX: y\r\n\r\n");
	struct oracle_body o = decode(in, BODY_AS_IS, false);

	(void)state;
	assert_true(o.done);
	assert_int_equal(o.eaten, in.n);
	assert_int_equal(o.n_out, 11);
	assert_memory_equal(o.out, "1\r\na\r\n0\r\n\r\n", 11);
	free(o.out);
}

static void
test_length(void **state)
{
	char data[10] = "0123456789";
	struct body_step step;
	struct body b;

	(void)state;
	body_init(&b, FRAMING_LENGTH, 15, BODY_AS_IS, true);
	step = body_decode(&b, data, 10);
	assert_int_equal(step.eaten, 10);
	assert_int_equal(step.out, 10);
	assert_false(b.done);
	step = body_decode(&b, data, 0);
	assert_int_equal(step.eaten, 0);
	step = body_decode(&b, data, 10);
	assert_int_equal(step.eaten, 5);
	assert_int_equal(step.out, 5);
	assert_true(b.done);
	assert_int_equal(b.payload, 15);
	step = body_decode(&b, data, 10);
	assert_int_equal(step.eaten, 0);
	assert_int_equal(step.out, 0);
	assert_memory_equal(data, "0123456789", 10);

	body_init(&b, FRAMING_LENGTH, 0, BODY_AS_IS, true);
	assert_true(b.done);
	body_init(&b, FRAMING_LENGTH, UINT64_MAX, BODY_AS_IS, true);
	step = body_decode(&b, data, 10);
	assert_int_equal(b.left, UINT64_MAX - 10);
}

static void
test_none_and_close(void **state)
{
	char data[10] = "0123456789";
	struct body_step step;
	struct body b;

	(void)state;
	body_init(&b, FRAMING_NONE, 0, BODY_AS_IS, true);
	assert_true(b.done);
	assert_int_equal(body_decode(&b, data, 10).eaten, 0);

	body_init(&b, FRAMING_CLOSE, 0, BODY_PAYLOAD, true);
	for (int i = 1; i < 4; i++) {
		step = body_decode(&b, data, 10);
		assert_int_equal(step.eaten, 10);
		assert_int_equal(step.out, 10);
		assert_int_equal(step.refusal, REFUSE_NOTHING);
		assert_false(b.done);
		assert_int_equal(b.payload, i * 10);
	}
}

static void
test_wrap(void **state)
{
	static const size_t sizes[] = { 1, 9, 15, 16, 255, 256, 4095, 4096, 65535, 65536 };
	static char room[CHUNK_HEAD_MAX + 65536 + 2 + 5];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *data = room + CHUNK_HEAD_MAX, *start;
		struct oracle_body o;
		char head[32];
		size_t total;

		memset(data, 'x', sizes[i]);
		start = chunk_wrap(data, sizes[i], &total);
		snprintf(head, sizeof(head), "%zx\r\n", sizes[i]);
		assert_int_equal(data - start, strlen(head));
		assert_memory_equal(start, head, strlen(head));
		assert_int_equal(total, strlen(head) + sizes[i] + 2);
		memcpy(start + total, "0\r\n\r\n", 5);
		o = decode((struct str){ start, total + 5 }, BODY_PAYLOAD, false);
		assert_true(o.done);
		assert_int_equal(o.payload, sizes[i]);
		assert_int_equal(o.eaten, total + 5);
		free(o.out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_next_message),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_extensions_of_a_message),
		cmocka_unit_test(test_large_chunk),
		cmocka_unit_test(test_no_truncation),
		cmocka_unit_test(test_canonical_stays),
		cmocka_unit_test(test_reserved_trailers_dropped),
		cmocka_unit_test(test_trailers_dropped),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_none_and_close),
		cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
