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
