/* witness_link.c - a socket, and the order of checks on what comes in: address, seal, session. */
#include "hafailover/peer/witness_link.h"

#include <errno.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"

enum { WITNESS_LINK_MAGIC = 0x68617769, READ_MAX = 64, PRIORITY = 6 };

struct witness_link {
	uint32_t magic;
	struct ev_loop *loop;
	struct witness_link_events events;
	ev_io io; /* its fd is -1 until it is configured */
	struct address witness;
	struct witness_key key;
	struct witness_packet question; /* the last */
	struct witness_link_counters count;
};

const char *
witness_link_result_name(enum witness_link_result r)
{
	static const char *const names[ASK_RESULTS] = { "ok", "error", "challenge", "old",
		"stranger", "forged", "other_version", "malformed" };

	return names[r];
}

/* --- asking --- */

static void
question_send(struct witness_link *l, enum witness_link_result as)
{
	uint8_t bytes[WITNESS_WIRE_SIZE];
	const struct address *to = &l->witness;
	ssize_t n = -1;

	if (witness_wire_encode(bytes, &l->question, &l->key))
		n = sendto(l->io.fd, bytes, sizeof(bytes), MSG_DONTWAIT, &to->sa, to->len);
	if (n < 0 && errno == ECONNREFUSED) /* to an earlier one: this one was not sent */
		n = sendto(l->io.fd, bytes, sizeof(bytes), MSG_DONTWAIT, &to->sa, to->len);
	l->count.sent[n == (ssize_t)sizeof(bytes) ? as : ASK_ERROR]++;
}

void
witness_link_ask(struct witness_link *l, const struct witness_request *r)
{
	if (l->io.fd < 0)
		return;
	l->question.request = *r;
	question_send(l, ASK_OK);
}

/* --- being answered --- */

static enum witness_link_result
result_of(enum wire_verdict v)
{
	switch (v) {
	case WIRE_OK:
		return ASK_OK;
	case WIRE_MALFORMED:
		return ASK_MALFORMED;
	case WIRE_OTHER_VERSION:
		return ASK_OTHER_VERSION;
	case WIRE_FORGED:
		return ASK_FORGED;
	}
	CHECK_NEVER();
}

static enum witness_link_result
packet_check(const struct witness_link *l, struct str bytes, const struct address *from,
    struct witness_packet *w)
{
	enum witness_link_result r;

	if (!address_equal(from, &l->witness))
		return ASK_STRANGER;
	r = result_of(witness_wire_decode(w, bytes, &l->key));
	if (r != ASK_OK)
		return r;
	if (w->type == WITNESS_QUESTION)
		return ASK_STRANGER;
	if (w->session != l->question.session || strcmp(w->node, l->question.node) != 0)
		return ASK_OLD;
	return ASK_OK;
}

/* Only of the last question, and only if it says something new: nobody can make us ask for ever. */
static enum witness_link_result
challenged(struct witness_link *l, const struct witness_packet *w)
{
	struct witness_packet *q = &l->question;

	if (w->answer.id != q->request.id || (w->host == q->host && w->challenge == q->challenge))
		return ASK_OLD;
	q->host = w->host;
	q->challenge = w->challenge;
	question_send(l, ASK_CHALLENGE);
	return ASK_CHALLENGE;
}

static void
take(struct witness_link *l, struct str bytes, const struct address *from)
{
	struct witness_packet w;
	enum witness_link_result r = packet_check(l, bytes, from, &w);

	if (r == ASK_OK && w.type == WITNESS_CHALLENGE)
		r = challenged(l, &w);
	l->count.received[r]++;
	if (r == ASK_OK)
		l->events.answered(l->events.owner, &w.answer);
}

/* False: nothing is left. */
static bool
read_one(struct witness_link *l)
{
	uint8_t bytes[WITNESS_WIRE_SIZE + 1]; /* one more: what is longer is seen to be */
	struct address from = { .len = sizeof(from.in6) };
	ssize_t n = recvfrom(l->io.fd, bytes, sizeof(bytes), MSG_DONTWAIT, &from.sa, &from.len);

	if (n < 0) {
		l->count.received[ASK_ERROR] += errno != EAGAIN && errno != EINTR;
		return errno != EAGAIN;
	}
	take(l, (struct str){ (const char *)bytes, (size_t)n }, &from);
	return true;
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct witness_link *l = io->data;

	(void)revents;
	CHECK(l->magic == WITNESS_LINK_MAGIC && l->loop == loop);
	for (unsigned i = 0; i < READ_MAX && read_one(l); i++)
		;
}

/* --- start and end --- */

static void
socket_close(struct witness_link *l)
{
	if (l->io.fd < 0)
		return;
	ev_io_stop(l->loop, &l->io);
	close(l->io.fd);
	l->io.fd = -1;
}

static int
socket_open(struct witness_link *l, sa_family_t family, struct err *err)
{
	const int class = IPTOS_CLASS_CS6, priority = PRIORITY;
	bool v6 = family == AF_INET6;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_set(err, -errno, "no socket for the witness: %s", strerror(errno));
	/* each only improves something */
	setsockopt(
	    fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, &class, sizeof(class));
	setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	socket_close(l);
	ev_io_set(&l->io, fd, EV_READ);
	ev_io_start(l->loop, &l->io);
	return 0;
}

int
witness_link_configure(
    struct witness_link *l, const struct witness_link_options *o, struct err *err)
{
	struct witness_key key;

	CHECK(o->node.n <= WIRE_NAME_MAX);
	if (!witness_key_derive(&key, o->secret))
		return err_set(err, -EIO, "OpenSSL cannot make a key of the witness's secret");
	if ((l->io.fd < 0 || l->witness.sa.sa_family != o->witness.sa.sa_family) &&
	    socket_open(l, o->witness.sa.sa_family, err) < 0)
		return err->code;
	l->key = key;
	l->witness = o->witness;
	memset(l->question.node, 0, sizeof(l->question.node));
	memcpy(l->question.node, o->node.p, o->node.n);
	return 0;
}

struct witness_link *
witness_link_new(struct ev_loop *loop, uint64_t session, const struct witness_link_events *events)
{
	struct witness_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->magic = WITNESS_LINK_MAGIC;
	l->loop = loop;
	l->events = *events;
	l->question.type = WITNESS_QUESTION;
	l->question.session = session;
	ev_io_init(&l->io, on_readable, -1, EV_READ);
	ev_set_priority(&l->io, 1);
	l->io.data = l;
	return l;
}

void
witness_link_free(struct witness_link **lp)
{
	struct witness_link *l = *lp;

	*lp = NULL;
	if (!l)
		return;
	socket_close(l);
	explicit_bzero(&l->key, sizeof(l->key));
	l->magic = 0;
	free(l);
}

/* --- what is known --- */

const struct address *
witness_link_address(const struct witness_link *l)
{
	return &l->witness;
}

const struct witness_link_counters *
witness_link_count(const struct witness_link *l)
{
	return &l->count;
}
