/* config_kinds.c - values that only hafailover.json has: addresses without ports, VIPs, the lease. */
#include <stdio.h>

#include "common/clock.h"
#include "common/units.h"
#include "hafailover/config/config_schema.h"

enum { LEASE_MAX_S = 60 };

static struct str
value_str(const json_t *value)
{
	return (struct str){ json_string_value(value), json_string_length(value) };
}

static void
host_decode(struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	char quoted[JSON_SHOWN_MAX];

	if (!json_is_string(at->value)) {
		json_config_mistyped(d, at, f);
		return;
	}
	if (address_parse_host(to, value_str(at->value)))
		return;
	memset(to, 0, f->size);
	json_config_quote(value_str(at->value), quoted);
	json_config_complain(d, at, "%s is not an IPv4 or IPv6 address", quoted);
}

static json_t *
host_encode(const struct json_field *f, const void *from)
{
	char text[ADDRESS_TEXT_MAX];

	(void)f;
	return json_stringn(text, address_format_host(from, text));
}

static void
host_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "an IPv4 or IPv6 address");
}

const struct json_kind ha_kind_host = { host_decode, host_encode, host_describe };

/* Digits up to that number; false: something else. */
static bool
prefix_parse(struct str s, uint32_t max, uint32_t *prefix)
{
	uint32_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || v > max)
			return false;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	*prefix = v;
	return s.n > 0 && v > 0 && v <= max;
}

static uint32_t
width(const struct address *a)
{
	return a->sa.sa_family == AF_INET ? 32 : 128;
}

static void
vip_address_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	struct str s = value_str(at->value);
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	struct str host = { s.p, slash ? (size_t)(slash - s.p) : s.n };
	uint32_t *prefix = json_config_beside(f, to);
	char quoted[JSON_SHOWN_MAX];
	struct address *a = to;

	if (!json_is_string(at->value)) {
		json_config_mistyped(d, at, f);
		return;
	}
	json_config_quote(s, quoted);
	if (!address_parse_host(a, host)) {
		memset(a, 0, sizeof(*a));
		json_config_complain(
		    d, at, "%s is not an address, expected ADDRESS or ADDRESS/LENGTH", quoted);
		return;
	}
	*prefix = width(a);
	if (slash && !prefix_parse(str_skip(s, host.n + 1), width(a), prefix))
		json_config_complain(
		    d, at, "%s: the prefix length is not a number in 1..%u", quoted, width(a));
}

static json_t *
vip_address_encode(const struct json_field *f, const void *from)
{
	const uint32_t *prefix = json_config_beside_const(f, from);
	char text[ADDRESS_TEXT_MAX];

	address_format_host(from, text);
	return json_sprintf("%s/%u", text, *prefix);
}

static void
vip_address_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "\"ADDRESS\" or \"ADDRESS/LENGTH\"");
}

const struct json_kind ha_kind_vip_address = { vip_address_decode, vip_address_encode,
	vip_address_describe };

/* The row of the address within a VIP's object: a text is the same as an object with only that. */
static const struct json_field *
address_row(const struct json_field *f)
{
	return &f->object[0];
}

static void
vip_decode(struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	const struct json_field *row = address_row(f);

	if (json_is_string(at->value))
		row->kind->decode(d, at, row, (char *)to + row->offset);
	else if (json_is_object(at->value))
		json_kind_object.decode(d, at, f, to);
	else
		json_config_mistyped(d, at, f);
}

static json_t *
vip_encode(const struct json_field *f, const void *from)
{
	const struct json_field *row = address_row(f);
	const struct ha_vip_config *vip = from;

	if (vip->interface.n)
		return json_kind_object.encode(f, from);
	return row->kind->encode(row, (const char *)from + row->offset);
}

static void
vip_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "\"ADDRESS[/LENGTH]\" or { \"address\", \"interface\" }");
}

const struct json_kind ha_kind_vip = { vip_decode, vip_encode, vip_describe };

static void
lease_decode(struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	struct str s = value_str(at->value);
	char quoted[JSON_SHOWN_MAX];
	int64_t *ns = to;

	*ns = 0;
	if (!s.p) {
		json_config_mistyped(d, at, f);
		return;
	}
	if (str_eq(s, STR("off")))
		return;
	if (duration_parse(s, ns) == 0 && *ns >= NS_PER_S && *ns <= LEASE_MAX_S * NS_PER_S &&
	    *ns % NS_PER_S == 0)
		return;
	json_config_quote(s, quoted);
	json_config_complain(d, at,
	    "%s is not a lease, expected whole seconds in \"1s\"..\"1m\", or \"off\"", quoted);
}

static json_t *
lease_encode(const struct json_field *f, const void *from)
{
	return *(const int64_t *)from == 0 ? json_string("off")
					   : json_kind_duration.encode(f, from);
}

static void
lease_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "whole seconds in \"1s\"..\"1m\", or \"off\"");
}

const struct json_kind ha_kind_lease = { lease_decode, lease_encode, lease_describe };
