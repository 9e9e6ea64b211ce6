/*
 * admin_http.c - one connection: read a head, answer, shut down the sending side, wait for the client's close.
 *
 * The last step (at most LINGER_S) lets the client read the response even if it sent more than we read: closing
 * at once would reset the connection under it.
 */
#include "common/admin_http.h"

#include <errno.h>
#include <ev.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "common/admin_listener.h"
#include "common/admin_request.h"
#include "common/check.h"
#include "common/text.h"

enum { CLIENT_MAGIC = 0x61646d68, REQUEST_S = 5, RESPONSE_S = 60, LINGER_S = 1 };

struct admin_http {
	struct ev_loop *loop;
	struct admin_http_options options;
	struct admin_listener listener;
	struct client *clients;
	unsigned n_clients;
};

enum client_state { CLIENT_READS, CLIENT_WRITES, CLIENT_LINGERS };

struct client {
	uint32_t magic;
	enum client_state state;
	struct admin_http *http;
	struct client *next, *prev;
	ev_io io;
	ev_timer timer;
	char request[ADMIN_HTTP_HEAD_MAX];
	size_t n_request;
	char head[1024];
	size_t n_head;
	char *body; /* kept for HEAD too, but not sent */
	size_t n_body;
	size_t sent; /* of head and body together */
};

static void
client_free(struct client *c)
{
	struct admin_http *http = c->http;

	ev_io_stop(http->loop, &c->io);
	ev_timer_stop(http->loop, &c->timer);
	close(c->io.fd);
	if (c->prev)
		c->prev->next = c->next;
	else
		http->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (http->n_clients-- == ADMIN_HTTP_CLIENTS_MAX)
		admin_listener_resume(&http->listener);
	free(c->body);
	free(c);
}

static void
client_enter(struct client *c, enum client_state state, int events, double timeout_s)
{
	struct ev_loop *loop = c->http->loop;

	c->state = state;
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->io.fd, events);
	ev_io_start(loop, &c->io);
	ev_timer_stop(loop, &c->timer);
	ev_timer_set(&c->timer, timeout_s, 0.);
	ev_timer_start(loop, &c->timer);
}

static const char *
status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	}
	return "Other";
}

static void
client_write(struct client *c)
{
	size_t total = c->n_head + c->n_body;
	struct iovec v[2];
	struct msghdr message = { .msg_iov = v, .msg_iovlen = 2 };
	size_t of_head;
	ssize_t n;

	while (c->sent < total) {
		of_head = c->sent < c->n_head ? c->sent : c->n_head;
		v[0] = (struct iovec){ c->head + of_head, c->n_head - of_head };
		v[1] = (struct iovec){ c->body ? c->body + (c->sent - of_head) : NULL,
			total - c->sent - v[0].iov_len };
		n = sendmsg(c->io.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			client_free(c);
			return;
		}
		c->sent += (size_t)n;
	}
	shutdown(c->io.fd, SHUT_WR);
	client_enter(c, CLIENT_LINGERS, EV_READ, LINGER_S);
}

/* Takes the body over and starts to send. */
static void
client_respond(struct client *c, const struct admin_response *r, bool head_only)
{
	time_t now = time(NULL);
	char date[64];
	struct tm tm;
	int n;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	n = snprintf(c->head, sizeof(c->head),
	    "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%sConnection: "
	    "close\r\n\r\n",
	    r->status, status_text(r->status), date, r->type, r->n, r->headers ? r->headers : "");
	CHECK(n > 0 && (size_t)n < sizeof(c->head));
	c->n_head = (size_t)n;
	c->body = r->body;
	c->n_body = head_only ? 0 : r->n;
	client_enter(c, CLIENT_WRITES, EV_WRITE, RESPONSE_S);
	client_write(c);
}

static struct admin_response
response_preset(int status)
{
	return (struct admin_response){ .status = status, .type = "text/plain; charset=utf-8" };
}

static void
client_refuse(struct client *c, int status, bool head_only)
{
	struct admin_response r = response_preset(status);

	if (status == 405)
		r.headers = "Allow: GET, HEAD\r\n";
	admin_response_printf(&r, "%d %s\n", status, status_text(status));
	client_respond(c, &r, head_only);
}

static const struct admin_route *
route_find(const struct admin_http_options *o, struct str path)
{
	size_t i;

	for (i = 0; i < o->n_routes; i++)
		if (str_eq(path, str_of(o->routes[i].path)))
			return &o->routes[i];
	return NULL;
}

static void
client_answer(struct client *c, struct str head)
{
	const struct admin_http_options *o = &c->http->options;
	struct admin_response r = response_preset(200);
	const struct admin_route *route;
	struct admin_request request;
	int status = admin_request_parse(head, &request);

	if (status != 200) {
		client_refuse(c, status, request.head);
		return;
	}
	route = route_find(o, request.path);
	if (route)
		route->get(&r, request.query, o->context);
	else {
		r.status = 404;
		admin_response_printf(&r, "404 Not Found\n");
	}
	client_respond(c, &r, request.head);
}

static void
client_read(struct client *c)
{
	size_t room = sizeof(c->request) - c->n_request;
	ssize_t n = recv(c->io.fd, c->request + c->n_request, room, MSG_DONTWAIT);
	struct str head;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* closed in the middle of a head: nobody waits for an answer */
		client_free(c);
		return;
	}
	c->n_request += (size_t)n;
	head = (struct str){ c->request, c->n_request };
	head.n = admin_request_length(head);
	if (head.n)
		client_answer(c, head);
	else if (c->n_request == sizeof(c->request))
		client_refuse(c, 431, false);
}

static void
client_linger(struct client *c)
{
	ssize_t n = recv(c->io.fd, c->request, sizeof(c->request), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		client_free(c);
}

static void
on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *c = w->data;

	(void)revents;
	CHECK(c->magic == CLIENT_MAGIC && c->http->loop == loop);
	switch (c->state) {
	case CLIENT_READS:
		client_read(c);
		break;
	case CLIENT_WRITES:
		client_write(c);
		break;
	case CLIENT_LINGERS:
		client_linger(c);
		break;
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct client *c = w->data;

	(void)revents;
	CHECK(c->magic == CLIENT_MAGIC && c->http->loop == loop);
	if (c->state == CLIENT_READS && c->n_request)
		client_refuse(c, 408, false);
	else
		client_free(c);
}

static void
on_accepted(struct admin_listener *listener, int fd)
{
	struct admin_http *http = listener->owner;
	struct client *c = malloc(sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	*c = (struct client){ .magic = CLIENT_MAGIC, .http = http, .next = http->clients };
	if (c->next)
		c->next->prev = c;
	http->clients = c;
	if (++http->n_clients == ADMIN_HTTP_CLIENTS_MAX) /* the rest waits in the backlog */
		admin_listener_pause(listener);
	ev_io_init(&c->io, on_io, fd, EV_READ);
	ev_timer_init(&c->timer, on_timer, REQUEST_S, 0.);
	c->io.data = c->timer.data = c;
	client_enter(c, CLIENT_READS, EV_READ, REQUEST_S);
}

struct admin_http *
admin_http_start(struct ev_loop *loop, const struct admin_http_options *options, struct err *err)
{
	struct admin_http *http = calloc(1, sizeof(*http));

	if (!http) {
		close(options->listen_fd);
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	http->loop = loop;
	http->options = *options;
	admin_listener_start(&http->listener, loop, options->listen_fd, on_accepted, http);
	return http;
}

void
admin_http_stop(struct admin_http **hp)
{
	struct admin_http *http = *hp;

	*hp = NULL;
	if (!http)
		return;
	while (http->clients)
		client_free(http->clients);
	admin_listener_stop(&http->listener);
	free(http);
}

void
admin_response_text(struct admin_response *r, const char *type, struct text *text)
{
	if (text->failed) {
		r->status = 500;
	} else {
		r->type = type;
		r->body = text_take(text, &r->n);
	}
	text_fini(text);
}

void
admin_response_printf(struct admin_response *r, const char *format, ...)
{
	va_list args;
	char *body;
	int n;

	va_start(args, format);
	n = vasprintf(&body, format, args);
	va_end(args);
	free(r->body);
	r->body = n < 0 ? NULL : body;
	r->n = n < 0 ? 0 : (size_t)n;
	if (n < 0)
		r->status = 500;
}
