/* test_field.c - which field is it, and what follows from its name. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd/http/field.h"
#include "lbd/http/word.h"

static const struct {
	const char *name;
	enum field_id id;
	bool one_hop, droppable, in_trailer;
} rows[] = {
	{ "Connection", FIELD_CONNECTION, true, false, false },
	{ "Content-Length", FIELD_CONTENT_LENGTH, true, false, false },
	{ "Cookie", FIELD_COOKIE, false, true, false },
	{ "Date", FIELD_DATE, false, true, false },
	{ "Expect", FIELD_EXPECT, true, false, false },
	{ "Forwarded", FIELD_FORWARDED, false, false, false },
	{ "Host", FIELD_HOST, true, false, false },
	{ "HTTP2-Settings", FIELD_HTTP2_SETTINGS, true, false, false },
	{ "Keep-Alive", FIELD_KEEP_ALIVE, true, false, false },
	{ "Proxy-Connection", FIELD_PROXY_CONNECTION, true, false, false },
	{ "Referer", FIELD_REFERER, false, true, true },
	{ "Retry-After", FIELD_RETRY_AFTER, false, true, false },
	{ "TE", FIELD_TE, true, false, false },
	{ "Trailer", FIELD_TRAILER, false, true, false },
	{ "Transfer-Encoding", FIELD_TRANSFER_ENCODING, true, false, false },
	{ "Upgrade", FIELD_UPGRADE, true, false, false },
	{ "User-Agent", FIELD_USER_AGENT, false, true, true },
	{ "Via", FIELD_VIA, false, false, false },
	{ "X-Forwarded-For", FIELD_X_FORWARDED_FOR, false, false, false },
	{ "X-Forwarded-Host", FIELD_X_FORWARDED_HOST, false, false, false },
	{ "X-Forwarded-Proto", FIELD_X_FORWARDED_PROTO, false, false, false },
	{ "X-Request-Id", FIELD_X_REQUEST_ID, false, true, false },
	{ "X-Forwarded", FIELD_LIKE_FORWARDING, false, false, false },
	{ "X-Forwarded-Port", FIELD_LIKE_FORWARDING, false, false, false },
	{ "X-Forwarded-Server", FIELD_LIKE_FORWARDING, false, false, false },
	{ "X_Forwarded_For", FIELD_LIKE_FORWARDING, false, false, false },
	{ "X-Forwarded_For", FIELD_LIKE_FORWARDING, false, false, false },
	{ "X.Forwarded.Proto", FIELD_LIKE_FORWARDING, false, false, false },
	{ "X_Request_Id", FIELD_LIKE_FORWARDING, false, false, false },
	{ "Content_Length", FIELD_LIKE_FRAMING, false, true, false },
	{ "Content.Length", FIELD_LIKE_FRAMING, false, true, false },
	{ "Transfer_Encoding", FIELD_LIKE_FRAMING, false, true, false },
	{ "Transfer|Encoding", FIELD_LIKE_FRAMING, false, true, false },
	{ "X", FIELD_OTHER, false, true, true },
	{ "Accept", FIELD_OTHER, false, true, true },
	{ "X-Forward", FIELD_OTHER, false, true, true },
	{ "XxForwardedxFor", FIELD_OTHER, false, true, true },
	{ "X-Request-IdX", FIELD_OTHER, false, true, true },
	{ "ContentxLength", FIELD_OTHER, false, true, true },
	{ "Content-Type", FIELD_OTHER, false, true, false },
	{ "Content_Type", FIELD_OTHER, false, true, false },
	{ "Set-Cookie", FIELD_OTHER, false, true, false },
	{ "If-Match", FIELD_OTHER, false, true, false },
	{ "Proxy-Authorization", FIELD_OTHER, false, true, false },
	{ "ETag", FIELD_OTHER, false, true, true },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str name = str_of(rows[i].name);
		enum field_id id = field_id_of(name);

		if (id != rows[i].id || field_among(id, FIELDS_ONE_HOP) != rows[i].one_hop ||
		    field_droppable(id) != rows[i].droppable ||
		    field_in_trailer(name) != rows[i].in_trailer)
			fail_msg("%s", rows[i].name);
	}
}

/* In any case; and with any one letter changed, cut off or added, it is another field. */
static void
test_spelling(void **state)
{
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum field_id id = rows[i].id;
		size_t n = strlen(rows[i].name);

		for (size_t k = 0; k < n; k++)
			text[k] = (char)toupper(rows[i].name[k]);
		assert_int_equal(field_id_of((struct str){ text, n }), id);
		for (size_t k = 0; k < n; k++)
			text[k] = (char)tolower(rows[i].name[k]);
		assert_int_equal(field_id_of((struct str){ text, n }), id);
		if (id == FIELD_OTHER || id >= FIELD_LIKE_FORWARDING)
			continue;
		for (size_t k = 0; k < n; k++) {
			char was = text[k];

			text[k] = was == 'q' ? 'w' : 'q';
			assert_int_not_equal(field_id_of((struct str){ text, n }), id);
			text[k] = (char)(was ^ 0x80);
			assert_int_not_equal(field_id_of((struct str){ text, n }), id);
			text[k] = (char)(was & ~0x20); /* '-' to CR, letters to capitals */
			assert_int_equal(
			    field_id_of((struct str){ text, n }) == id, isalpha(was) != 0);
			text[k] = was;
		}
		text[n] = 'x';
		assert_int_not_equal(field_id_of((struct str){ text, n + 1 }), id);
		assert_int_not_equal(field_id_of((struct str){ text, n - 1 }), id);
	}
	assert_int_equal(field_id_of(STR("")), FIELD_OTHER);
	memset(text, 'x', sizeof(text));
	for (size_t n = 0; n <= sizeof(text); n++)
		assert_int_equal(field_id_of((struct str){ text, n }), FIELD_OTHER);
}

static void
test_every_id_has_a_row(void **state)
{
	(void)state;
	for (enum field_id id = FIELD_OTHER; id < FIELD_ID_COUNT; id++) {
		bool found = false;

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			found |= rows[i].id == id;
		assert_true(found);
	}
}

static void
test_words(void **state)
{
	(void)state;
	assert_true(word_is(STR("te"), "te"));
	assert_true(word_is(STR("Te"), "te"));
	assert_true(word_is(STR("VIA"), "via"));
	assert_true(word_is(STR("cLoSe"), "close"));
	assert_true(word_is(STR("100-Continue"), "100-continue"));
	assert_true(word_is(STR("proxy-authenticATE"), "proxy-authenticate"));
	assert_false(word_is(STR("t"), "te"));
	assert_false(word_is(STR(""), "te"));
	assert_false(word_is(STR("closed"), "close"));
	assert_false(word_is(STR("clos"), "close"));
	assert_false(word_is(STR("100\rcontinue"), "100-continue"));
	assert_false(word_is(STR("\x11\x10\x10-continue"), "100-continue"));
	assert_true(word_resembles(STR("a_b"), "a-b"));
	assert_true(word_resembles(STR("A-B"), "a-b"));
	assert_false(word_resembles(STR("a1b"), "a-b"));
	assert_false(word_resembles(STR("ab"), "a-b"));
	assert_false(word_resembles(STR("a-bc"), "a-b"));
	assert_false(word_resembles(STR("a-"), "a-b"));
}

static void
test_head_field(void **state)
{
	static struct http_head head;

	(void)state;
	assert_null(head_field(&head, FIELD_HOST));
	head.n_fields = 3;
	head.fields[0].id = FIELD_OTHER;
	head.fields[1].id = FIELD_VIA;
	head.fields[2].id = FIELD_VIA;
	head.fields[3].id = FIELD_HOST; /* not counted */
	assert_ptr_equal(head_field(&head, FIELD_VIA), &head.fields[1]);
	assert_null(head_field(&head, FIELD_HOST));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_spelling),
		cmocka_unit_test(test_every_id_has_a_row),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_head_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
