/*
 * peer_link.c - sockets, counters, and the order of checks on what comes in: address, seal, name,
 * path, session, number.
 *
 * A hello is sent to the peer's configured address, never to where a packet came from, and one for
 * one: nobody can be flooded through us.
 */
#include "hafailover/peer/peer_link.h"

#include <errno.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"

enum { PEER_LINK_MAGIC = 0x68616c6b, READ_MAX = 256, PRIORITY = 6, RECEIVE_BUFFER = 1 << 18 };

static const int64_t TROUBLE_QUIET_NS = 60 * NS_PER_S;

struct path {
	struct peer_link *link;
	ev_io io;
	struct peer_link_path ends;
	struct peer_link_counters count;
};

struct peer_link {
	uint32_t magic;
	struct ev_loop *loop;
	struct peer_link_events events;
	struct session_table sessions;
	struct wire_key key;
	char node[WIRE_NAME_MAX + 1], peer[WIRE_NAME_MAX + 1];
	struct path *paths[HEARTBEAT_PATHS_MAX];
	unsigned n_paths;
	uint8_t macs[WIRE_MACS_MAX][WIRE_MAC];
	uint8_t n_macs;
	uint16_t servers_total, servers_unchecked;
	uint64_t lbd_digest;
	struct wire_packet last;
	bool heard;
	struct peer_link_trouble trouble;
	enum peer_link_result told; /* to the log; PACKET_OK: nothing */
	int64_t told_ns;
};

const char *
peer_link_result_name(enum peer_link_result r)
{
	static const char *const names[PACKET_RESULTS] = { "ok", "error", "hello", "old",
		"unknown_session", "stranger", "forged", "other_version", "malformed" };

	return names[r];
}

/* --- sending --- */

static void
path_send(struct path *p, const struct wire_packet *w)
{
	struct wire_packet mine = *w;
	uint8_t bytes[WIRE_SIZE];
	const struct address *to = &p->ends.peer;
	enum peer_link_result ok = w->type == WIRE_HELLO ? PACKET_HELLO : PACKET_OK;
	ssize_t n = -1;
	unsigned i = 0;

	while (p->link->paths[i] != p)
		i++;
	mine.path = (uint8_t)i;
	if (wire_encode(bytes, &mine, &p->link->key))
		n = sendto(p->io.fd, bytes, WIRE_SIZE, MSG_DONTWAIT, &to->sa, to->len);
	if (n < 0 &&
	    errno == ECONNREFUSED) /* an ICMP error to an earlier one: this one was not sent */
		n = sendto(p->io.fd, bytes, WIRE_SIZE, MSG_DONTWAIT, &to->sa, to->len);
	p->count.sent[n == WIRE_SIZE ? ok : PACKET_ERROR]++;
}

static void
packet_init(struct peer_link *l, struct wire_packet *w, enum wire_type type, uint64_t sequence)
{
	memset(w, 0, sizeof(*w));
	w->type = type;
	memcpy(w->node, l->node, sizeof(w->node));
	memcpy(w->macs, l->macs, sizeof(w->macs));
	w->n_macs = l->n_macs;
	w->servers_total = l->servers_total;
	w->servers_unchecked = l->servers_unchecked;
	w->lbd_digest = l->lbd_digest;
	session_stamp(&l->sessions, w, sequence);
}

void
peer_link_send(struct peer_link *l, const struct heartbeat *h)
{
	struct wire_packet w;

	packet_init(l, &w, WIRE_HEARTBEAT, h->sequence);
	w.heartbeat = *h;
	for (unsigned i = 0; i < l->n_paths; i++)
		path_send(l->paths[i], &w);
}

static void
hello_send(struct path *p)
{
	struct wire_packet w;

	packet_init(p->link, &w, WIRE_HELLO, 0);
	path_send(p, &w);
}

/* --- receiving --- */

static void
trouble_tell(const struct path *p)
{
	const struct peer_link_trouble *t = &p->link->trouble;
	char from[ADDRESS_TEXT_MAX];

	address_format_host(&p->ends.peer, from);
	log_warning("heartbeat_refused", "from=%s result=%s version=%u name=%s", from,
	    peer_link_result_name(t->result), t->version, log_quoted(str_of(t->name)).text);
}

/* Told when it becomes another one, and once a minute: it may be somebody's who means harm. */
static void
trouble_note(struct path *p, enum peer_link_result result, uint8_t version, const char *name)
{
	struct peer_link *l = p->link;
	int64_t now = clock_ns();

	l->trouble =
	    (struct peer_link_trouble){ .result = result, .version = version, .at_ns = now };
	memcpy(l->trouble.name, name, strnlen(name, WIRE_NAME_MAX));
	if (l->told == result && now - l->told_ns < TROUBLE_QUIET_NS)
		return;
	l->told = result;
	l->told_ns = now;
	trouble_tell(p);
}

/* The verdict on what was received, before sessions are looked at. */
static enum peer_link_result
packet_check(struct path *p, struct str bytes, const struct address *from, struct wire_packet *w)
{
	struct peer_link *l = p->link;
	uint8_t version;

	if (!address_equal(from, &p->ends.peer))
		return PACKET_STRANGER;
	switch (wire_decode(w, bytes, &l->key, &version)) {
	case WIRE_OK:
		break;
	case WIRE_MALFORMED:
		return PACKET_MALFORMED;
	case WIRE_OTHER_VERSION:
		trouble_note(p, PACKET_OTHER_VERSION, version, "");
		return PACKET_OTHER_VERSION;
	case WIRE_FORGED:
		trouble_note(p, PACKET_FORGED, version, "");
		return PACKET_FORGED;
	}
	if (strcmp(w->node, l->peer) != 0) {
		trouble_note(p, PACKET_STRANGER, version, w->node);
		return PACKET_STRANGER;
	}
	if (w->path >= l->n_paths || l->paths[w->path] != p)
		return PACKET_STRANGER;
	return PACKET_OK;
}

static void
news(struct peer_link *l, const struct wire_packet *w)
{
	if (!l->heard || l->last.session != w->session || l->last.sequence < w->sequence)
		l->last = *w;
	l->heard = true;
	l->trouble.result = PACKET_OK;
	l->paths[w->path]->count.received[PACKET_OK]++;
	l->events.heard(l->events.owner, w->path, w);
}

static void
packet_take(struct path *p, const struct wire_packet *w)
{
	struct peer_link *l = p->link;
	struct wire_packet waited = l->sessions.waits;
	struct session_result r = session_hear(&l->sessions, w);

	if (r.met || (r.verdict == SESSION_UNKNOWN && w->type == WIRE_HEARTBEAT))
		hello_send(p);
	if (r.released)
		news(l, &waited);
	switch (r.verdict) {
	case SESSION_NEWS:
		news(l, w);
		break;
	case SESSION_HELLO:
		p->count.received[PACKET_HELLO]++;
		break;
	case SESSION_OLD:
		p->count.received[PACKET_OLD]++;
		break;
	case SESSION_UNKNOWN:
		p->count.received[PACKET_UNKNOWN]++;
		break;
	}
}

/* False: nothing is left. */
static bool
path_read(struct path *p)
{
	uint8_t bytes[WIRE_SIZE + 1]; /* one more: what is longer is seen to be */
	struct address from = { .len = sizeof(from.in6) };
	enum peer_link_result result;
	struct wire_packet w;
	ssize_t n = recvfrom(p->io.fd, bytes, sizeof(bytes), MSG_DONTWAIT, &from.sa, &from.len);

	if (n < 0) {
		p->count.received[PACKET_ERROR] += errno != EAGAIN && errno != EINTR;
		return errno != EAGAIN;
	}
	result = packet_check(p, (struct str){ (const char *)bytes, (size_t)n }, &from, &w);
	if (result == PACKET_OK)
		packet_take(p, &w);
	else
		p->count.received[result]++;
	return true;
}

static void
path_drain(struct path *p)
{
	for (unsigned i = 0; i < READ_MAX && path_read(p); i++)
		;
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct path *p = io->data;

	(void)revents;
	CHECK(p->link->magic == PEER_LINK_MAGIC && p->link->loop == loop);
	path_drain(p);
}

/* --- sockets --- */

static void
option(int fd, int level, int name, int value)
{
	/* each only improves something */
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		log_debug("socket_option", "level=%d name=%d reason=\"%s\"", level, name,
		    strerror(errno));
}

static int
socket_open(const struct address *own, struct err *err)
{
	bool v6 = own->sa.sa_family == AF_INET6;
	int fd = socket(own->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[ADDRESS_TEXT_MAX];
	int code;

	address_format(own, text);
	if (fd < 0)
		return err_set(err, -errno, "no socket for %s: %s", text, strerror(errno));
	option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, 1);
	option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, IPTOS_CLASS_CS6);
	option(fd, SOL_SOCKET, SO_PRIORITY, PRIORITY);
	option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	if (bind(fd, &own->sa, own->len) == 0)
		return fd;
	code = err_set(err, -errno, "cannot use %s for heartbeats: %s", text, strerror(errno));
	close(fd);
	return code;
}

static void
path_free(struct path **pp)
{
	struct path *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	ev_io_stop(p->link->loop, &p->io);
	close(p->io.fd);
	free(p);
}

static struct path *
path_new(struct peer_link *l, const struct peer_link_path *ends, struct err *err)
{
	struct path *p = calloc(1, sizeof(*p));
	int fd;

	if (!p) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	fd = socket_open(&ends->own, err);
	if (fd < 0) {
		free(p);
		return NULL;
	}
	p->link = l;
	p->ends = *ends;
	ev_io_init(&p->io, on_readable, fd, EV_READ);
	ev_set_priority(&p->io, 1);
	p->io.data = p;
	ev_io_start(l->loop, &p->io);
	return p;
}

static struct path *
path_find(struct peer_link *l, const struct peer_link_path *ends)
{
	for (unsigned i = 0; i < l->n_paths; i++)
		if (address_equal(&l->paths[i]->ends.own, &ends->own) &&
		    address_equal(&l->paths[i]->ends.peer, &ends->peer))
			return l->paths[i];
	return NULL;
}

static bool
is_among(struct path *const *list, unsigned n, const struct path *p)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i] == p)
			return true;
	return false;
}

/* Frees the paths of one list that are not in the other. */
static void
paths_free(struct path **list, unsigned n, struct path *const *keep, unsigned n_keep)
{
	for (unsigned i = 0; i < n; i++)
		if (!is_among(keep, n_keep, list[i]))
			path_free(&list[i]);
}

static int
paths_open(struct peer_link *l, const struct peer_link_options *o, struct err *err)
{
	struct path *paths[HEARTBEAT_PATHS_MAX] = { NULL };
	unsigned n;

	for (n = 0; n < o->n_paths; n++) {
		paths[n] = path_find(l, &o->paths[n]);
		if (!paths[n])
			paths[n] = path_new(l, &o->paths[n], err);
		if (!paths[n]) {
			paths_free(paths, n, l->paths, l->n_paths);
			return err->code;
		}
	}
	paths_free(l->paths, l->n_paths, paths, n);
	memcpy(l->paths, paths, sizeof(paths));
	l->n_paths = n;
	return 0;
}

static void
name_copy(char to[WIRE_NAME_MAX + 1], struct str name)
{
	CHECK(name.n <= WIRE_NAME_MAX);
	memset(to, 0, WIRE_NAME_MAX + 1);
	memcpy(to, name.p, name.n);
}

int
peer_link_configure(struct peer_link *l, const struct peer_link_options *o, struct err *err)
{
	struct wire_key key;
	int code;

	CHECK(o->n_paths >= 1 && o->n_paths <= HEARTBEAT_PATHS_MAX);
	if (!wire_key_derive(&key, o->secret))
		return err_set(err, -EIO, "OpenSSL cannot make a key of the secret");
	code = paths_open(l, o, err);
	if (code)
		return code;
	l->key = key;
	name_copy(l->node, o->node);
	name_copy(l->peer, o->peer);
	return 0;
}

struct peer_link *
peer_link_new(struct ev_loop *loop, uint64_t session, const struct peer_link_events *events)
{
	struct peer_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->magic = PEER_LINK_MAGIC;
	l->loop = loop;
	l->events = *events;
	session_init(&l->sessions, session);
	return l;
}

void
peer_link_free(struct peer_link **lp)
{
	struct peer_link *l = *lp;

	*lp = NULL;
	if (!l)
		return;
	paths_free(l->paths, l->n_paths, NULL, 0);
	explicit_bzero(&l->key, sizeof(l->key));
	l->magic = 0;
	free(l);
}

/* --- what is said beside, and what is known --- */

void
peer_link_set_macs(struct peer_link *l, const uint8_t (*macs)[WIRE_MAC], size_t n)
{
	l->n_macs = (uint8_t)(n < WIRE_MACS_MAX ? n : WIRE_MACS_MAX);
	memset(l->macs, 0, sizeof(l->macs));
	if (l->n_macs)
		memcpy(l->macs, macs, (size_t)l->n_macs * WIRE_MAC);
}

static uint16_t
at_most_u16(uint32_t n)
{
	return (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
}

void
peer_link_set_lbd(struct peer_link *l, uint32_t servers, uint32_t unchecked, uint64_t digest)
{
	l->servers_total = at_most_u16(servers);
	l->servers_unchecked = at_most_u16(unchecked);
	l->lbd_digest = digest;
}

unsigned
peer_link_paths(const struct peer_link *l)
{
	return l->n_paths;
}

const struct peer_link_path *
peer_link_path(const struct peer_link *l, unsigned path)
{
	return &l->paths[path]->ends;
}

const struct peer_link_counters *
peer_link_count(const struct peer_link *l, unsigned path)
{
	return &l->paths[path]->count;
}

const struct wire_packet *
peer_link_last(const struct peer_link *l)
{
	return l->heard ? &l->last : NULL;
}

bool
peer_link_is_peer_mac(const struct peer_link *l, const uint8_t mac[WIRE_MAC])
{
	for (unsigned i = 0; l->heard && i < l->last.n_macs; i++)
		if (memcmp(l->last.macs[i], mac, WIRE_MAC) == 0)
			return true;
	return false;
}

struct peer_link_trouble
peer_link_trouble(const struct peer_link *l)
{
	return l->trouble;
}
