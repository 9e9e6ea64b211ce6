/* dns.c - two questions a name, one for each family; when both are answered, so is the name. */
#include "lbd/resolve/dns.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"

enum { DNS_MAGIC = 0x646e7321, NAME_SIZE = 256, SERVERS_TEXT = 1024 };

static const int64_t HOSTS_TTL = 10 * NS_PER_S; /* the file is read again after that */

struct dns {
	unsigned magic;
	struct ev_loop *loop;
	ares_channel channel;
	const struct resolver_config *config;
	uint64_t *counts;
	struct dns_socket *sockets;
	ev_timer timer;
	bool ending;
};

struct dns_socket {
	ev_io io;
	struct dns *dns;
	struct dns_socket *next;
};

struct question {
	struct dns *dns;
	char name[NAME_SIZE];
	dns_answer_fn *answered;
	void *arg;
	unsigned pending;
	struct dns_answer answers[DNS_FAMILIES];
};

/* --- c-ares' sockets and time-outs --- */

static void
timer_set(struct dns *d)
{
	struct timeval tv, *left = ares_timeout(d->channel, NULL, &tv);

	ev_timer_stop(d->loop, &d->timer);
	if (!left)
		return;
	ev_now_update(d->loop);
	ev_timer_set(&d->timer, (double)left->tv_sec + (double)left->tv_usec / 1e6, 0.);
	ev_timer_start(d->loop, &d->timer);
}

static void
on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct dns *d = t->data;

	(void)loop;
	(void)revents;
	CHECK(d->magic == DNS_MAGIC);
	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	timer_set(d);
}

/* The watcher may be gone when c-ares has looked. */
static void
on_socket(struct ev_loop *loop, ev_io *io, int revents)
{
	struct dns *d = ((struct dns_socket *)io->data)->dns;
	int fd = io->fd;

	(void)loop;
	CHECK(d->magic == DNS_MAGIC);
	ares_process_fd(d->channel, revents & EV_READ ? fd : ARES_SOCKET_BAD,
	    revents & EV_WRITE ? fd : ARES_SOCKET_BAD);
	timer_set(d);
}

static struct dns_socket *
socket_add(struct dns *d, int fd)
{
	struct dns_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL; /* the question times out */
	s->dns = d;
	s->next = d->sockets;
	d->sockets = s;
	ev_io_init(&s->io, on_socket, fd, 0);
	s->io.data = s;
	return s;
}

static void
socket_drop(struct dns *d, struct dns_socket **sp)
{
	struct dns_socket *s = *sp;

	*sp = s->next;
	ev_io_stop(d->loop, &s->io);
	free(s);
}

/* From within c-ares: what it wants to know of a socket; neither: it closes it. */
static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = arg;
	struct dns_socket **sp = &d->sockets, *s;

	while (*sp && (*sp)->io.fd != fd)
		sp = &(*sp)->next;
	s = *sp;
	if (!readable && !writable) {
		if (s)
			socket_drop(d, sp);
		return;
	}
	if (!s)
		s = socket_add(d, fd);
	if (!s)
		return;
	ev_io_stop(d->loop, &s->io);
	ev_io_set(&s->io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	ev_io_start(d->loop, &s->io);
}

/* --- answers --- */

static enum dns_result
result_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return DNS_OK;
	case ARES_ENODATA:
		return DNS_NO_DATA;
	case ARES_ENOTFOUND:
		return DNS_NOT_FOUND;
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_ENOTIMP:
	case ARES_ECONNREFUSED: /* also for a server that says one of the above */
		return DNS_SERVER_FAILURE;
	case ARES_ETIMEOUT:
		return DNS_TIMEOUT;
	case ARES_EBADRESP:
	case ARES_EFORMERR:
	case ARES_EBADNAME:
		return DNS_BAD_ANSWER;
	default:
		return DNS_FAILED;
	}
}

/* Of the family that was asked for; what no server can have is left out. */
static void
answer_add(struct dns_answer *answer, enum dns_family family, const void *bytes)
{
	struct dns_address a = { { [10] = 0xff, [11] = 0xff } };

	if (family == DNS_IPV4)
		memcpy(a.bytes + 12, bytes, 4);
	else
		memcpy(a.bytes, bytes, 16);
	if (answer->n < ANSWER_MAX && dns_address_family(&a) == family && dns_address_usable(&a))
		answer->list[answer->n++] = a;
}

static void
ttl_lower(struct dns_answer *answer, int ttl)
{
	int64_t ns = (ttl > 0 ? ttl : 0) * NS_PER_S;

	if (ns < answer->ttl)
		answer->ttl = ns;
}

static void
answer_take(struct dns_answer *answer, enum dns_family family, const struct ares_addrinfo *result)
{
	answer->ttl = INT64_MAX;
	for (const struct ares_addrinfo_cname *c = result->cnames; c; c = c->next)
		ttl_lower(answer, c->ttl);
	for (const struct ares_addrinfo_node *n = result->nodes; n; n = n->ai_next) {
		const void *bytes = family == DNS_IPV4
		    ? (const void *)&((const struct sockaddr_in *)(const void *)n->ai_addr)
			  ->sin_addr
		    : &((const struct sockaddr_in6 *)(const void *)n->ai_addr)->sin6_addr;

		ttl_lower(answer, n->ai_ttl);
		answer_add(answer, family, bytes);
	}
	if (answer->n == 0)
		answer->result = DNS_BAD_ANSWER;
}

static void
question_answered(struct question *q)
{
	if (--q->pending)
		return;
	if (!q->dns->ending)
		q->answered(q->arg, q->answers);
	free(q);
}

static void
on_answer(struct question *q, enum dns_family family, int status, struct ares_addrinfo *result)
{
	struct dns_answer *answer = &q->answers[family];

	answer->result = result_of(status);
	if (status == ARES_SUCCESS && result)
		answer_take(answer, family, result);
	if (result)
		ares_freeaddrinfo(result);
	if (!q->dns->ending)
		q->dns->counts[answer->result]++;
	question_answered(q);
}

static void
on_ipv4(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	(void)timeouts;
	on_answer(arg, DNS_IPV4, status, result);
}

static void
on_ipv6(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	(void)timeouts;
	on_answer(arg, DNS_IPV6, status, result);
}

/* --- questions --- */

static bool
is_wanted(const struct dns *d, enum dns_family family)
{
	enum resolver_family wanted = d->config->family;

	return wanted == RESOLVER_ANY || (wanted == RESOLVER_IPV4) == (family == DNS_IPV4);
}

static const int families[DNS_FAMILIES] = { [DNS_IPV4] = AF_INET, [DNS_IPV6] = AF_INET6 };

/* What /etc/hosts says.  False: nothing. */
static bool
hosts_read(struct question *q)
{
	bool any = false;

	for (enum dns_family f = 0; f < DNS_FAMILIES; f++) {
		struct hostent *entry = NULL;

		if (!is_wanted(q->dns, f) ||
		    ares_gethostbyname_file(q->dns->channel, q->name, families[f], &entry) !=
			ARES_SUCCESS)
			continue;
		for (char **a = entry->h_addr_list; *a; a++)
			answer_add(&q->answers[f], f, *a);
		ares_free_hostent(entry);
		if (q->answers[f].n == 0)
			continue;
		q->answers[f].result = DNS_OK;
		q->answers[f].ttl = HOSTS_TTL;
		any = true;
	}
	return any;
}

static void
question_send(struct question *q)
{
	static const ares_addrinfo_callback answered[DNS_FAMILIES] = {
		[DNS_IPV4] = on_ipv4, [DNS_IPV6] = on_ipv6
	};
	struct dns *d = q->dns;

	for (enum dns_family f = 0; f < DNS_FAMILIES; f++) {
		struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NOSORT,
			.ai_family = families[f] };

		if (!is_wanted(d, f))
			continue;
		q->pending++;
		ares_getaddrinfo(d->channel, q->name, NULL, &hints, answered[f], q);
	}
}

void
dns_ask(struct dns *d, struct str name, dns_answer_fn *answered, void *arg)
{
	struct question *q = calloc(1, sizeof(*q));
	static const struct dns_answer none[DNS_FAMILIES] = { { .result = DNS_FAILED },
		{ .result = DNS_FAILED } };

	if (!q) {
		answered(arg, none);
		return;
	}
	q->dns = d;
	q->answered = answered;
	q->arg = arg;
	q->pending = 1; /* this function */
	q->answers[DNS_IPV4].result = q->answers[DNS_IPV6].result = DNS_NO_DATA;
	snprintf(q->name, sizeof(q->name), "%.*s", STR_ARG(name));
	if (!d->config->hosts || !hosts_read(q)) {
		question_send(q);
		timer_set(d);
	}
	question_answered(q);
}

/* --- start and end --- */

static int
options_init(struct dns *d, const struct resolver_config *c)
{
	char lookups[] = "b"; /* DNS alone: the file is read above */
	struct ares_options o = {
		.timeout = (int)(c->timeout / NS_PER_MS),
		.tries = (int)c->attempts,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = d,
	};

	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;

#ifdef ARES_OPT_QUERY_CACHE
	mask |=
	    ARES_OPT_QUERY_CACHE; /* of newer releases: none, when to ask again is decided here */
#endif
	return ares_init_options(&d->channel, &o, mask);
}

static int
servers_set(struct dns *d, const struct resolver_config *c)
{
	char text[SERVERS_TEXT] = "", one[ADDRESS_TEXT_MAX];
	size_t n = 0;

	if (c->n_servers == 0)
		return ARES_SUCCESS;
	for (uint32_t i = 0; i < c->n_servers; i++) {
		address_format(&c->servers[i], one);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? "," : "", one);
		CHECK(n < sizeof(text));
	}
	return ares_set_servers_ports_csv(d->channel, text);
}

struct dns *
dns_new(struct ev_loop *loop, const struct resolver_config *config, uint64_t counts[DNS_RESULTS],
    struct err *err)
{
	struct dns *d = calloc(1, sizeof(*d));
	int status = ARES_ENOMEM;

	if (d) {
		d->magic = DNS_MAGIC;
		d->loop = loop;
		d->config = config;
		d->counts = counts;
		ev_timer_init(&d->timer, on_timer, 0., 0.);
		d->timer.data = d;
		status = options_init(d, config);
	}
	if (status == ARES_SUCCESS)
		status = servers_set(d, config);
	if (status == ARES_SUCCESS)
		return d;
	err_set(err, -EINVAL, "cannot prepare for DNS: %s", ares_strerror(status));
	dns_free(&d);
	return NULL;
}

void
dns_free(struct dns **dp)
{
	struct dns *d = *dp;

	*dp = NULL;
	if (!d)
		return;
	d->ending = true;
	if (d->channel)
		ares_destroy(d->channel); /* answers all questions, and closes its sockets */
	while (d->sockets)
		socket_drop(d, &d->sockets);
	ev_timer_stop(d->loop, &d->timer);
	d->magic = 0;
	free(d);
}
