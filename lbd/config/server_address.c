/* server_address.c - the kind of value that only lbd.json has: where a server is, by address or by name. */
#include "lbd/config/schema.h"

#include <errno.h>
#include <stdio.h>

/* Its last label is a number, as in IPv4 addresses: a mistyped one is no name to look up. */
static bool
ends_in_number(struct str host)
{
	const char *dot = memrchr(host.p, '.', host.n);
	struct str label = dot ? str_skip(host, (size_t)(dot + 1 - host.p)) : host;
	size_t digits = 0;

	while (digits < label.n && label.p[digits] >= '0' && label.p[digits] <= '9')
		digits++;
	return digits == label.n || str_starts(label, STR("0x"));
}

static bool
is_host_name(struct str host)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	if (host.n == 0 || host.n > 253 || host.p[0] == '.' || host.p[0] == '-')
		return false;
	for (size_t i = 0; i < host.n; i++)
		if (!strchr(allowed, host.p[i]))
			return false;
	host.n -= host.p[host.n - 1] == '.'; /* the root */
	return !ends_in_number(host);
}

/* "NAME:PORT": the port as address_parse reads it.  The address of a name is not known here: its length is 0. */
static int
parse(struct str text, struct address *a, struct err *err)
{
	const char *colon = memrchr(text.p, ':', text.n);
	struct str host = { text.p, colon ? (size_t)(colon - text.p) : text.n };
	char any[32];
	int code;

	if (!colon || str_starts(text, STR("unix:")) || !is_host_name(host))
		return address_parse(a, text, err);
	snprintf(any, sizeof(any), "0.0.0.0:%.*s", (int)(text.n - host.n - 1), colon + 1);
	code = address_parse(a, str_of(any), err);
	if (!code && a->in.sin_port == 0)
		code = err_set(err, -EINVAL, "port 0 is outside 1..65535");
	memset(a, 0, sizeof(*a));
	return code;
}

static void
server_address_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	struct str s = { json_string_value(at->value), json_string_length(at->value) };
	struct str *text = json_config_beside(f, to);
	char quoted[JSON_SHOWN_MAX];
	struct err err;

	if (!s.p) {
		json_config_mistyped(d, at, f);
		return;
	}
	if (parse(s, to, &err) == 0) {
		*text = arena_str(d->arena, s);
		return;
	}
	memset(to, 0, f->size);
	json_config_quote(s, quoted);
	json_config_complain(d, at, "%s is not an address: %s", quoted, err.text);
}

static json_t *
server_address_encode(const struct json_field *f, const void *from)
{
	const struct str *text = json_config_beside_const(f, from);

	return json_stringn(text->p, text->n);
}

static void
server_address_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "\"HOST:PORT\", \"[IPV6]:PORT\" or \"unix:/PATH\"");
}

const struct json_kind config_kind_server_address = { server_address_decode, server_address_encode,
	server_address_describe };
