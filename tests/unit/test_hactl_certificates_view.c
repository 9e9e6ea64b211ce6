/* test_hactl_certificates_view.c - certificates as a table. */
#include "tests/unit/hactl_page.h"

#include "hafailover/hactl/certificates_view.h"
#include "hafailover/hactl/member.h"

static const char answer[] =
    "{'certificates':["
    "{'certificate':'/etc/lbpair/www.crt','key':'/etc/lbpair/www.key','kind':'ECDSA','days':80,"
    "'names':['www.example.org','*.example.org'],'issuer':'CN=R3','listeners':['a','b']},"
    "{'certificate':'/old.crt','key':'/old.key','kind':'RSA','days':-1,'names':[],"
    "'issuer':'CN=\\u001b','listeners':['a']},"
    "{'certificate':'/odd.crt','names':[1,null],'listeners':7}]}";
static const char revocations[] = "{'certificates':[],'revocations':[{'file':'/"
				  "r.crl','days':3,'alarm':true,'listeners':['a','b']},"
				  "{'file':'/old.crl','days':-1,'alarm':true,'listeners':['a']},"
				  "{'file':'/no_end.crl','days':null,'listeners':[]}]}";

static void
test_table(void **state)
{
	const struct look plain = { 0, false };
	json_t *json = json_of(answer);
	struct text page;

	(void)state;
	page_begin(&page);
	certificates_view_print(json, plain, &page);
	page_expect(&page,
	    "CERTIFICATE             DAYS  KIND   NAMES                          ISSUER   "
	    "LISTENERS\n"
	    "/etc/lbpair/www.crt       80  ECDSA  www.example.org *.example.org  CN=R3    a b\n"
	    "/old.crt             expired  RSA                                   CN=\\x1b  a\n"
	    "/odd.crt                   0          \n");
	json_decref(json);
}

static void
test_revocations(void **state)
{
	const struct look plain = { 0, false };
	json_t *json = json_of(revocations);
	struct text page;

	(void)state;
	page_begin(&page);
	certificates_view_print(json, plain, &page);
	page_expect(&page,
	    "CERTIFICATE  DAYS  KIND  NAMES  ISSUER  LISTENERS\n"
	    "\n"
	    "REVOCATION LIST     DAYS  LISTENERS\n"
	    "/r.crl                 3  a b\n"
	    "/old.crl         expired  a\n"
	    "/no_end.crl            -\n");
	json_decref(json);
}

static void
test_find(void **state)
{
	json_t *json = json_of(answer);
	const json_t *row = certificates_view_find(json, "/old.crt");

	(void)state;
	assert_non_null(row);
	assert_true(str_eq(member_text(row, "key"), STR("/old.key")));
	assert_null(certificates_view_find(json, "/old"));
	assert_null(certificates_view_find(json, ""));
	json_decref(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_revocations),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, locale_set, NULL);
}
