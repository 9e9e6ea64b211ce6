/*
 * cookie.h - the cookies of a request, and the field that sets one.  Pure.
 *
 * Read as RFC 6265 section 5.4 has browsers write them: between semicolons stand a name and a value, with the
 * first '=' between; blanks around both mean nothing, quotes are bytes like any other, and case matters.  A piece
 * without a name is nobody's.  Whatever it holds, a field is read to its end, and what is not asked for stays as
 * it is.
 */
#ifndef LBD_HTTP_COOKIE_H
#define LBD_HTTP_COOKIE_H

#include "lbd/http/h1_format.h"

struct cookie {
	struct str name, value;
};

/* Cuts the next one off the value of a Cookie field.  False at its end. */
bool cookie_next(struct str *left, struct cookie *);

/* The field's value without those of that name, into `out`, which has room for field.n bytes.  Its length. */
size_t cookie_remove(struct str field, struct str name, char *out);

enum cookie_same_site { SAME_SITE_LAX, SAME_SITE_STRICT, SAME_SITE_NONE };

struct cookie_attributes {
	struct str path;
	int64_t max_age_s; /* 0: as long as the browser runs */
	enum cookie_same_site same_site;
	bool secure, http_only;
};

/* The value of a Set-Cookie field.  Browsers refuse "none" without Secure: then nothing is said. */
void cookie_write(struct writer *, const struct cookie *, const struct cookie_attributes *);

#endif
