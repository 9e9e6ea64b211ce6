/* forwarding.c - forwarding fields; RFC 7239 for Forwarded, custom for the others. */
#include "lbd/http/forwarding.h"

#include "lbd/http/field.h"
#include "lbd/http/scan.h"
#include "lbd/http/word.h"

uint32_t
forwarding_owned(const struct forward *forward)
{
	uint32_t owned = FIELD_BIT(FIELD_X_REQUEST_ID);

	if (!forward->trusted)
		return owned | FIELD_BIT(FIELD_FORWARDED) | FIELD_BIT(FIELD_X_FORWARDED_FOR) |
		    FIELD_BIT(FIELD_X_FORWARDED_HOST) | FIELD_BIT(FIELD_X_FORWARDED_PROTO) |
		    FIELD_BIT(FIELD_LIKE_FORWARDING);
	if (forward->x_forwarded)
		owned |= FIELD_BIT(FIELD_X_FORWARDED_FOR);
	if (forward->rfc7239)
		owned |= FIELD_BIT(FIELD_FORWARDED);
	return owned;
}

void
forwarding_reserve(struct http_head *head, const struct str *names, uint32_t n)
{
	for (unsigned i = 0; i < head->n_fields; i++)
		if (word_resembles_any(head->fields[i].name, names, n))
			head->fields[i].one_hop = true;
}

/* A client on a unix socket has no address; the RFC's word for one that nobody can name is this. */
static struct str
client_name(const struct forward *forward)
{
	return str_eq(forward->client, STR("unix")) ? STR("unknown") : forward->client;
}

/* The members that earlier proxies wrote, all in one list that ends with a comma; or nothing. */
static void
write_received(struct writer *w, const struct http_head *head, enum field_id id)
{
	for (unsigned i = 0; i < head->n_fields; i++) {
		const struct http_field *f = &head->fields[i];

		if (f->id != id || f->value.n == 0)
			continue;
		write_str(w, f->value);
		write_bytes(w, ", ", 2);
	}
}

static void
write_x_forwarded(
    struct writer *w, const struct http_head *head, const struct forward *forward, struct str host)
{
	if (forward->trusted) {
		write_str(w, STR("X-Forwarded-For: "));
		write_received(w, head, FIELD_X_FORWARDED_FOR);
		write_line(w, STR(""), client_name(forward));
	} else {
		write_line(w, STR("X-Forwarded-For: "), client_name(forward));
	}
	if (!forward->trusted || !head_field(head, FIELD_X_FORWARDED_PROTO))
		write_line(w, STR("X-Forwarded-Proto: "), forward->proto);
	if (host.n && (!forward->trusted || !head_field(head, FIELD_X_FORWARDED_HOST)))
		write_line(w, STR("X-Forwarded-Host: "), host);
}

/* RFC 7239 section 4: a token, or a quoted string.  No host contains what would need a backslash. */
static void
write_quoted(struct writer *w, struct str s)
{
	bool plain = scan_all(s, SCAN_TOKEN);

	if (!plain)
		write_bytes(w, "\"", 1);
	write_str(w, s);
	if (!plain)
		write_bytes(w, "\"", 1);
}

static void
write_node(struct writer *w, struct str client)
{
	bool ipv6 = client.n && memchr(client.p, ':', client.n);

	if (ipv6)
		write_bytes(w, "\"[", 2);
	write_str(w, client);
	if (ipv6)
		write_bytes(w, "]\"", 2);
}

static void
write_forwarded(
    struct writer *w, const struct http_head *head, const struct forward *forward, struct str host)
{
	write_str(w, STR("Forwarded: "));
	if (forward->trusted)
		write_received(w, head, FIELD_FORWARDED);
	write_str(w, STR("for="));
	write_node(w, client_name(forward));
	if (host.n) {
		write_str(w, STR(";host="));
		write_quoted(w, host);
	}
	write_str(w, STR(";proto="));
	write_str(w, forward->proto);
	write_bytes(w, "\r\n", 2);
}

/* RFC 9110 7.6.3: in which version it came, and who passes it on. */
static void
write_via(struct writer *w, unsigned minor, struct str name)
{
	if (minor == HTTP_2)
		write_line(w, STR("Via: 2.0 "), name);
	else
		write_line(w, minor ? STR("Via: 1.1 ") : STR("Via: 1.0 "), name);
}

struct str
forwarding_request_id(const struct http_head *head, const struct forward *forward)
{
	const struct http_field *f = NULL;

	if (forward->trusted)
		f = head_field(head, FIELD_X_REQUEST_ID);
	return f && f->value.n ? f->value : forward->request_id;
}

struct str
forwarding_write(struct writer *w, const struct http_head *head, const struct forward *forward)
{
	struct str host = head->host, id = forwarding_request_id(head, forward);

	if (forward->x_forwarded)
		write_x_forwarded(w, head, forward, host);
	if (forward->rfc7239)
		write_forwarded(w, head, forward, host);
	for (unsigned i = 0; i < forward->n_lines; i++) {
		write_str(w, forward->lines[i].name);
		write_line(w, STR(": "), forward->lines[i].value);
	}
	if (forward->via.n)
		write_via(w, head->minor, forward->via);
	if (id.n)
		write_line(w, STR("X-Request-Id: "), id);
	return id.n && !w->overflow ? (struct str){ w->p - 2 - id.n, id.n }
				    : (struct str){ NULL, 0 };
}
