/*
 * proxy_header.c - the line, the binary form, and what may follow the addresses in the latter.
 *
 * A verdict depends only on bytes that are here, and the first fault in the order of the bytes decides: in whatever
 * pieces a header comes, the answer is the same.
 */
#include "lbd/http/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "common/check.h"
#include "lbd/http/h1_format.h"

enum {
	LINE_MAX = 107, /* with CRLF */
	FIXED_SIZE = 16, /* of version 2: signature, version and command, family, length */
	VERSION_AT = 12,
	FAMILY_AT = 13,
	LENGTH_AT = 14,
	EXTENSION_SIZE = 3, /* type, and length of the value */
	CHECKSUM_SIZE = 4
};

/* The bytes of version 2, where each nibble is a word of its own. */
enum { VERSION_2 = 2, COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { FAMILY_NONE, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX, FAMILIES };
enum { TRANSPORT_NONE, TRANSPORT_STREAM, TRANSPORT_DATAGRAM, TRANSPORTS };

/* Types of what follows the addresses. */
enum {
	TYPE_ALPN = 0x01,
	TYPE_AUTHORITY = 0x02,
	TYPE_CHECKSUM = 0x03,
	TYPE_TLS = 0x20,
	TYPE_TLS_VERSION = 0x21,
	TYPE_TLS_COMMON_NAME = 0x22
};
enum { TLS_USED = 1, TLS_CERTIFICATE_NOW = 2, TLS_CERTIFICATE = 4 };

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

const char *
proxy_fault_name(enum proxy_fault f)
{
	static const char *const names[PROXY_FAULTS] = {
		[PROXY_NO_FAULT] = "none",
		[PROXY_MISSING] = "missing",
		[PROXY_LINE] = "line",
		[PROXY_ADDRESS] = "address",
		[PROXY_VERSION] = "version",
		[PROXY_FAMILY] = "family",
		[PROXY_LENGTH] = "length",
		[PROXY_EXTENSION] = "extension",
		[PROXY_CHECKSUM] = "checksum",
		[PROXY_TIMEOUT] = "timeout",
		[PROXY_CLOSED] = "closed",
	};

	return names[f];
}

static bool
is_mapped(const struct proxy_end *e)
{
	return memcmp(e->ip, mapped, sizeof(mapped)) == 0;
}

static void
set_ipv4(struct proxy_end *e, const char *four)
{
	memcpy(e->ip, mapped, sizeof(mapped));
	memcpy(e->ip + sizeof(mapped), four, 4);
}

/* --- version 1 --- */

/* Up to the next blank, which goes too. */
static struct str
word_take(struct str *line)
{
	const char *blank = line->n ? memchr(line->p, ' ', line->n) : NULL;
	struct str word = { line->p, blank ? (size_t)(blank - line->p) : line->n };

	*line = str_skip(*line, word.n + (blank != NULL));
	return word;
}

static bool
ip_parse(int family, struct str word, struct proxy_end *e)
{
	char text[INET6_ADDRSTRLEN], four[4];

	if (word.n == 0 || word.n >= sizeof(text) || memchr(word.p, 0, word.n))
		return false;
	memcpy(text, word.p, word.n);
	text[word.n] = 0;
	if (family == AF_INET6)
		return inet_pton(AF_INET6, text, e->ip) == 1;
	if (inet_pton(AF_INET, text, four) != 1)
		return false;
	set_ipv4(e, four);
	return true;
}

static bool
port_parse(struct str word, uint16_t *port)
{
	uint32_t v = 0;

	if (word.n == 0 || word.n > 5 || (word.p[0] == '0' && word.n > 1))
		return false;
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(word.p[i] - '0');
	}
	*port = (uint16_t)v;
	return v <= UINT16_MAX;
}

/* "SOURCE DESTINATION PORT PORT" */
static enum proxy_fault
ends_parse(int family, struct str line, struct proxy_header *h)
{
	struct str source = word_take(&line), destination = word_take(&line);
	struct str port = word_take(&line);

	h->kind = PROXY_TCP;
	return ip_parse(family, source, &h->source) &&
		ip_parse(family, destination, &h->destination) &&
		port_parse(port, &h->source.port) && port_parse(line, &h->destination.port)
	    ? PROXY_NO_FAULT
	    : PROXY_ADDRESS;
}

/* Behind "PROXY ", without CRLF.  What an unknown protocol says of itself is nothing to us. */
static enum proxy_fault
line_parse(struct str line, struct proxy_header *h)
{
	struct str protocol = word_take(&line);

	if (str_eq(protocol, STR("TCP4")))
		return ends_parse(AF_INET, line, h);
	if (str_eq(protocol, STR("TCP6")))
		return ends_parse(AF_INET6, line, h);
	return str_eq(protocol, STR("UNKNOWN")) ? PROXY_NO_FAULT : PROXY_LINE;
}

/* The size of the line with its CRLF; 0: its end is not here; <0: it has none. */
static ssize_t
line_size(struct str in)
{
	size_t i = 0;

	while (i < in.n && i < LINE_MAX - 1 && in.p[i] != '\r' && in.p[i] != '\n')
		i++;
	if (i == LINE_MAX - 1 || (i < in.n && in.p[i] == '\n'))
		return -PROXY_LINE;
	if (i + 1 >= in.n)
		return 0;
	return in.p[i + 1] == '\n' ? (ssize_t)i + 2 : -PROXY_LINE;
}

static ssize_t
text_parse(struct str in, struct proxy_header *h)
{
	const struct str start = STR("PROXY ");
	enum proxy_fault fault;
	ssize_t size;

	if (memcmp(in.p, start.p, in.n < start.n ? in.n : start.n) != 0)
		return -PROXY_MISSING;
	size = line_size(in);
	if (size <= 0)
		return size;
	fault = line_parse((struct str){ in.p + start.n, (size_t)size - start.n - 2 }, h);
	return fault ? -(ssize_t)fault : size;
}

/* --- version 2 --- */

static size_t
get_16(const char *p)
{
	return (size_t)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

/* CRC-32C (Castagnoli), reflected: RFC 9260, appendix A. */
static uint32_t
crc_add(uint32_t crc, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= (uint8_t)p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return crc;
}

/* Over the whole header, as if the sum, at `sum`, were zeros. */
static bool
checksum_holds(struct str header, const char *sum)
{
	static const char zeros[CHECKSUM_SIZE];
	const char *behind = sum + CHECKSUM_SIZE;
	uint32_t said = (uint32_t)get_16(sum) << 16 | (uint32_t)get_16(sum + 2), crc = UINT32_MAX;

	crc = crc_add(crc, header.p, (size_t)(sum - header.p));
	crc = crc_add(crc, zeros, sizeof(zeros));
	crc = crc_add(crc, behind, (size_t)(header.p + header.n - behind));
	return ~crc == said;
}

/* What is behind the addresses: nothing of it is used, all of it must be in order. */
static enum proxy_fault
extensions_check(struct str header, struct str rest)
{
	const char *sum = NULL;
	size_t n;

	for (; rest.n; rest = str_skip(rest, EXTENSION_SIZE + n)) {
		n = rest.n < EXTENSION_SIZE ? 0 : get_16(rest.p + 1);
		if (rest.n < EXTENSION_SIZE + n)
			return PROXY_EXTENSION;
		if (rest.p[0] != TYPE_CHECKSUM)
			continue;
		if (n != CHECKSUM_SIZE || sum)
			return PROXY_EXTENSION;
		sum = rest.p + EXTENSION_SIZE;
	}
	return sum && !checksum_holds(header, sum) ? PROXY_CHECKSUM : PROXY_NO_FAULT;
}

/* Two addresses of that width, then two ports. */
static void
ends_take(const char *p, size_t width, struct proxy_header *h)
{
	const char *ports = p + 2 * width;

	if (width == 4) {
		set_ipv4(&h->source, p);
		set_ipv4(&h->destination, p + width);
	} else {
		memcpy(h->source.ip, p, width);
		memcpy(h->destination.ip, p + width, width);
	}
	h->source.port = (uint16_t)get_16(ports);
	h->destination.port = (uint16_t)get_16(ports + 2);
	h->kind = PROXY_TCP;
}

/* Of both, with their ports. */
static const size_t addresses_size[FAMILIES] = {
	[FAMILY_INET] = 2 * (4 + 2),
	[FAMILY_INET6] = 2 * (16 + 2),
	[FAMILY_UNIX] = 2 * 108,
};

/* The command is PROXY, and all of it is here.  Of datagrams there can be no TCP connection. */
static enum proxy_fault
block_parse(struct str header, unsigned family, unsigned transport, struct proxy_header *h)
{
	struct str block = str_skip(header, FIXED_SIZE);

	if (family == FAMILY_NONE) /* where its addresses end, nobody knows */
		return PROXY_NO_FAULT;
	if (transport == TRANSPORT_STREAM && family == FAMILY_UNIX)
		h->kind = PROXY_UNIX;
	else if (transport == TRANSPORT_STREAM)
		ends_take(block.p, family == FAMILY_INET ? 4 : 16, h);
	return extensions_check(header, str_skip(block, addresses_size[family]));
}

static const struct str signature = { "\r\n\r\n\0\r\nQUIT\n", VERSION_AT };

static ssize_t
binary_parse(struct str in, struct proxy_header *h)
{
	unsigned version, family;
	enum proxy_fault fault;
	size_t size;

	if (memcmp(in.p, signature.p, in.n < signature.n ? in.n : signature.n) != 0)
		return -PROXY_MISSING;
	if (in.n < FIXED_SIZE)
		return 0;
	version = (uint8_t)in.p[VERSION_AT];
	family = (uint8_t)in.p[FAMILY_AT];
	size = FIXED_SIZE + get_16(in.p + LENGTH_AT);
	if (version >> 4 != VERSION_2 || (version & 15) > COMMAND_PROXY)
		return -PROXY_VERSION;
	if (size > PROXY_HEADER_MAX)
		return -PROXY_LENGTH;
	if ((version & 15) == COMMAND_LOCAL)
		return in.n < size ? 0 : (ssize_t)size;
	if (family >> 4 >= FAMILIES || (family & 15) >= TRANSPORTS)
		return -PROXY_FAMILY;
	if (size < FIXED_SIZE + addresses_size[family >> 4])
		return -PROXY_LENGTH;
	if (in.n < size)
		return 0;
	fault = block_parse((struct str){ in.p, size }, family >> 4, family & 15, h);
	return fault ? -(ssize_t)fault : (ssize_t)size;
}

ssize_t
proxy_header_parse(struct str in, struct proxy_header *h)
{
	*h = (struct proxy_header){ 0 };
	if (in.n == 0)
		return 0;
	return in.p[0] == 'P' ? text_parse(in, h) : binary_parse(in, h);
}

/* --- writing --- */

/* Both ends are IPv4; if one is, it becomes an IPv6 address too. */
static bool
is_ipv4(const struct proxy_header *h)
{
	return is_mapped(&h->source) && is_mapped(&h->destination);
}

static void
text_write(struct writer *w, const struct proxy_header *h)
{
	bool v4 = is_ipv4(h);
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	int family = v4 ? AF_INET : AF_INET6;
	size_t skipped = v4 ? sizeof(mapped) : 0;

	if (h->kind != PROXY_TCP) {
		write_str(w, STR("PROXY UNKNOWN\r\n"));
		return;
	}
	inet_ntop(family, h->source.ip + skipped, source, sizeof(source));
	inet_ntop(family, h->destination.ip + skipped, destination, sizeof(destination));
	w->p += snprintf(w->p, (size_t)(w->end - w->p), "PROXY %s %s %s %u %u\r\n",
	    v4 ? "TCP4" : "TCP6", source, destination, h->source.port, h->destination.port);
}

static void
write_8(struct writer *w, unsigned v)
{
	const char byte = (char)v;

	write_bytes(w, &byte, 1);
}

static void
write_16(struct writer *w, size_t v)
{
	write_8(w, (unsigned)(v >> 8));
	write_8(w, (unsigned)v & 0xff);
}

static void
extension_write(struct writer *w, unsigned type, struct str value)
{
	if (value.n == 0 || value.n > PROXY_NAME_MAX)
		return;
	write_8(w, type);
	write_16(w, value.n);
	write_str(w, value);
}

/* The length that stands at `at` is that of all that was written behind it. */
static void
length_set(const struct writer *w, char *at)
{
	size_t n = (size_t)(w->p - at) - 2;

	at[0] = (char)(n >> 8);
	at[1] = (char)n;
}

static void
tls_write(struct writer *w, const struct proxy_tls *tls)
{
	unsigned flags = TLS_USED;
	char *length;

	if (tls->certificate)
		flags |= tls->resumed ? TLS_CERTIFICATE : TLS_CERTIFICATE | TLS_CERTIFICATE_NOW;
	extension_write(w, TYPE_ALPN, tls->alpn);
	extension_write(w, TYPE_AUTHORITY, tls->authority);
	write_8(w, TYPE_TLS);
	length = w->p;
	write_16(w, 0);
	write_8(w, flags);
	write_16(w, 0);
	write_16(w, !tls->certificate); /* in 32 bits, 0: a certificate, and verified */
	extension_write(w, TYPE_TLS_VERSION, tls->version);
	extension_write(w, TYPE_TLS_COMMON_NAME, tls->common_name);
	length_set(w, length);
}

static void
ends_write(struct writer *w, const struct proxy_header *h)
{
	size_t skipped = is_ipv4(h) ? sizeof(mapped) : 0;

	write_bytes(w, (const char *)h->source.ip + skipped, 16 - skipped);
	write_bytes(w, (const char *)h->destination.ip + skipped, 16 - skipped);
	write_16(w, h->source.port);
	write_16(w, h->destination.port);
}

static void
binary_write(struct writer *w, const struct proxy_header *h, const struct proxy_tls *tls)
{
	bool tcp = h->kind == PROXY_TCP;
	unsigned family = !tcp ? FAMILY_NONE : is_ipv4(h) ? FAMILY_INET : FAMILY_INET6;
	char *length;

	write_str(w, signature);
	write_8(w, VERSION_2 << 4 | (tcp ? COMMAND_PROXY : COMMAND_LOCAL));
	write_8(w, family << 4 | (tcp ? TRANSPORT_STREAM : TRANSPORT_NONE));
	length = w->p;
	write_16(w, 0);
	if (tcp)
		ends_write(w, h);
	if (tls)
		tls_write(w, tls);
	length_set(w, length);
}

size_t
proxy_header_format(const struct proxy_header *h, unsigned version, const struct proxy_tls *tls,
    char room[PROXY_FORMAT_MAX])
{
	struct writer w = { room, room + PROXY_FORMAT_MAX, false };

	if (version == 1)
		text_write(&w, h);
	else
		binary_write(&w, h, tls);
	CHECK(!w.overflow);
	return (size_t)(w.p - room);
}
