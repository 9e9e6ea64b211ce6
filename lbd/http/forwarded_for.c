/*
 * forwarded_for.c - a list over several fields, from its end; empty members do not count.
 *
 * Quoted strings are found from their closing quote: so an open one, in what somebody further left said, cannot hide
 * what was added to it.
 */
#include "lbd/http/forwarded_for.h"

#include "common/address.h"
#include "lbd/http/scan.h"
#include "lbd/http/word.h"

/* Where the quoted string begins that ends before `end`; 0 if it has no beginning. */
static size_t
opening_quote(const char *p, size_t end)
{
	size_t at = end - 1;

	while (at > 0 && (p[--at] != '"' || (at > 0 && p[at - 1] == '\\')))
		;
	return at;
}

/* Takes the last member of the list, and the comma before it. */
static struct str
last_member(struct str *list, bool quotes)
{
	size_t at = list->n;
	struct str member;

	while (at > 0 && list->p[at - 1] != ',')
		at = quotes && list->p[at - 1] == '"' ? opening_quote(list->p, at) : at - 1;
	member = str_skip(*list, at);
	list->n = at ? at - 1 : 0;
	return scan_trim(member);
}

/* Some proxies write the port as well: "192.0.2.1:5000", "[2001:db8::1]:5000". */
static struct str
without_port(struct str s)
{
	const char *end;

	if (s.n && s.p[0] == '[') {
		end = memchr(s.p, ']', s.n);
		return end ? (struct str){ s.p + 1, (size_t)(end - s.p) - 1 } : s;
	}
	end = s.n ? memchr(s.p, ':', s.n) : NULL;
	if (end && !memchr(end + 1, ':', s.n - (size_t)(end + 1 - s.p)))
		s.n = (size_t)(end - s.p);
	return s;
}

static struct str
without_quotes(struct str s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return (struct str){ s.p + 1, s.n - 2 };
	return s;
}

/* The value of "for" in "for=192.0.2.1;proto=https"; an address has no semicolon.  Empty: there is none. */
static struct str
for_value(struct str element)
{
	while (element.n) {
		const char *end = memchr(element.p, ';', element.n);
		struct str pair = scan_trim(
		    (struct str){ element.p, end ? (size_t)(end - element.p) : element.n });

		if (pair.n > 4 && pair.p[3] == '=' && word_is((struct str){ pair.p, 3 }, "for"))
			return without_quotes(str_skip(pair, 4));
		element = str_skip(element, end ? (size_t)(end - element.p) + 1 : element.n);
	}
	return element;
}

struct forwarded_walk
forwarded_walk(const struct http_head *head, enum field_id id)
{
	return (struct forwarded_walk){ head, id, head->n_fields, { NULL, 0 } };
}

/* The list of the field before.  False: there is none. */
static bool
field_before(struct forwarded_walk *w)
{
	while (w->fields-- > 0)
		if (w->head->fields[w->fields].id == w->id) {
			w->list = w->head->fields[w->fields].value;
			return true;
		}
	w->fields = 0;
	return false;
}

bool
forwarded_next(struct forwarded_walk *w, uint8_t ip[16])
{
	bool rfc7239 = w->id == FIELD_FORWARDED;
	struct str member = { NULL, 0 };
	struct address a;

	while (member.n == 0) { /* RFC 9110 5.6.1 */
		if (w->list.n == 0 && !field_before(w))
			return false;
		member = last_member(&w->list, rfc7239);
	}
	if (rfc7239)
		member = for_value(member);
	return address_parse_host(&a, without_port(member)) && address_ip(&a, ip);
}
