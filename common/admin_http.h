/*
 * admin_http.h - a small HTTP/1.1 server on a libev loop, for metrics, health and the dashboard.
 *
 * GET and HEAD on a fixed table of paths, one request per connection.  Never meant to face clients of the
 * balanced service.  Bounded: clients, the size of a request head (8 KiB), the time for it (5 s) and for
 * the response (60 s).  Answers 400, 404, 405, 408, 431, 500, 503 and 505 by itself.
 */
#ifndef COMMON_ADMIN_HTTP_H
#define COMMON_ADMIN_HTTP_H

#include "common/err.h"
#include "common/str.h"

struct ev_loop;
struct admin_http;
struct text;

enum { ADMIN_HTTP_CLIENTS_MAX = 64, ADMIN_HTTP_HEAD_MAX = 8192 };

struct admin_response {
	int status; /* preset to 200 */
	const char *type; /* static text; preset to "text/plain; charset=utf-8" */
	const char *headers; /* static text of further lines "Name: value\r\n", or NULL */
	char *body; /* malloc'ed; handed over; NULL: empty */
	size_t n;
};

/* Fills the response; `query` is what follows '?' in the target.  Runs on the loop: must not wait. */
typedef void admin_http_fn(struct admin_response *, struct str query, void *context);

struct admin_route {
	const char *path; /* "/metrics"; compared byte for byte */
	admin_http_fn *get;
};

struct admin_http_options {
	int listen_fd; /* bound and listening; taken over, also on failure */
	const struct admin_route *routes; /* borrowed until admin_http_stop */
	size_t n_routes;
	void *context;
};

struct admin_http *
admin_http_start(struct ev_loop *, const struct admin_http_options *, struct err *);
void admin_http_stop(struct admin_http **);

/* Sets that text, which is empty afterwards, as the body; status 500 when the text has failed. */
void admin_response_text(struct admin_response *, const char *type, struct text *);

/* Sets a short text body from a format; status 500 when out of memory. */
__attribute__((format(printf, 2, 3))) void
admin_response_printf(struct admin_response *, const char *format, ...);

#endif
