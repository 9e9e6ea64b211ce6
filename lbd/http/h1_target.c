/* h1_target.c - absolute-form becomes origin-form; bytes are never decoded or normalised. */
#include "lbd/http/h1_target.h"

#include "lbd/http/authority.h"
#include "lbd/http/word.h"

/* The length of "http://" or "https://" at the start, or 0. */
static size_t
scheme_length(struct str target)
{
	if (target.n >= 7 && word_is((struct str){ target.p, 4 }, "http") &&
	    memcmp(target.p + 4, "://", 3) == 0)
		return 7;
	if (target.n >= 8 && word_is((struct str){ target.p, 5 }, "https") &&
	    memcmp(target.p + 5, "://", 3) == 0)
		return 8;
	return 0;
}

static enum refusal
absolute_resolve(struct http_head *head, struct str *authority)
{
	size_t scheme = scheme_length(head->target), n = 0;
	struct str rest = str_skip(head->target, scheme);

	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	*authority = (struct str){ rest.p, n };
	if (!scheme || !authority_valid(*authority))
		return REFUSE_TARGET;
	rest = str_skip(rest, n);
	if (rest.n == 0) /* RFC 9112 3.2.1 and 3.2.4 */
		rest = head->method_id == METHOD_OPTIONS ? STR("*") : STR("/");
	else
		head->target_slash = rest.p[0] == '?';
	head->target = rest;
	return REFUSE_NOTHING;
}

enum refusal
h1_target_resolve(struct http_head *head, struct str *authority)
{
	*authority = (struct str){ NULL, 0 };
	if (head->target.p[0] == '/')
		return REFUSE_NOTHING;
	if (head->target.n == 1 && head->target.p[0] == '*')
		return head->method_id == METHOD_OPTIONS ? REFUSE_NOTHING : REFUSE_TARGET;
	return absolute_resolve(head, authority);
}
