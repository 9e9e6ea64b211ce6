/* test_contents.c - what the files of a configuration hold: bodies of pages, and the digest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/problems.h"
#include "lbd/config/contents.h"

static const char text[] =
    "{ \"listeners\": [ { \"bind\": [\"127.0.0.1:443\"], \"pool\": \"web\","
    "  \"error_pages\": { \"404\": \"/page.html\" },"
    "  \"tls\": { \"certificates\": [ { \"certificate\": \"/crt\", \"key\": \"/key\", \"ocsp\": "
    "\"/ocsp\" } ],"
    "  \"client_verify\": \"require\", \"client_ca\": \"/ca\", \"client_crl\": \"/crl\","
    "  \"ticket_secret_file\": \"/secret\" } } ],"
    "  \"pools\": [ { \"name\": \"web\", \"servers\": [ { \"address\": \"10.0.0.11:443\" } ],"
    "  \"stickiness\": { \"name\": \"S\", \"secret_file\": \"/sticky\" },"
    "  \"tls\": { \"ca\": \"/pool-ca\", \"certificate\": \"/own\", \"key\": \"/own-key\" },"
    "  \"error_pages\": { \"503\": \"/503.txt\" }, \"maintenance_page\": \"/back.html\" } ] }";

static const char without[] =
    "{ \"listeners\": [ { \"bind\": [\"127.0.0.1:80\"], \"pool\": \"web\" } ],"
    "  \"pools\": [ { \"name\": \"web\", \"servers\": [ { \"address\": \"10.0.0.11:443\" } ] } ] }";

/* Each file holds its own name, and one of them something else. */
struct change {
	struct str path, content;
};

static struct str
find(const void *files, struct str path)
{
	const struct change *changed = files;

	return str_eq(path, changed->path) ? changed->content : path;
}

static struct lbd_config *
load(const char *json)
{
	struct config_options options = { .file = "test.json", .node = "lb1", .cpus = 4 };
	struct problems problems;
	struct lbd_config *c;

	problems_init(&problems);
	c = config_load(str_of(json), &options, &problems);
	if (!c)
		fail_msg("%s", problems.list[0].text);
	problems_fini(&problems);
	return c;
}

static void
digest_with(const char *path, const char *content, char digest[17])
{
	struct change changed = { str_of(path), str_of(content) };
	struct lbd_config *c = load(text);

	assert_int_equal(config_contents_take(c, find, &changed), 0);
	memcpy(digest, c->digest, 17);
	config_unref(&c);
}

static void
test_what_the_digest_covers(void **state)
{
	static const struct {
		const char *path, *content;
		bool differs;
	} rows[] = {
		{ "/page.html", "other", true },
		{ "/page.html", "", true },
		{ "/503.txt", "other", true },
		{ "/back.html", "other", true },
		{ "/crt", "other", true },
		{ "/ca", "other", true },
		{ "/crl", "other", true },
		{ "/secret", "other", true },
		{ "/secret", "/secret\n", false },
		{ "/sticky", "other", true },
		{ "/pool-ca", "other", true },
		{ "/own", "other", true },
		{ "/key", "other", false },
		{ "/own-key", "other", false },
		{ "/ocsp", "other", false },
		{ "/crt", "/cr", true },
		{ "/nowhere", "", false },
	};
	char base[17], digest[17];

	(void)state;
	digest_with("/nowhere", "", base);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		digest_with(rows[i].path, rows[i].content, digest);
		if ((strcmp(base, digest) != 0) != rows[i].differs)
			fail_msg("%s: %s", rows[i].path, rows[i].differs ? "the same" : "another");
	}
}

static void
test_pages_get_their_bodies(void **state)
{
	const struct change none = { STR("/nowhere"), STR("") };
	struct lbd_config *c = load(text);
	struct pool_config *p = &c->pools[0];

	(void)state;
	assert_int_equal(config_contents_take(c, find, &none), 0);
	assert_true(str_eq(page_find(&c->listeners[0].error_pages, 404)->body, STR("/page.html")));
	assert_true(str_eq(page_find(&p->error_pages, 503)->body, STR("/503.txt")));
	assert_true(str_eq(p->maintenance_page.body, STR("/back.html")));
	config_unref(&c);
}

static void
test_without_files(void **state)
{
	const struct change none = { STR("/nowhere"), STR("") };
	struct lbd_config *c = load(without);
	char before[17];

	(void)state;
	memcpy(before, c->digest, 17);
	assert_int_equal(config_contents_take(c, find, &none), 0);
	assert_string_equal(c->digest, before);
	config_unref(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_digest_covers),
		cmocka_unit_test(test_pages_get_their_bodies),
		cmocka_unit_test(test_without_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
