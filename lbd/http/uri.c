/* uri.c - byte by byte. */
#include "lbd/http/uri.h"

static bool
in_uri(char c)
{
	static const char others[] = "-._~:/?[]@!$&'()*+,;=%";

	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	    (c && strchr(others, c));
}

void
uri_write(struct writer *w, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (in_uri(s.p[i]))
			write_bytes(w, s.p + i, 1);
		else
			write_bytes(w, (char[]){ '%', hex[c >> 4], hex[c & 15] }, 3);
	}
}
