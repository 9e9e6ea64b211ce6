/* redirect.c - the authority without its port, then the target byte by byte. */
#include "lbd/http/redirect.h"

#include "lbd/http/authority.h"

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

void
redirect_write(struct writer *w, const struct http_head *head, unsigned port)
{
	write_str(w, STR("https://"));
	write_str(w, authority_name(head->host));
	if (port != 443) {
		write_bytes(w, ":", 1);
		write_uint(w, port);
	}
	if (head->target_slash || str_eq(head->target, STR("*")))
		write_bytes(w, "/", 1);
	if (!str_eq(head->target, STR("*")))
		uri_write(w, head->target);
}
