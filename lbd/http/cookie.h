/*
 * cookie.h - the cookies of a request, and the field that sets one.  Pure.
 *
 * Read as RFC 6265 section 5.4 has browsers write them: between semicolons stand a name and a value, with the
 * first '=' between; blanks around both mean nothing, quotes are bytes like any other, and case matters.  Whatever
 * it holds, a field is read to its end, and what is not asked for stays as it is.
 */
#ifndef LBD_HTTP_COOKIE_H
#define LBD_HTTP_COOKIE_H

#include "lbd/http/h1_format.h"

/* The value of the first cookie of that name in a Cookie field; false: there is none. */
bool cookie_find(struct str field, struct str name, struct str *value);

/*
 * Takes all cookies of that name out of a field: how many there were, the values of the first COOKIE_VALUES, and
 * in `out`, which has room for field.n bytes, the *left bytes of the others.  0: there is nothing in `out`.
 */
enum { COOKIE_VALUES = 4 };
unsigned cookie_take(
    struct str field, struct str name, struct str values[COOKIE_VALUES], char *out, size_t *left);

enum cookie_same_site { SAME_SITE_LAX, SAME_SITE_STRICT, SAME_SITE_NONE };

struct cookie_attributes {
	struct str domain; /* empty: the host that it comes from, alone */
	struct str path;
	int64_t max_age_s; /* 0: as long as the browser runs */
	enum cookie_same_site same_site;
	bool secure, http_only;
};

/* The value of a Set-Cookie field.  Browsers refuse "none" without Secure: then nothing is said. */
void
cookie_write(struct writer *, struct str name, struct str value, const struct cookie_attributes *);

#endif
