/*
 * probe.c - first the neighbours, then the service, under one deadline.
 *
 * Silence is certain only at the deadline; everything else ends the probe at once, except that an
 * address that is in use may yet serve until then.
 */
#include "hafailover/vip/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"

enum { PROBE_MAGIC = 0x70726f62, TRIES = 8, REQUEST_MAX = 256, REPLY_MIN = 5 };

#define RETRY_MIN_NS (5 * NS_PER_MS)
#define RETRY_MAX_NS (100 * NS_PER_MS)

/* A lost segment is sent again too late for us; another connection takes its place meanwhile. */
struct attempt {
	struct probe *probe;
	ev_io ready;
	bool connected;
	char reply[REPLY_MIN];
	size_t n_reply;
};

struct probe {
	unsigned magic;
	struct ev_loop *loop;
	struct neighbour_table *neighbours;
	struct probe_question question;
	void (*done)(void *owner, const struct probe_result *);
	void *owner;
	struct neighbour_listener listener;
	bool listening;
	bool drained, extended; /* at the deadline */
	struct address asked; /* the address without port */
	struct arp_nd_frame frames[2]; /* without and with a sender */
	unsigned n_frames, tries;
	int64_t start_ns, due_ns;
	ev_timer retry, deadline, soon;
	struct attempt attempts[TRIES];
	unsigned n_attempts;
	struct probe_result result;
};

const char *
probe_verdict_name(enum probe_verdict v)
{
	switch (v) {
	case PROBE_SILENT:
		return "silent";
	case PROBE_ANSWERS:
		return "answers";
	case PROBE_SERVES:
		return "serves";
	case PROBE_FAILED:
		return "failed";
	}
	CHECK_NEVER();
}

/* As ARP and ND speak of it. */
static struct address
address_of_neighbour(const struct address *a)
{
	struct address bare = *a;

	if (a->sa.sa_family == AF_INET) {
		bare.in.sin_port = 0;
	} else {
		bare.in6.sin6_port = 0;
		bare.in6.sin6_scope_id = 0;
	}
	return bare;
}

static void
attempts_close(struct probe *p)
{
	unsigned i;

	for (i = 0; i < p->n_attempts; i++) {
		ev_io_stop(p->loop, &p->attempts[i].ready);
		close(p->attempts[i].ready.fd);
	}
	p->n_attempts = 0;
}

/* Nothing of it goes on. */
static void
quiet(struct probe *p)
{
	ev_timer_stop(p->loop, &p->retry);
	ev_timer_stop(p->loop, &p->deadline);
	ev_timer_stop(p->loop, &p->soon);
	attempts_close(p);
	if (p->listening)
		neighbour_unlisten(p->neighbours, &p->listener);
	p->listening = false;
}

/* `reason` stays as it is if NULL. */
static void
finish(struct probe *p, enum probe_verdict verdict, const char *reason)
{
	quiet(p);
	p->result.verdict = verdict;
	p->result.duration_ns = clock_ns() - p->start_ns;
	if (reason)
		snprintf(p->result.reason, sizeof(p->result.reason), "%s", reason);
	p->done(p->owner, &p->result); /* frees us */
}

static void
finish_errno(struct probe *p, int error)
{
	char reason[sizeof(p->result.reason)];

	snprintf(reason, sizeof(reason), "in use, but: %s", strerror(error));
	finish(p, PROBE_ANSWERS, reason);
}

/* Lbd answers TRACE by itself, with 405, whatever its servers do. */
static int
request_format(const struct probe *p, char text[REQUEST_MAX])
{
	char host[ADDRESS_TEXT_MAX];
	bool six = p->question.address.sa.sa_family == AF_INET6;

	address_format_host(&p->question.address, host);
	return snprintf(text, REQUEST_MAX,
	    "TRACE / HTTP/1.1\r\nHost: %s%s%s\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n",
	    six ? "[" : "", host, six ? "]" : "");
}

/* >0 it serves, 0 need more, <0 whatever that is, it is no service of ours. */
static int
reply_judge(const char *reply, size_t n)
{
	static const char http[] = "HTTP/";

	if (n >= 2 && (reply[0] == 0x15 || reply[0] == 0x16) && reply[1] == 3)
		return 1; /* an alert of a TLS server, which did not expect plain text */
	if (n && memcmp(reply, http, n < sizeof(http) - 1 ? n : sizeof(http) - 1) != 0)
		return n == 1 && (reply[0] == 0x15 || reply[0] == 0x16) ? 0 : -1;
	return n >= sizeof(http) - 1;
}

static void
on_response(struct attempt *a)
{
	ssize_t n = recv(a->ready.fd, a->reply + a->n_reply, sizeof(a->reply) - a->n_reply, 0);
	int verdict;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		finish_errno(a->probe, errno);
		return;
	}
	if (n == 0) {
		finish(a->probe, PROBE_ANSWERS, "closed without a response");
		return;
	}
	a->n_reply += (size_t)n;
	verdict = reply_judge(a->reply, a->n_reply);
	if (verdict > 0)
		finish(a->probe, PROBE_SERVES, "it responded");
	else if (verdict < 0)
		finish(a->probe, PROBE_ANSWERS, "responded, but not in HTTP");
}

static void
on_connected(struct attempt *a)
{
	struct probe *p = a->probe;
	char request[REQUEST_MAX];
	socklen_t size = sizeof(int);
	int error = 0, n = request_format(p, request);

	getsockopt(a->ready.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		finish_errno(p, error);
		return;
	}
	a->connected = true;
	if (p->question.service == PROBE_CONNECT) {
		finish(p, PROBE_SERVES, "it accepted a connection");
		return;
	}
	if (send(a->ready.fd, request, (size_t)n, MSG_NOSIGNAL) != n) {
		finish_errno(p, errno);
		return;
	}
	ev_io_stop(p->loop, &a->ready);
	ev_io_set(&a->ready, a->ready.fd, EV_READ);
	ev_io_start(p->loop, &a->ready);
}

static void
on_ready(struct ev_loop *loop, ev_io *w, int revents)
{
	struct attempt *a = w->data;

	(void)revents;
	CHECK(a->probe->magic == PROBE_MAGIC && a->probe->loop == loop);
	if (a->connected)
		on_response(a);
	else
		on_connected(a);
}

/* On that interface and no other, whatever the routes say.  fd or -errno. */
static int
service_connect(const struct link *l, const struct address *to)
{
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int status;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, l->name, IF_NAMESIZE) < 0 ||
	    (connect(fd, &to->sa, to->len) < 0 && errno != EINPROGRESS)) {
		status = -errno;
		close(fd);
		return status;
	}
	return fd;
}

/* True while the probe goes on. */
static bool
attempt_start(struct probe *p)
{
	const struct link *l = link_at(neighbour_links(p->neighbours), p->question.link);
	struct attempt *a = &p->attempts[p->n_attempts];
	int fd;

	if (p->n_attempts == TRIES)
		return true;
	fd = l ? service_connect(l, &p->question.address) : -ENODEV;
	if (fd < 0) {
		finish_errno(p, -fd);
		return false;
	}
	p->n_attempts++;
	*a = (struct attempt){ .probe = p };
	ev_io_init(&a->ready, on_ready, fd, EV_WRITE);
	a->ready.data = a;
	ev_io_start(p->loop, &a->ready);
	return true;
}

static void
answered(struct probe *p, const uint8_t mac[LINK_MAC])
{
	p->result.answered_ns = clock_ns() - p->start_ns;
	memcpy(p->result.mac, mac, LINK_MAC);
	if (p->question.service == PROBE_NEIGHBOUR)
		finish(p, PROBE_ANSWERS, "it answered");
	else if (attempt_start(p))
		ev_timer_again(p->loop, &p->retry);
}

static void
on_heard(void *owner, const struct arp_nd_message *m, int link)
{
	static const uint8_t several[LINK_MAC];
	struct probe *p = owner;

	(void)link;
	CHECK(p->magic == PROBE_MAGIC);
	if (m->type != ARP_ND_CLAIM || !address_equal(&m->address, &p->asked))
		return;
	if (p->result.answered_ns < 0)
		answered(p, m->mac);
	else if (memcmp(p->result.mac, m->mac, LINK_MAC) != 0)
		memcpy(p->result.mac, several, LINK_MAC);
}

static void
ask(struct probe *p)
{
	/* What cannot be sent now may be with the next try; nobody answers what was not asked. */
	(void)neighbour_send(p->neighbours, p->question.link, &p->frames[p->tries++ % p->n_frames]);
}

static void
on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct probe *p = w->data;

	(void)revents;
	CHECK(p->magic == PROBE_MAGIC && p->loop == loop);
	if (p->result.answered_ns < 0)
		ask(p);
	else
		attempt_start(p);
}

static void
clocks_start(struct probe *p)
{
	int64_t every = p->question.deadline_ns / TRIES;

	every = every < RETRY_MIN_NS ? RETRY_MIN_NS : every > RETRY_MAX_NS ? RETRY_MAX_NS : every;
	p->due_ns = clock_ns() + p->question.deadline_ns;
	ev_now_update(p->loop);
	ev_timer_set(&p->deadline, (double)p->question.deadline_ns / (double)NS_PER_S, 0);
	ev_timer_start(p->loop, &p->deadline);
	p->retry.repeat = (double)every / (double)NS_PER_S;
	ev_timer_again(p->loop, &p->retry);
	if (p->result.answered_ns < 0)
		ask(p);
}

static void
judge(struct probe *p)
{
	int ms = (int)(p->question.deadline_ns / NS_PER_MS);
	bool connected = false;
	unsigned i;

	if (p->result.answered_ns < 0) {
		snprintf(p->result.reason, sizeof(p->result.reason), "no answer in %d ms", ms);
		finish(p, PROBE_SILENT, NULL);
		return;
	}
	for (i = 0; i < p->n_attempts; i++)
		connected |= p->attempts[i].connected;
	snprintf(p->result.reason, sizeof(p->result.reason), "in use, but: %s in %d ms",
	    connected ? "no response" : "no connection", ms);
	finish(p, PROBE_ANSWERS, NULL);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct probe *p = w->data;
	int64_t late = clock_ns() - p->due_ns;

	(void)revents;
	CHECK(p->magic == PROBE_MAGIC && p->loop == loop);
	if (p->result.answered_ns < 0 && !p->drained) {
		/*
		 * What has arrived is read first; then this comes again, unless that was the end.
		 */
		p->drained = true;
		ev_timer_set(&p->deadline, 0, 0);
		ev_timer_start(loop, &p->deadline);
		neighbour_drain(p->neighbours, p->listener.link, p->listener.family);
		return;
	}
	if (late > p->question.deadline_ns / 2 && !p->extended) {
		p->extended = true;
		p->drained = false;
		clocks_start(p);
		return;
	}
	judge(p);
}

static void
frames_make(struct probe *p, const struct link *l)
{
	const struct address *to = &p->question.address;
	struct address source;

	arp_nd_ask(&p->frames[p->n_frames++], to, NULL, l->mac);
	if (link_source(neighbour_links(p->neighbours), l->index, to, &source))
		arp_nd_ask(&p->frames[p->n_frames++], to, &source, l->mac);
}

static void
why_not(struct probe *p, const struct link *l)
{
	char *reason = p->result.reason;
	const size_t size = sizeof(p->result.reason);

	if (!l && p->question.link)
		snprintf(reason, size, "no such interface");
	else if (!l)
		snprintf(reason, size, "no interface is on its subnet");
	else
		snprintf(reason, size, "%s %s", l->name,
		    l->ethernet ? "has no carrier" : "is not Ethernet");
}

/* Of what prevents it the caller hears from the loop. */
static bool
begin(struct probe *p)
{
	const struct link_table *links = neighbour_links(p->neighbours);
	const struct link *l = p->question.link ? link_at(links, p->question.link)
						: link_holding(links, &p->question.address);
	struct err err;

	if (!l || !l->ethernet || !l->carrier) {
		why_not(p, l);
		return false;
	}
	p->question.link = l->index;
	p->listener.link = l->index;
	p->listener.family = p->question.address.sa.sa_family;
	if (neighbour_listen(p->neighbours, &p->listener, &err) < 0) {
		snprintf(p->result.reason, sizeof(p->result.reason), "%.90s", err.text);
		return false;
	}
	p->listening = true;
	frames_make(p, l);
	clocks_start(p);
	return true;
}

static void
on_soon(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct probe *p = w->data;

	(void)revents;
	CHECK(p->magic == PROBE_MAGIC && p->loop == loop);
	finish(p, PROBE_FAILED, NULL);
}

static void
timer_init(struct probe *p, ev_timer *w, void (*fire)(struct ev_loop *, ev_timer *, int))
{
	ev_timer_init(w, fire, 0, 0);
	w->data = p;
}

struct probe *
probe_start(struct ev_loop *loop, struct neighbour_table *neighbours,
    const struct probe_question *question, void (*done)(void *owner, const struct probe_result *),
    void *owner)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->magic = PROBE_MAGIC;
	p->loop = loop;
	p->neighbours = neighbours;
	p->question = *question;
	p->asked = address_of_neighbour(&question->address);
	p->done = done;
	p->owner = owner;
	p->start_ns = clock_ns();
	p->result.answered_ns = -1;
	p->listener.heard = on_heard;
	p->listener.owner = p;
	timer_init(p, &p->retry, on_retry);
	timer_init(p, &p->deadline, on_deadline);
	timer_init(p, &p->soon, on_soon);
	if (!begin(p))
		ev_timer_start(loop, &p->soon);
	return p;
}

void
probe_free(struct probe **pp)
{
	struct probe *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	quiet(p);
	p->magic = 0;
	free(p);
}
