/*
 * control.c - clients, tokens, and the lines between them.
 *
 * A client goes through read line -> run command -> token consumed -> write line -> next line.  client_arm is
 * the one place that decides from its state which watchers run.  A client never dies inside a callback of
 * somebody else: client_doom only marks it and lets its own timer free it, so that a command may publish to
 * its own connection.
 */
#include "common/control.h"

#include <errno.h>
#include <ev.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/admin_listener.h"
#include "common/check.h"
#include "common/control_command.h"
#include "common/text.h"

enum { CLIENT_MAGIC = 0x63746c63, CONTROL_STALL_S = 30 };

struct control {
	struct ev_loop *loop;
	struct control_options options;
	struct admin_listener listener;
	struct client *clients;
	unsigned n_clients;
};

struct control_token {
	struct client *client; /* NULL: it has gone */
};

enum client_timer { TIMER_OFF, TIMER_IDLE, TIMER_STALL, TIMER_DOOM };

struct client {
	uint32_t magic;
	struct control *control;
	struct client *next, *prev;
	ev_io in, out;
	ev_timer timer;
	enum client_timer timer_runs;
	struct text request; /* bytes received and not yet run */
	struct text queue; /* lines to send; `sent` of them are */
	size_t sent;
	struct control_token *pending; /* of the command that has not answered yet */
	unsigned topics;
	bool running; /* client_run is on the stack */
	bool eof; /* nothing more to read */
	bool last; /* close when the queue is sent */
	bool doomed;
};

static void client_run(struct client *);

static void
client_free(struct client *c)
{
	struct control *control = c->control;

	if (c->pending)
		c->pending->client = NULL;
	ev_io_stop(control->loop, &c->in);
	ev_io_stop(control->loop, &c->out);
	ev_timer_stop(control->loop, &c->timer);
	close(c->in.fd);
	if (c->prev)
		c->prev->next = c->next;
	else
		control->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	control->n_clients--;
	text_fini(&c->request);
	text_fini(&c->queue);
	free(c);
}

static void
timer_run(struct client *c, enum client_timer which, double after_s)
{
	struct ev_loop *loop = c->control->loop;

	if (c->timer_runs == which)
		return;
	ev_timer_stop(loop, &c->timer);
	c->timer_runs = which;
	if (which == TIMER_OFF)
		return;
	ev_timer_set(&c->timer, after_s, 0.);
	ev_timer_start(loop, &c->timer);
}

static void
client_doom(struct client *c)
{
	c->doomed = true;
	ev_io_stop(c->control->loop, &c->in);
	ev_io_stop(c->control->loop, &c->out);
	timer_run(c, TIMER_DOOM, 0.);
}

static void
io_run(struct ev_loop *loop, ev_io *io, bool on)
{
	if (on)
		ev_io_start(loop, io);
	else
		ev_io_stop(loop, io);
}

static bool
client_is_done(const struct client *c)
{
	if (c->queue.n)
		return false;
	return c->last || (c->eof && !c->pending);
}

/* From the client's state: what it waits for now. */
static void
client_arm(struct client *c)
{
	struct ev_loop *loop = c->control->loop;

	if (c->doomed)
		return;
	if (client_is_done(c)) {
		client_doom(c);
		return;
	}
	io_run(loop, &c->in, !c->eof && !c->last && c->request.n < CONTROL_LINE_MAX);
	io_run(loop, &c->out, c->queue.n > 0);
	if (c->queue.n)
		timer_run(c, TIMER_STALL, CONTROL_STALL_S);
	else if (c->pending || c->topics)
		timer_run(c, TIMER_OFF, 0.);
	else
		timer_run(c, TIMER_IDLE, CONTROL_IDLE_S);
}

/* What was sent does not count against a subscriber that is always a little behind. */
static void
queue_compact(struct client *c)
{
	if (c->sent < c->queue.n / 2)
		return;
	text_drop(&c->queue, c->sent);
	c->sent = 0;
}

static void
client_flush(struct client *c)
{
	ssize_t n;

	while (!c->doomed && c->sent < c->queue.n) {
		n = send(c->out.fd, c->queue.p + c->sent, c->queue.n - c->sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			queue_compact(c);
			return;
		}
		if (n <= 0) {
			client_doom(c);
			return;
		}
		c->sent += (size_t)n;
		timer_run(c, TIMER_OFF, 0.); /* progress: client_arm starts it afresh */
	}
	text_fini(&c->queue);
	c->sent = 0;
}

/* Queues one line; a client that does not read what it asked for is cut off. */
static void
client_send(struct client *c, const char *line)
{
	if (c->doomed)
		return;
	text_append(&c->queue, str_of(line));
	text_append(&c->queue, STR("\n"));
	if (c->queue.failed)
		client_doom(c);
	else
		client_flush(c);
}

static void
client_send_json(struct client *c, json_t *answer)
{
	char *line = answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;

	if (!line)
		client_send(c, "{\"ok\":false,\"error\":\"out of memory\"}");
	else if (strlen(line) >= CONTROL_QUEUE_MAX)
		client_send(c, "{\"ok\":false,\"error\":\"the reply is too long\"}");
	else
		client_send(c, line);
	free(line);
	json_decref(answer);
}

/* Consumes the token; then the client's next line may run. */
static void
token_answer(struct control_token *token, json_t *answer)
{
	struct client *c = token->client;

	CHECK(!c || (c->magic == CLIENT_MAGIC && c->pending == token));
	free(token);
	if (!c) {
		json_decref(answer);
		return;
	}
	c->pending = NULL;
	client_send_json(c, answer);
	if (!c->running)
		client_run(c);
}

/* A JSON string of any bytes: what is not UTF-8 loses its bytes above 127. */
static json_t *
string_of(char *text)
{
	json_t *s = json_string(text);
	char *p;

	if (s)
		return s;
	for (p = text; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(text);
}

void
control_reply(struct control_token *token, json_t *result)
{
	json_t *answer = json_pack("{s:b}", "ok", 1);

	if (answer && result && json_object_update(answer, result) < 0) {
		json_decref(answer);
		answer = NULL;
	}
	json_decref(result);
	token_answer(token, answer);
}

void
control_refuse(struct control_token *token, const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	token_answer(token, json_pack("{s:b,s:o}", "ok", 0, "error", string_of(text)));
}

void
control_result(struct control_token *token, json_t *result)
{
	if (result)
		control_reply(token, result);
	else
		control_refuse(token, "out of memory");
}

void
control_subscribe(struct control_token *token, unsigned topic, json_t *result)
{
	CHECK(topic < CONTROL_TOPICS_MAX);
	if (token->client)
		token->client->topics |= 1u << topic;
	control_reply(token, result);
}

void
control_publish(struct control *control, unsigned topic, json_t *message)
{
	char *line = json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(15));
	struct client *c;

	CHECK(topic < CONTROL_TOPICS_MAX);
	for (c = control->clients; c; c = c->next) {
		if (c->doomed || !(c->topics & 1u << topic))
			continue;
		if (line)
			client_send(c, line);
		else
			client_doom(c); /* better none than a stream with a hole */
		client_arm(c);
	}
	free(line);
	json_decref(message);
}

bool
control_has_subscribers(const struct control *control, unsigned topic)
{
	const struct client *c;

	for (c = control->clients; c; c = c->next)
		if (!c->doomed && (c->topics & 1u << topic))
			return true;
	return false;
}

static void
line_run(struct client *c, struct str line)
{
	struct control_token *token = malloc(sizeof(*token));
	json_error_t error;
	json_t *request;

	if (!token) {
		client_doom(c);
		return;
	}
	token->client = c;
	c->pending = token;
	request = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &error);
	if (request)
		control_command_run(&c->control->options, token, request);
	else
		control_refuse(
		    token, "not a JSON object at column %d: %s", error.column, error.text);
	json_decref(request);
}

/* The next complete line, or at the end of the stream what is left.  n == 0: none. */
static size_t
line_length(const struct client *c)
{
	const char *end = c->request.n ? memchr(c->request.p, '\n', c->request.n) : NULL;

	if (end)
		return (size_t)(end - c->request.p) + 1;
	return c->eof ? c->request.n : 0;
}

/* Runs the lines that are complete, one after the other's answer was sent. */
static void
client_run(struct client *c)
{
	size_t n;

	c->running = true;
	while (!c->doomed && !c->pending && !c->queue.n && (n = line_length(c)) > 0) {
		timer_run(c, TIMER_OFF, 0.); /* the idle time starts afresh after its answer */
		line_run(c, (struct str){ c->request.p, n });
		text_drop(&c->request, n);
	}
	c->running = false;
	if (!c->doomed && !c->pending && c->request.n >= CONTROL_LINE_MAX && !line_length(c)) {
		c->last = true;
		client_send(c, "{\"ok\":false,\"error\":\"the request line is too long\"}");
	}
	client_arm(c);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *c = w->data;
	char buffer[16384];
	size_t room = CONTROL_LINE_MAX - c->request.n;
	ssize_t n;

	(void)revents;
	CHECK(c->magic == CLIENT_MAGIC && c->control->loop == loop);
	n = recv(w->fd, buffer, room < sizeof(buffer) ? room : sizeof(buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && c->topics)) {
		client_doom(c);
		return;
	}
	if (n == 0)
		c->eof = true;
	text_append(&c->request, (struct str){ buffer, (size_t)n });
	if (c->request.failed)
		client_doom(c);
	client_run(c);
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *c = w->data;

	(void)revents;
	CHECK(c->magic == CLIENT_MAGIC && c->control->loop == loop);
	client_flush(c);
	client_run(c);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct client *c = w->data;

	(void)revents;
	CHECK(c->magic == CLIENT_MAGIC && c->control->loop == loop);
	client_free(c);
}

static struct client *
client_new(struct control *control, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->magic = CLIENT_MAGIC;
	c->control = control;
	ev_io_init(&c->in, on_readable, fd, EV_READ);
	ev_io_init(&c->out, on_writable, fd, EV_WRITE);
	ev_timer_init(&c->timer, on_timer, 0., 0.);
	c->in.data = c->out.data = c->timer.data = c;
	text_init(&c->request, CONTROL_LINE_MAX);
	text_init(&c->queue, CONTROL_QUEUE_MAX + 1);
	c->next = control->clients;
	if (c->next)
		c->next->prev = c;
	control->clients = c;
	control->n_clients++;
	return c;
}

static void
on_accepted(struct admin_listener *listener, int fd)
{
	static const char full[] = "{\"ok\":false,\"error\":\"too many clients\"}\n";
	struct control *control = listener->owner;
	struct client *c = NULL;

	if (control->n_clients < CONTROL_CLIENTS_MAX)
		c = client_new(control, fd);
	if (c) {
		client_arm(c);
		return;
	}
	send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

struct control *
control_start(struct ev_loop *loop, const struct control_options *options, struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control) {
		close(options->listen_fd);
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	control->loop = loop;
	control->options = *options;
	admin_listener_start(&control->listener, loop, options->listen_fd, on_accepted, control);
	return control;
}

void
control_stop(struct control **cp)
{
	struct control *control = *cp;

	*cp = NULL;
	if (!control)
		return;
	admin_listener_stop(&control->listener);
	while (control->clients)
		client_free(control->clients);
	free(control);
}
