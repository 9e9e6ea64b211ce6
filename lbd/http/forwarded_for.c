/* forwarded_for.c - a list over several fields, from its end; what cannot be read ends it, empty members do not. */
#include "lbd/http/forwarded_for.h"

/* Takes the last member of the list. */
static struct str
last_member(struct str *list)
{
	const char *comma = memrchr(list->p, ',', list->n);
	struct str member = str_skip(*list, comma ? (size_t)(comma - list->p) + 1 : 0);

	list->n = comma ? (size_t)(comma - list->p) : 0;
	while (member.n && (*member.p == ' ' || *member.p == '\t'))
		member = str_skip(member, 1);
	while (member.n && (member.p[member.n - 1] == ' ' || member.p[member.n - 1] == '\t'))
		member.n--;
	return member;
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

static bool
is_trusted(const struct address *a, const struct network *trust, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (network_holds(&trust[i], a))
			return true;
	return false;
}

bool
forwarded_for(const struct http_head *head, const struct network *trust, uint32_t n_trust,
    struct address *client)
{
	bool named = false;

	for (unsigned i = head->n_fields; i-- > 0;) {
		struct str list = head->fields[i].value;

		if (head->fields[i].id != FIELD_X_FORWARDED_FOR)
			continue;
		while (list.n) {
			struct str member = last_member(&list);
			struct address a;

			if (member.n == 0) /* RFC 9110 5.6.1 */
				continue;
			if (!address_parse_host(&a, without_port(member)))
				return named;
			*client = a;
			named = true;
			if (!is_trusted(&a, trust, n_trust))
				return true;
		}
	}
	return named;
}
