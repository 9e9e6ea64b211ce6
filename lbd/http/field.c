/* field.c - field names: which one is it, and what may be done with it. */
#include "lbd/http/field.h"

#include "lbd/http/word.h"

enum {
	FIELDS_UNDROPPABLE = FIELDS_ONE_HOP | FIELD_BIT(FIELD_FORWARDED) | FIELD_BIT(FIELD_VIA) |
	    FIELD_BIT(FIELD_X_FORWARDED_FOR) | FIELD_BIT(FIELD_X_FORWARDED_HOST) |
	    FIELD_BIT(FIELD_X_FORWARDED_PROTO) | FIELD_BIT(FIELD_LIKE_FORWARDING)
};

/* "Content_Length", "Transfer.Encoding".  Kept out of line: field_id_of is short without it. */
__attribute__((noinline)) static enum field_id
id_like_framing(struct str name)
{
	if (word_resembles(name, "content-length") || word_resembles(name, "transfer-encoding"))
		return FIELD_LIKE_FRAMING;
	return FIELD_OTHER;
}

/* "X-Forwarded-Port", "X_Forwarded_For", "X.Request.Id". */
__attribute__((noinline)) static enum field_id
id_like_forwarding(struct str name)
{
	static const struct str x_forwarded = STR("x-forwarded");

	if (word_resembles((struct str){ name.p, x_forwarded.n }, x_forwarded.p) ||
	    word_resembles(name, "x-request-id"))
		return FIELD_LIKE_FORWARDING;
	return FIELD_OTHER;
}

/* A name of 11 bytes or more that is none of ours, but a server may take it for one. */
static inline enum field_id
id_of_long(struct str name)
{
	if (word_one(name.p[0], 'x'))
		return id_like_forwarding(name);
	return name.n == 14 || name.n == 17 ? id_like_framing(name) : FIELD_OTHER;
}

static inline enum field_id
id_of_4(struct str name)
{
	if (word_is(name, "host"))
		return FIELD_HOST;
	return word_is(name, "date") ? FIELD_DATE : FIELD_OTHER;
}

static inline enum field_id
id_of_6(struct str name)
{
	if (word_is(name, "cookie"))
		return FIELD_COOKIE;
	return word_is(name, "expect") ? FIELD_EXPECT : FIELD_OTHER;
}

static inline enum field_id
id_of_7(struct str name)
{
	if (word_is(name, "referer"))
		return FIELD_REFERER;
	if (word_is(name, "upgrade"))
		return FIELD_UPGRADE;
	return word_is(name, "trailer") ? FIELD_TRAILER : FIELD_OTHER;
}

static inline enum field_id
id_of_10(struct str name)
{
	if (word_is(name, "user-agent"))
		return FIELD_USER_AGENT;
	if (word_is(name, "connection"))
		return FIELD_CONNECTION;
	return word_is(name, "keep-alive") ? FIELD_KEEP_ALIVE : FIELD_OTHER;
}

static inline enum field_id
id_of_14(struct str name)
{
	if (word_is(name, "content-length"))
		return FIELD_CONTENT_LENGTH;
	return word_is(name, "http2-settings") ? FIELD_HTTP2_SETTINGS : id_of_long(name);
}

static inline enum field_id
id_of_16(struct str name)
{
	if (word_is(name, "x-forwarded-host"))
		return FIELD_X_FORWARDED_HOST;
	return word_is(name, "proxy-connection") ? FIELD_PROXY_CONNECTION : id_of_long(name);
}

static inline enum field_id
id_of_17(struct str name)
{
	if (word_is(name, "x-forwarded-proto"))
		return FIELD_X_FORWARDED_PROTO;
	return word_is(name, "transfer-encoding") ? FIELD_TRANSFER_ENCODING : id_of_long(name);
}

enum field_id
field_id_of(struct str name)
{
	switch (name.n) {
	case 2:
		return word_is(name, "te") ? FIELD_TE : FIELD_OTHER;
	case 3:
		return word_is(name, "via") ? FIELD_VIA : FIELD_OTHER;
	case 4:
		return id_of_4(name);
	case 6:
		return id_of_6(name);
	case 7:
		return id_of_7(name);
	case 9:
		return word_is(name, "forwarded") ? FIELD_FORWARDED : FIELD_OTHER;
	case 10:
		return id_of_10(name);
	case 11:
		return word_is(name, "retry-after") ? FIELD_RETRY_AFTER : id_of_long(name);
	case 12:
		return word_is(name, "x-request-id") ? FIELD_X_REQUEST_ID : id_of_long(name);
	case 14:
		return id_of_14(name);
	case 15:
		return word_is(name, "x-forwarded-for") ? FIELD_X_FORWARDED_FOR : id_of_long(name);
	case 16:
		return id_of_16(name);
	case 17:
		return id_of_17(name);
	}
	return name.n > 12 ? id_of_long(name) : FIELD_OTHER;
}

bool
field_droppable(enum field_id id)
{
	return !field_among(id, FIELDS_UNDROPPABLE);
}

/* Everything that framing, routing, authentication or the meaning of the content depends on. */
static const char *const not_in_trailer[] = {
	"accept-encoding",
	"age",
	"authorization",
	"cache-control",
	"connection",
	"cookie",
	"date",
	"expect",
	"expires",
	"forwarded",
	"host",
	"http2-settings",
	"keep-alive",
	"location",
	"max-forwards",
	"pragma",
	"range",
	"retry-after",
	"set-cookie",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"vary",
	"via",
	"warning",
	"www-authenticate",
	"x-real-ip",
	"x-request-id",
};

static const char *const not_starting_trailer[] = { "client-cert", "content-", "if-", "proxy-",
	"ssl-", "x-client-", "x-forwarded", "x-ssl-" };

bool
field_in_trailer(struct str name)
{
	for (size_t i = 0; i < sizeof(not_in_trailer) / sizeof(not_in_trailer[0]); i++)
		if (word_resembles(name, not_in_trailer[i]))
			return false;
	for (size_t i = 0; i < sizeof(not_starting_trailer) / sizeof(not_starting_trailer[0]);
	     i++) {
		size_t n = strlen(not_starting_trailer[i]);

		if (name.n >= n &&
		    word_resembles((struct str){ name.p, n }, not_starting_trailer[i]))
			return false;
	}
	return true;
}
