/* server_address.c - the kind of value that only lbd.json has: where a server is, by address or by name. */
#include "lbd/config/schema.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>

int
config_resolve(const char *name, struct address *a, struct err *err)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *first;
	int rc = getaddrinfo(name, NULL, &hints, &list);

	if (rc != 0)
		return err_set(
		    err, -ENOENT, "%s", rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	first = list;
	while (first->ai_family != AF_INET && first->ai_next)
		first = first->ai_next;
	if (first->ai_family != AF_INET)
		first = list;
	memset(a, 0, sizeof(*a));
	memcpy(&a->sa, first->ai_addr, first->ai_addrlen);
	a->len = first->ai_addrlen;
	freeaddrinfo(list);
	return 0;
}

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

/* "NAME:PORT": the port as address_parse reads it, the rest by the resolver. */
static int
parse_name(
    struct str text, const struct config_options *options, struct address *a, struct err *err)
{
	const char *colon = memrchr(text.p, ':', text.n);
	struct str host = { text.p, colon ? (size_t)(colon - text.p) : text.n };
	char any[32], name[256];
	in_port_t port;
	int rc;

	if (!colon || str_starts(text, STR("unix:")) || !is_host_name(host))
		return address_parse(a, text, err);
	snprintf(any, sizeof(any), "0.0.0.0:%.*s", (int)(text.n - host.n - 1), colon + 1);
	if ((rc = address_parse(a, str_of(any), err)) < 0)
		return rc;
	port = a->in.sin_port;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(host));
	rc = (options->resolve ? options->resolve : config_resolve)(name, a, err);
	if (rc < 0)
		return rc;
	a->in.sin_port = port; /* sin6_port lies at the same place */
	return 0;
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
	if (parse_name(s, d->context, to, &err) == 0) {
		*text = arena_str(d->arena, s);
		return;
	}
	memset(to, 0, f->size);
	json_config_quote(s, quoted);
	json_config_complain(d, at,
	    err.code == -EINVAL ? "%s is not an address: %s" : "%s cannot be resolved: %s", quoted,
	    err.text);
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
