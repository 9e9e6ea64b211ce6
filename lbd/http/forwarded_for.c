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

/* Of the quoted string that ends before `end`; `start` if it has none. */
static const char *
opening_quote(const char *start, const char *end)
{
	const char *p = end - 1;

	while (p > start && (*--p != '"' || (p > start && p[-1] == '\\')))
		;
	return p;
}

/* The last comma that is in no quoted string; NULL: none. */
static const char *
last_comma(struct str list, bool quotes)
{
	const char *p = list.p + list.n;

	while (p > list.p) {
		if (p[-1] == ',')
			return p - 1;
		p = quotes && p[-1] == '"' ? opening_quote(list.p, p) : p - 1;
	}
	return NULL;
}

/* Takes the last member of the list. */
static struct str
last_member(struct str *list, bool quotes)
{
	const char *comma = last_comma(*list, quotes);
	struct str member = str_skip(*list, comma ? (size_t)(comma - list->p) + 1 : 0);

	list->n = comma ? (size_t)(comma - list->p) : 0;
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
