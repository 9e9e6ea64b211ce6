/* server_name.c - list length, type, name length, name: nothing before, between or behind. */
#include "lbd/tls/server_name.h"

#include "lbd/tls/names.h"

enum { HOST_NAME = 0, OVERHEAD = 5 };

static size_t
u16(const unsigned char *p)
{
	return (size_t)p[0] << 8 | p[1];
}

struct str
tls_server_name(struct str extension)
{
	const unsigned char *p = (const unsigned char *)extension.p;
	struct str name = { NULL, 0 };
	size_t n = extension.n;

	if (n <= OVERHEAD || n > OVERHEAD + TLS_NAME_MAX)
		return name;
	if (u16(p) != n - 2 || p[2] != HOST_NAME || u16(p + 3) != n - OVERHEAD)
		return name;
	if (memchr(extension.p + OVERHEAD, '\0', n - OVERHEAD))
		return name;
	return str_skip(extension, OVERHEAD);
}
