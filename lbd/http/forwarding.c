/* forwarding.c - forwarding fields; RFC 7239 for Forwarded, custom for the others. */
#include "lbd/http/forwarding.h"

#include "lbd/http/field.h"
#include "lbd/http/scan.h"

bool
forwarding_copies(const struct http_field *f, const struct forward *forward)
{
	switch (f->id) {
	case FIELD_X_REQUEST_ID:
		return false;
	case FIELD_X_FORWARDED_FOR:
		return forward->trusted && !forward->x_forwarded;
	case FIELD_FORWARDED:
		return forward->trusted && !forward->rfc7239;
	case FIELD_X_FORWARDED_HOST:
	case FIELD_X_FORWARDED_PROTO:
		return forward->trusted;
	default:
		return forward->trusted || !field_resembles_forwarding(f->name);
	}
}

/* "unix" is no address: the RFC's word for a client that nobody can name is "unknown". */
static bool
is_address(struct str client)
{
	return client.n && (memchr(client.p, ':', client.n) || memchr(client.p, '.', client.n));
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
	write_str(w, STR("X-Forwarded-For: "));
	if (forward->trusted)
		write_received(w, head, FIELD_X_FORWARDED_FOR);
	write_str(w, is_address(forward->client) ? forward->client : STR("unknown"));
	write_bytes(w, "\r\n", 2);
	if (!forward->trusted || !head_field(head, FIELD_X_FORWARDED_PROTO))
		write_field(w, STR("X-Forwarded-Proto"), forward->proto);
	if (host.n && (!forward->trusted || !head_field(head, FIELD_X_FORWARDED_HOST)))
		write_field(w, STR("X-Forwarded-Host"), host);
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
	write_str(w, is_address(client) ? client : STR("unknown"));
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
	write_node(w, forward->client);
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
	write_str(w, minor ? STR("Via: 1.1 ") : STR("Via: 1.0 "));
	write_str(w, name);
	write_bytes(w, "\r\n", 2);
}

static struct str
request_id(const struct http_head *head, const struct forward *forward)
{
	const struct http_field *f = NULL;

	if (forward->trusted)
		f = head_field(head, FIELD_X_REQUEST_ID);
	return f && f->value.n ? f->value : forward->request_id;
}

struct str
forwarding_write(struct writer *w, const struct http_head *head, const struct forward *forward)
{
	struct str host = head->host, id = request_id(head, forward);

	if (forward->x_forwarded)
		write_x_forwarded(w, head, forward, host);
	if (forward->rfc7239)
		write_forwarded(w, head, forward, host);
	if (forward->via.n)
		write_via(w, head->minor, forward->via);
	if (id.n)
		write_field(w, STR("X-Request-Id"), id);
	return id.n && !w->overflow ? (struct str){ w->p - 2 - id.n, id.n }
				    : (struct str){ NULL, 0 };
}
