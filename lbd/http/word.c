/* word.c - names that a server may take for others: CGI writes every odd byte of a name as '_'. */
#include "lbd/http/word.h"

#include "lbd/http/scan.h"

bool
word_resembles(struct str s, const char *lower)
{
	size_t i;

	for (i = 0; i < s.n && lower[i]; i++)
		if (lower[i] == '-' ? scan_is(s.p[i], SCAN_ALNUM) : !word_one(s.p[i], lower[i]))
			return false;
	return i == s.n && !lower[i];
}

static bool
resembles(struct str a, struct str b)
{
	size_t i = 0;

	if (a.n != b.n)
		return false;
	while (i < a.n &&
	    (scan_is(a.p[i], SCAN_ALNUM) ? (a.p[i] | 0x20) == (b.p[i] | 0x20)
					 : !scan_is(b.p[i], SCAN_ALNUM)))
		i++;
	return i == a.n;
}

bool
word_resembles_any(struct str s, const struct str *names, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (resembles(s, names[i]))
			return true;
	return false;
}
