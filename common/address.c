/*
 * address.c - text to socket address and back.
 *
 * An IPv6 address that is an IPv4 address in disguise (::ffff:a.b.c.d, what a dual-stack socket
 * reports) is treated as that IPv4 address: when parsed, in logs and in networks.
 */
#include "common/address.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

enum { MAPPED_BITS = 96 };

/* A NUL-terminated copy for inet_pton; false when it cannot be an address. */
static bool
copy_text(struct str s, char *to, size_t size)
{
	if (s.n == 0 || s.n >= size || memchr(s.p, 0, s.n))
		return false;
	memcpy(to, s.p, s.n);
	to[s.n] = 0;
	return true;
}

static int
unix_parse(struct address *a, struct str path, struct err *err)
{
	memset(a, 0, sizeof(*a));
	if (path.n == 0 || path.p[0] != '/')
		return err_set(err, -EINVAL, "a unix socket needs an absolute path: unix:/PATH");
	if (path.n >= sizeof(a->un.sun_path))
		return err_set(err, -EINVAL, "the path has %zu bytes, a unix socket's at most %zu",
		    path.n, sizeof(a->un.sun_path) - 1);
	if (!copy_text(path, a->un.sun_path, sizeof(a->un.sun_path)))
		return err_set(err, -EINVAL, "the path holds a NUL byte");
	a->un.sun_family = AF_UNIX;
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	return 0;
}

static int
port_parse(struct str s, in_port_t *port, struct err *err)
{
	unsigned v = 0;
	size_t i;

	for (i = 0; i < s.n && i < 5 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		v = v * 10 + (unsigned)(s.p[i] - '0');
	if (i == 0 || i < s.n || v > 65535)
		return err_set(err, -EINVAL, "the port is not a number up to 65535");
	*port = htons((uint16_t)v);
	return 0;
}

/* "[v6]:port" or "host:port" into its halves. */
static int
split_port(struct str text, struct str *host, struct str *port, struct err *err)
{
	const char *colon = memrchr(text.p, ':', text.n);

	if (!colon || (text.p[0] == '[' && colon[-1] != ']'))
		return err_set(err, -EINVAL, "the port is missing");
	*host = (struct str){ text.p, (size_t)(colon - text.p) };
	*port = (struct str){ colon + 1, text.n - host->n - 1 };
	return 0;
}

bool
ip_is_mapped(const uint8_t bytes[16])
{
	return memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static int
in6_parse(struct address *a, struct str host, in_port_t port, struct err *err)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	if (!copy_text(host, text, sizeof(text)) || inet_pton(AF_INET6, text, &in6) != 1)
		return err_set(err, -EINVAL, "the part in brackets is not an IPv6 address");
	if (ip_is_mapped(in6.s6_addr)) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = port;
		memcpy(&a->in.sin_addr, in6.s6_addr + 12, 4);
		a->len = sizeof(a->in);
		return 0;
	}
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = port;
	a->in6.sin6_addr = in6;
	a->len = sizeof(a->in6);
	return 0;
}

static int
in_parse(struct address *a, struct str host, in_port_t port, struct err *err)
{
	char text[INET_ADDRSTRLEN];

	if (str_eq(host, STR("*")))
		return err_set(err, -EINVAL, "for any address write 0.0.0.0 (IPv4) or [::] (IPv6)");
	if (memchr(host.p, ':', host.n))
		return err_set(err, -EINVAL, "an IPv6 address needs brackets: [ADDRESS]:PORT");
	a->in.sin_family = AF_INET;
	a->in.sin_port = port;
	a->len = sizeof(a->in);
	if (!copy_text(host, text, sizeof(text)) || inet_pton(AF_INET, text, &a->in.sin_addr) != 1)
		return err_set(err, -EINVAL, "the part before the port is not an IPv4 address");
	return 0;
}

int
address_parse(struct address *a, struct str text, struct err *err)
{
	struct str host = { NULL, 0 }, number = { NULL, 0 };
	in_port_t port = 0;
	int rc;

	if (str_starts(text, STR("unix:")))
		return unix_parse(a, str_skip(text, 5), err);
	memset(a, 0, sizeof(*a));
	if (text.n == 0)
		return err_set(err, -EINVAL, "it is empty");
	if ((rc = split_port(text, &host, &number, err)) < 0)
		return rc;
	if ((rc = port_parse(number, &port, err)) < 0)
		return rc;
	if (host.n >= 2 && host.p[0] == '[')
		return in6_parse(a, (struct str){ host.p + 1, host.n - 2 }, port, err);
	return in_parse(a, host, port, err);
}

bool
address_parse_host(struct address *a, struct str text)
{
	bool v6 = text.n && memchr(text.p, ':', text.n);
	struct err err;

	memset(a, 0, sizeof(*a));
	return (v6 ? in6_parse(a, text, 0, &err) : in_parse(a, text, 0, &err)) == 0;
}

bool
address_ip(const struct address *a, uint8_t bytes[16])
{
	switch (a->sa.sa_family) {
	case AF_INET:
		memcpy(bytes, mapped_prefix, sizeof(mapped_prefix));
		memcpy(bytes + 12, &a->in.sin_addr, 4);
		return true;
	case AF_INET6:
		memcpy(bytes, &a->in6.sin6_addr, 16);
		return true;
	default:
		return false;
	}
}

size_t
address_format(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN];
	int n;

	switch (a->sa.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		n = snprintf(text, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(a->in.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		n = snprintf(text, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(a->in6.sin6_port));
		break;
	default: /* the client's end of a unix socket has no path */
		n = snprintf(text, ADDRESS_TEXT_MAX, "unix:%.*s",
		    a->len > offsetof(struct sockaddr_un, sun_path) ? (int)sizeof(a->un.sun_path)
								    : 0,
		    a->un.sun_path);
	}
	return (size_t)n;
}

size_t
address_format_host(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
	uint8_t bytes[16];

	if (!address_ip(a, bytes)) {
		memcpy(text, "unix", 5);
		return 4;
	}
	if (ip_is_mapped(bytes))
		inet_ntop(AF_INET, bytes + 12, text, ADDRESS_TEXT_MAX);
	else
		inet_ntop(AF_INET6, bytes, text, ADDRESS_TEXT_MAX);
	return strlen(text);
}

bool
address_equal(const struct address *a, const struct address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	switch (a->sa.sa_family) {
	case AF_INET:
		return a->in.sin_port == b->in.sin_port &&
		    a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_port == b->in6.sin6_port &&
		    a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		    memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
	case AF_UNIX:
		return a->len == b->len &&
		    memcmp(a->un.sun_path, b->un.sun_path,
			a->len - offsetof(struct sockaddr_un, sun_path)) == 0;
	default: /* filled in by nobody */
		return false;
	}
}

/* The first n bits of a word, in network order. */
static uint64_t
leading_bits(unsigned n)
{
	if (n == 0)
		return 0;
	return n < 64 ? htobe64(~(UINT64_MAX >> n)) : UINT64_MAX;
}

bool
network_mask(uint8_t bytes[16], unsigned prefix)
{
	uint64_t words[2], kept[2];

	memcpy(words, bytes, sizeof(words));
	kept[0] = words[0] & leading_bits(prefix);
	kept[1] = words[1] & leading_bits(prefix > 64 ? prefix - 64 : 0);
	memcpy(bytes, kept, sizeof(kept));
	return kept[0] == words[0] && kept[1] == words[1];
}

static int
prefix_parse(struct str s, unsigned width, unsigned *prefix)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 3)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	*prefix = v;
	return v <= width ? 0 : -EINVAL;
}

int
network_parse(struct network *n, struct str text, struct err *err)
{
	const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	struct str host = { text.p, slash ? (size_t)(slash - text.p) : text.n };
	char copy[INET6_ADDRSTRLEN], right[ADDRESS_TEXT_MAX];
	unsigned width = 128, prefix;

	memset(n, 0, sizeof(*n));
	if (!copy_text(host, copy, sizeof(copy)))
		return err_set(err, -EINVAL, "it holds no IPv4 or IPv6 address");
	if (inet_pton(AF_INET, copy, n->bytes + 12) == 1) {
		memcpy(n->bytes, mapped_prefix, sizeof(mapped_prefix));
		width = 32;
	} else if (inet_pton(AF_INET6, copy, n->bytes) != 1) {
		return err_set(err, -EINVAL, "it holds no IPv4 or IPv6 address");
	}
	prefix = width;
	if (slash && prefix_parse(str_skip(text, host.n + 1), width, &prefix) < 0)
		return err_set(err, -EINVAL, "the prefix length is not a number in 0..%u", width);
	n->prefix = (uint8_t)(prefix + 128 - width);
	if (!network_mask(n->bytes, n->prefix)) {
		network_format(n, right);
		return err_set(
		    err, -EINVAL, "it has bits beyond its prefix length; write %s", right);
	}
	return 0;
}

size_t
network_format(const struct network *n, char text[ADDRESS_TEXT_MAX])
{
	bool v4 = n->prefix >= MAPPED_BITS && ip_is_mapped(n->bytes);
	unsigned prefix = v4 ? n->prefix - (unsigned)MAPPED_BITS : n->prefix;
	size_t len;

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? n->bytes + 12 : n->bytes, text, ADDRESS_TEXT_MAX);
	len = strlen(text);
	return len + (size_t)snprintf(text + len, ADDRESS_TEXT_MAX - len, "/%u", prefix);
}

bool
network_holds(const struct network *n, const struct address *a)
{
	uint8_t bytes[16];

	if (!address_ip(a, bytes))
		return false;
	if (ip_is_mapped(bytes) && n->prefix < MAPPED_BITS)
		return false;
	network_mask(bytes, n->prefix);
	return memcmp(bytes, n->bytes, 16) == 0;
}
