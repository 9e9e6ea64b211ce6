/* field.c - field names: which one is it, and what may be done with it. */
#include "lbd/http/field.h"

#include "lbd/http/scan.h"
#include "lbd/http/word.h"

static enum field_id
id_of_10(struct str name)
{
	if (word_is(name, "user-agent"))
		return FIELD_USER_AGENT;
	if (word_is(name, "connection"))
		return FIELD_CONNECTION;
	return word_is(name, "keep-alive") ? FIELD_KEEP_ALIVE : FIELD_OTHER;
}

static enum field_id
id_of_7(struct str name)
{
	if (word_is(name, "referer"))
		return FIELD_REFERER;
	if (word_is(name, "upgrade"))
		return FIELD_UPGRADE;
	return word_is(name, "trailer") ? FIELD_TRAILER : FIELD_OTHER;
}

static enum field_id
id_of_14(struct str name)
{
	if (word_is(name, "content-length"))
		return FIELD_CONTENT_LENGTH;
	return word_is(name, "http2-settings") ? FIELD_HTTP2_SETTINGS : FIELD_OTHER;
}

static enum field_id
id_of_16(struct str name)
{
	if (word_is(name, "x-forwarded-host"))
		return FIELD_X_FORWARDED_HOST;
	return word_is(name, "proxy-connection") ? FIELD_PROXY_CONNECTION : FIELD_OTHER;
}

static enum field_id
id_of_17(struct str name)
{
	if (word_is(name, "x-forwarded-proto"))
		return FIELD_X_FORWARDED_PROTO;
	return word_is(name, "transfer-encoding") ? FIELD_TRANSFER_ENCODING : FIELD_OTHER;
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
		if (word_is(name, "host"))
			return FIELD_HOST;
		return word_is(name, "date") ? FIELD_DATE : FIELD_OTHER;
	case 6:
		if (word_is(name, "cookie"))
			return FIELD_COOKIE;
		return word_is(name, "expect") ? FIELD_EXPECT : FIELD_OTHER;
	case 7:
		return id_of_7(name);
	case 9:
		return word_is(name, "forwarded") ? FIELD_FORWARDED : FIELD_OTHER;
	case 10:
		return id_of_10(name);
	case 11:
		return word_is(name, "retry-after") ? FIELD_RETRY_AFTER : FIELD_OTHER;
	case 12:
		return word_is(name, "x-request-id") ? FIELD_X_REQUEST_ID : FIELD_OTHER;
	case 14:
		return id_of_14(name);
	case 15:
		return word_is(name, "x-forwarded-for") ? FIELD_X_FORWARDED_FOR : FIELD_OTHER;
	case 16:
		return id_of_16(name);
	case 17:
		return id_of_17(name);
	}
	return FIELD_OTHER;
}

static const bool one_hop[FIELD_ID_COUNT] = {
	[FIELD_CONNECTION] = true,
	[FIELD_CONTENT_LENGTH] = true,
	[FIELD_EXPECT] = true,
	[FIELD_HOST] = true,
	[FIELD_HTTP2_SETTINGS] = true,
	[FIELD_KEEP_ALIVE] = true,
	[FIELD_PROXY_CONNECTION] = true,
	[FIELD_TE] = true,
	[FIELD_TRANSFER_ENCODING] = true,
	[FIELD_UPGRADE] = true,
};

bool
field_one_hop(enum field_id id)
{
	return one_hop[id];
}

/* With any separator: "x-forwarded", "X_Forwarded_For". */
static bool
starts_x_forwarded(struct str name)
{
	return name.n >= 11 && word_resembles((struct str){ name.p, 11 }, "x-forwarded");
}

bool
field_droppable(enum field_id id, struct str name)
{
	return id != FIELD_FORWARDED && id != FIELD_VIA && !starts_x_forwarded(name);
}

bool
field_resembles_framing(struct str name)
{
	if (name.n == 14)
		return word_resembles(name, "content-length");
	return name.n == 17 && word_resembles(name, "transfer-encoding");
}

bool
field_resembles_forwarding(struct str name)
{
	if (name.n < 9 || (name.p[0] | 0x20) != 'x')
		return name.n == 9 && word_is(name, "forwarded");
	return starts_x_forwarded(name) || word_resembles(name, "x-request-id");
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

static const char *const not_starting_trailer[] = { "content-", "if-", "proxy-", "x-forwarded" };

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
