/*
 * h1_format.c - writes heads: first what lbd decides itself, then the peer's fields, then what lbd adds.
 *
 * The order of the peer's fields is kept, their names keep their case, their values lost only the blanks
 * around them.
 */
#include "lbd/http/h1_format.h"

#include "lbd/http/field.h"
#include "lbd/http/forwarding.h"

/* Writes `s` and says where it ended up. */
static struct str
write_kept(struct writer *w, struct str s)
{
	struct str kept = { w->p, s.n };

	write_str(w, s);
	return kept;
}

/* The field value that was written last. */
static struct str
last_value(const struct writer *w, size_t n)
{
	return w->overflow ? (struct str){ NULL, 0 } : (struct str){ w->p - 2 - n, n };
}

static void
write_length(struct writer *w, uint64_t length)
{
	write_str(w, STR("Content-Length: "));
	write_uint(w, length);
	write_bytes(w, "\r\n", 2);
}

static void
write_request_line(struct writer *w, const struct http_head *head, struct formatted *out)
{
	out->method = write_kept(w, head->method);
	write_bytes(w, " ", 1);
	out->target = (struct str){ w->p, head->target.n + head->target_slash };
	if (head->target_slash)
		write_bytes(w, "/", 1);
	write_str(w, head->target);
	write_str(w, STR(" HTTP/1.1\r\nHost: "));
}

/*
 * Lines that follow each other in what was received, and are spelt as we would write them, are collected
 * and copied in one go.
 */
struct run {
	const char *p, *end;
};

static void
run_flush(struct writer *w, struct run *run)
{
	if (run->p != run->end)
		write_bytes(w, run->p, (size_t)(run->end - run->p));
	run->p = run->end = NULL;
}

/* A field that does not continue the run. */
static void
run_break(struct writer *w, struct run *run, const struct http_field *f)
{
	run_flush(w, run);
	if (f->verbatim) {
		run->p = f->name.p;
		run->end = f->value.p + f->value.n + 2;
		return;
	}
	write_str(w, f->name);
	write_line(w, STR(": "), f->value);
}

static inline void
run_add(struct writer *w, struct run *run, const struct http_field *f)
{
	if (f->verbatim && f->name.p == run->end)
		run->end = f->value.p + f->value.n + 2;
	else
		run_break(w, run, f);
}

/* Where the value of the field that was added last will stand, or stands. */
static struct str
run_value(const struct writer *w, const struct run *run, const struct http_field *f)
{
	if (!f->verbatim)
		return last_value(w, f->value.n);
	return (struct str){ w->p + (f->value.p - run->p), f->value.n };
}

static void
write_request_fields(struct writer *w, const struct http_head *head, const struct forward *forward,
    struct formatted *out)
{
	const uint32_t logged = FIELD_BIT(FIELD_USER_AGENT) | FIELD_BIT(FIELD_REFERER);
	const struct http_field *f = head->fields, *end = f + head->n_fields;
	uint32_t owned = forwarding_owned(forward);
	struct run run = { NULL, NULL };

	for (; f < end; f++) {
		if (f->one_hop || field_among(f->id, owned))
			continue;
		run_add(w, &run, f);
		if (field_among(f->id, logged))
			*(f->id == FIELD_REFERER ? &out->referer : &out->user_agent) =
			    run_value(w, &run, f);
	}
	run_flush(w, &run);
}

/* Framing, and what else is between lbd and the server alone. */
static void
write_request_hop(struct writer *w, const struct http_head *head)
{
	if (head->framing == FRAMING_CHUNKED)
		write_str(w, STR("Transfer-Encoding: chunked\r\n"));
	else if (head->has_length)
		write_length(w, head->length);
	if (head->expect_continue)
		write_str(w, STR("Expect: 100-continue\r\n"));
	if (head->upgrade_websocket)
		write_str(w, STR("Connection: upgrade\r\nUpgrade: websocket\r\n"));
	else if (head->te_trailers)
		write_str(w, STR("Connection: TE\r\nTE: trailers\r\n"));
}

static struct str
host_for_server(const struct http_head *head, const struct forward *forward)
{
	if (forward->host.n)
		return forward->host;
	return head->host.n ? head->host : forward->default_host;
}

void
h1_format_request(struct writer *w, const struct http_head *head, const struct forward *forward,
    struct formatted *out)
{
	*out = (struct formatted){ .method = { NULL, 0 } };
	write_request_line(w, head, out);
	out->host = write_kept(w, host_for_server(head, forward));
	write_bytes(w, "\r\n", 2);
	write_request_fields(w, head, forward, out);
	write_request_hop(w, head);
	out->request_id = forwarding_write(w, head, forward);
	write_bytes(w, "\r\n", 2);
	if (w->overflow)
		*out = (struct formatted){ .method = { NULL, 0 } };
}

static void
write_status_line(struct writer *w, unsigned status, struct str reason)
{
	char start[] = "HTTP/1.1 000 ";

	start[9] = (char)('0' + status / 100);
	start[10] = (char)('0' + status / 10 % 10);
	start[11] = (char)('0' + status % 10);
	write_line(w, (struct str){ start, sizeof(start) - 1 }, reason);
}

/* Interim responses say nothing of the connection; only the final one does. */
static void
write_reply_connection(struct writer *w, unsigned status, const struct reply *reply)
{
	if (reply->upgrade)
		write_str(w, STR("Connection: upgrade\r\nUpgrade: websocket\r\n"));
	else if (status < 200)
		return;
	else if (!reply->keep_alive)
		write_str(w, STR("Connection: close\r\n"));
	else if (reply->client_minor == 0)
		write_str(w, STR("Connection: keep-alive\r\n"));
}

static void
write_reply_framing(struct writer *w, const struct http_head *head, const struct reply *reply)
{
	if (head->status < 200 || head->status == 204)
		return;
	if (reply->framing == FRAMING_CHUNKED)
		write_str(w, STR("Transfer-Encoding: chunked\r\n"));
	else if (head->has_length)
		write_length(w, head->length);
}

void
h1_format_response(struct writer *w, const struct http_head *head, const struct reply *reply)
{
	const struct http_field *f = head->fields, *end = f + head->n_fields;
	struct run run = { NULL, NULL };

	write_status_line(w, head->status, head->reason);
	for (; f < end; f++)
		if (!f->one_hop)
			run_add(w, &run, f);
	run_flush(w, &run);
	write_reply_framing(w, head, reply);
	write_reply_connection(w, head->status, reply);
	write_bytes(w, "\r\n", 2);
}

/* "404 Not Found" */
static void
write_error_text(struct writer *w, unsigned status, struct str reason)
{
	write_uint(w, status);
	write_bytes(w, " ", 1);
	write_str(w, reason);
	write_bytes(w, "\n", 1);
}

void
h1_format_error(struct writer *w, const struct error_response *r)
{
	struct str reason = str_of(http_reason(r->status));
	bool page = r->content_type.n > 0;

	write_status_line(w, r->status, reason);
	write_line(w, STR("Content-Type: "), page ? r->content_type : STR("text/plain"));
	write_length(w, page ? r->body.n : 4 + reason.n + 1);
	if (r->status == 405)
		write_str(w, STR("Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"));
	if (r->retry_after) {
		write_str(w, STR("Retry-After: "));
		write_uint(w, r->retry_after);
		write_bytes(w, "\r\n", 2);
	}
	write_str(w, r->lines);
	write_str(w,
	    r->keep_alive ? STR("Connection: keep-alive\r\n\r\n")
			  : STR("Connection: close\r\n\r\n"));
	if (r->head_only)
		return;
	if (page)
		write_str(w, r->body);
	else
		write_error_text(w, r->status, reason);
}
