/* test_forwarded_for.c - whom proxies name, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/address.h"
#include "common/text.h"
#include "lbd/http/forwarded_for.h"

/* All that a walk comes by, with blanks between. */
static const char *
walk(const char *first, const char *second, enum field_id id)
{
	static char out[512];
	const char *values[] = { first, "1.1.1.1", second };
	struct http_head head = { .n_fields = 0 };
	struct forwarded_walk w;
	struct text t;
	uint8_t ip[16];

	for (int i = 0; i < 3; i++)
		if (values[i])
			head.fields[head.n_fields++] = (struct http_field){
				.value = str_of(values[i]),
				.id = i == 1 ? FIELD_OTHER : id,
			};
	text_init(&t, sizeof(out));
	for (w = forwarded_walk(&head, id); forwarded_next(&w, ip);) {
		struct network one = { .prefix = 128 };
		char text[ADDRESS_TEXT_MAX];

		memcpy(one.bytes, ip, sizeof(ip));
		network_format(&one, text);
		*strchr(text, '/') = '\0';
		text_printf(&t, "%s%s", t.n ? " " : "", text);
	}
	assert_false(t.failed);
	memcpy(out, t.n ? t.p : "", t.n);
	out[t.n] = '\0';
	text_fini(&t);
	return out;
}

struct row {
	const char *first, *second; /* two fields */
	const char *want;
};

static void
check(const struct row *rows, size_t n, enum field_id id)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = walk(rows[i].first, rows[i].second, id);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s, expected %s", rows[i].first, got, rows[i].want);
	}
}

static void
test_x_forwarded_for(void **state)
{
	static const struct row rows[] = {
		{ "203.0.113.5", NULL, "203.0.113.5" },
		{ "  203.0.113.5\t", NULL, "203.0.113.5" },
		{ "1.2.3.4, 203.0.113.5", NULL, "203.0.113.5 1.2.3.4" },
		{ "1.2.3.4,203.0.113.5,10.0.0.9,192.0.2.7 , fd00::5", NULL,
		    "fd00::5 192.0.2.7 10.0.0.9 203.0.113.5 1.2.3.4" },
		{ "1.2.3.4", "203.0.113.5", "203.0.113.5 1.2.3.4" },
		{ "203.0.113.5", "", "203.0.113.5" },
		{ "2001:db8::1", NULL, "2001:db8::1" },
		{ "[2001:db8::1]", NULL, "2001:db8::1" },
		{ "[2001:db8::1]:443", NULL, "2001:db8::1" },
		{ "::ffff:203.0.113.5", NULL, "203.0.113.5" },
		{ "203.0.113.5:5000", NULL, "203.0.113.5" },
		{ "", NULL, "" },
		{ "unknown", NULL, "" },
		{ "203.0.113.5, unknown", NULL, "" },
		{ "203.0.113.5, ,", NULL, "203.0.113.5" },
		{ "1.2.3.4", ",203.0.113.5,,10.0.0.1", "10.0.0.1 203.0.113.5 1.2.3.4" },
		{ "203.0.113.5, 10.0.0.1:x:y", NULL, "" },
		{ "203.0.113.5, junk, 10.0.0.3", NULL, "10.0.0.3" }, /* as far as can be told */
		{ "203.0.113.5, \"10.0.0.3\"", NULL, "" }, /* it has no quotes */
		{ "[", NULL, "" },
		{ "[]", NULL, "" },
		{ NULL, NULL, "" },
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(*rows), FIELD_X_FORWARDED_FOR);
}

static void
test_forwarded(void **state)
{
	static const struct row rows[] = {
		{ "for=203.0.113.5", NULL, "203.0.113.5" },
		{ "For=\"203.0.113.5:4711\"", NULL, "203.0.113.5" },
		{ "for=\"[2001:db8:cafe::17]:4711\"", NULL,
		    "2001:db8:cafe::17" }, /* RFC 7239 section 4 */
		{ "for=192.0.2.60;proto=http;by=203.0.113.43", NULL, "192.0.2.60" },
		{ "proto=http ; host=\"a,b\" ;for=192.0.2.60", NULL, "192.0.2.60" },
		{ "for=192.0.2.43, for=198.51.100.17", NULL, "198.51.100.17 192.0.2.43" },
		{ "for=192.0.2.43", "for=198.51.100.17", "198.51.100.17 192.0.2.43" },
		{ "for=192.0.2.43,,", "", "192.0.2.43" },
		{ "for=192.0.2.43;host=\"a, for=6.6.6.6\"", NULL, "192.0.2.43" },
		{ "for=192.0.2.43;host=\"a\\\", for=6.6.6.6\"", NULL, "192.0.2.43" },
		/* an open quote of somebody else's hides nothing of what was added */
		{ "for=\"1.2.3.4, for=192.0.2.43", NULL, "192.0.2.43" },
		{ "for=\"1.2.3.4, for=\"[2001:db8::1]\", for=10.0.0.1", NULL,
		    "10.0.0.1 2001:db8::1" },
		{ "for=1.2.3.4, for=unknown", NULL, "" },
		{ "for=1.2.3.4, for=_hidden", NULL, "" },
		{ "for=1.2.3.4, proto=https", NULL, "" },
		{ "for=1.2.3.4, 10.0.0.1", NULL, "" },
		{ "for=", NULL, "" },
		{ "for=\"", NULL, "" },
		{ "\"", NULL, "" },
		{ "forx=1.2.3.4", NULL, "" },
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(*rows), FIELD_FORWARDED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x_forwarded_for),
		cmocka_unit_test(test_forwarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
