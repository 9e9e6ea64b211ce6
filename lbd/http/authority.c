/* authority.c - checks host and port; nothing is decoded or resolved. */
#include "lbd/http/authority.h"

#include <arpa/inet.h>

#include "lbd/http/scan.h"

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool
port_valid(const char *p, const char *end)
{
	unsigned port = 0;

	if (p == end || end - p > 5 || *p == '0')
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		port = port * 10 + (unsigned)(*p - '0');
	}
	return port <= 65535;
}

/* The end of the name at p, or p if it is none. */
static const char *
name_end(const char *p, const char *end)
{
	const char *q = scan_host(p, end);

	while (q < end && *q == '%') {
		if (end - q < 3 || !is_hex(q[1]) || !is_hex(q[2]))
			return p;
		q = scan_host(q + 3, end);
	}
	return q;
}

/* Behind the closing bracket of the address at p, or p if it is none. */
static const char *
bracket_end(const char *p, const char *end)
{
	const char *close = memchr(p, ']', (size_t)(end - p));
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t n;

	if (!close)
		return p;
	n = (size_t)(close - p - 1);
	if (n >= sizeof(text) || memchr(p, '\0', n + 1))
		return p;
	memcpy(text, p + 1, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1 ? close + 1 : p;
}

struct str
authority_name(struct str s)
{
	size_t n = s.n;

	while (n > 0 && s.p[n - 1] >= '0' && s.p[n - 1] <= '9')
		n--;
	return n > 0 && s.p[n - 1] == ':' ? (struct str){ s.p, n - 1 } : s;
}

struct str
authority_host(struct str s)
{
	struct str name = authority_name(s);

	if (name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		return (struct str){ name.p + 1, name.n - 2 };
	return name;
}

bool
authority_valid(struct str s)
{
	const char *end = s.p + s.n, *q;

	if (s.n == 0)
		return false;
	q = *s.p == '[' ? bracket_end(s.p, end) : name_end(s.p, end);
	if (q == s.p)
		return false;
	return q == end || (*q == ':' && port_valid(q + 1, end));
}
