/*
 * vrrp.c - a raw socket of protocol 112.
 *
 * One socket sends and receives.  For unicast, and for IPv6, it is bound to the source address, and
 * with multicast to the interface too; a raw IPv4 socket that is bound to an address would not hear
 * the group, so that one gets its source by IP_MULTICAST_IF.
 */
#include "hafailover/vrrp/vrrp.h"

#include <errno.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"

enum { VRRP_MAGIC = 0x76727270, READ_MAX = 256, PRIORITY = 6, RECEIVE_BUFFER = 1 << 18 };

struct vrrp {
	uint32_t magic;
	struct ev_loop *loop;
	struct link_table *links;
	struct link_watch watch;
	struct vrrp_events events;
	struct vrrp_options options;
	ev_io io;
	bool open;
	int link; /* multicast: the interface; else 0 */
	struct address source; /* of what is sent */
	struct address to;
	struct vrrp_counters count;
	struct address last;
	bool heard;
	struct vrrp_trouble trouble;
};

/* --- addresses --- */

static const uint8_t *
address_bytes(const struct address *a)
{
	return a->sa.sa_family == AF_INET6 ? a->in6.sin6_addr.s6_addr
					   : (const uint8_t *)&a->in.sin_addr;
}

static size_t
width(const struct vrrp *v)
{
	return v->options.router.v6 ? 16 : 4;
}

static struct address
address_of(bool v6, const uint8_t *bytes)
{
	struct address a = { .len = v6 ? sizeof(a.in6) : sizeof(a.in) };

	a.sa.sa_family = v6 ? AF_INET6 : AF_INET;
	if (v6)
		memcpy(&a.in6.sin6_addr, bytes, 16);
	else
		memcpy(&a.in.sin_addr, bytes, 4);
	return a;
}

static struct address
portless(const struct address *a)
{
	return address_of(a->sa.sa_family == AF_INET6, address_bytes(a));
}

static struct address
group(bool v6, int link)
{
	uint8_t bytes[16];
	struct address a;

	vrrp_group(v6, bytes);
	a = address_of(v6, bytes);
	if (v6)
		a.in6.sin6_scope_id = (uint32_t)link;
	return a;
}

/* Where multicast goes to and comes from.  False: not there (yet). */
static bool
find_link(const struct vrrp *v, int *link, struct address *source)
{
	bool v6 = v->options.router.v6;
	struct address own = portless(&v->options.own);

	*link = link_of_address(v->links, &own);
	*source = own;
	if (!*link || !v6)
		return *link != 0;
	if (!link_source(v->links, *link, &own, source))
		return false;
	source->in6.sin6_scope_id = (uint32_t)*link;
	return true;
}

/* --- sending --- */

static struct vrrp_ends
ends(const struct vrrp *v, const struct address *from, const struct address *to, uint8_t ttl)
{
	struct vrrp_ends e = { .v6 = v->options.router.v6, .ttl = ttl };

	memcpy(e.from, address_bytes(from), width(v));
	memcpy(e.to, address_bytes(to), width(v));
	return e;
}

static bool
is_open(const struct vrrp *v)
{
	return v->open;
}

void
vrrp_send(struct vrrp *v, uint8_t priority)
{
	struct vrrp_ends e = ends(v, &v->source, &v->to, VRRP_TTL);
	uint8_t bytes[VRRP_PACKET_MAX];
	size_t n = vrrp_encode(bytes, &v->options.router, priority, &e);
	bool sent = is_open(v) &&
	    sendto(v->io.fd, bytes, n, MSG_DONTWAIT, &v->to.sa, v->to.len) == (ssize_t)n;

	v->count.sent[sent ? VRRP_OK : VRRP_ERROR]++;
}

/* --- receiving --- */

static void
trouble_note(struct vrrp *v, enum vrrp_result result, const struct vrrp_ends *e)
{
	struct vrrp_trouble t = { .result = result, .from = address_of(e->v6, e->from) };
	char text[ADDRESS_TEXT_MAX];

	t.at_ns = clock_ns();
	address_format_host(&t.from, text);
	if (result != v->trouble.result || !address_equal(&t.from, &v->trouble.from))
		log_warning("vrrp_refused", "from=%s reason=%s", text, vrrp_result_name(result));
	v->trouble = t;
}

static void
take(struct vrrp *v, const struct vrrp_advertisement *a, const struct vrrp_ends *e)
{
	const struct vrrp_heard h = {
		.priority = a->priority,
		.interval_ns = a->interval_ns,
		.sender_higher = memcmp(e->from, address_bytes(&v->source), width(v)) > 0,
		.addresses_differ = !vrrp_same_addresses(&v->options.router, a),
	};

	v->last = address_of(e->v6, e->from);
	v->heard = true;
	v->trouble.result = VRRP_OK;
	v->events.heard(v->events.owner, &h);
}

/* Unicast: what comes from others is their trouble. */
static bool
is_trouble(const struct vrrp *v, enum vrrp_result result)
{
	if (result == VRRP_STRANGER)
		return v->options.router.multicast;
	return result != VRRP_OTHER_ROUTER;
}

static void
packet_take(struct vrrp *v, struct str packet, const struct vrrp_ends *e)
{
	struct vrrp_advertisement a;
	bool own = memcmp(e->from, address_bytes(&v->source), width(v)) == 0;
	enum vrrp_result result =
	    own ? VRRP_STRANGER : vrrp_decode(&a, &v->options.router, packet, e);

	v->count.received[result]++;
	if (own) /* a wire that sends back: to answer would be without end */
		return;
	if (result == VRRP_OK)
		take(v, &a, e);
	else if (is_trouble(v, result))
		trouble_note(v, result, e);
}

/* IPv4 comes with its header, IPv6 without: the kernel tells what was in it. */
static bool
find_ends6(struct msghdr *m, const struct sockaddr_in6 *from, struct vrrp_ends *e)
{
	struct in6_pktinfo info;
	int hops = -1;
	bool found = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)
			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(e->to, &info.ipi6_addr, 16);
			found = true;
		}
	}
	memcpy(e->from, &from->sin6_addr, 16);
	e->ttl = (uint8_t)hops;
	return found && hops >= 0;
}

/* False: nothing is left. */
static bool
read_one(struct vrrp *v)
{
	uint8_t bytes[VRRP_IP4_MAX + 1]; /* one more: what is longer is seen to be */
	_Alignas(struct cmsghdr) char control[256];
	struct vrrp_ends e = { .v6 = v->options.router.v6 };
	struct sockaddr_in6 from;
	struct iovec io = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(v->io.fd, &m, MSG_DONTWAIT);
	struct str packet = { (const char *)bytes, (size_t)n };

	if (n < 0) {
		v->count.received[VRRP_ERROR] += errno != EAGAIN && errno != EINTR;
		return errno != EAGAIN;
	}
	if (e.v6 ? find_ends6(&m, &from, &e) : vrrp_ip4_strip(&packet, &e))
		packet_take(v, packet, &e);
	else
		v->count.received[VRRP_MALFORMED]++;
	return true;
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct vrrp *v = io->data;

	(void)revents;
	CHECK(v->magic == VRRP_MAGIC && v->loop == loop);
	for (unsigned i = 0; i < READ_MAX && is_open(v) && read_one(v); i++)
		;
}

/* --- the socket --- */

static int
set(int fd, int level, int name, const void *value, socklen_t n)
{
	return setsockopt(fd, level, name, value, n) < 0 ? -errno : 0;
}

static int
set_int(int fd, int level, int name, int value)
{
	return set(fd, level, name, &value, sizeof(value));
}

static int
set_common(int fd, bool v6)
{
	static const struct {
		bool v6;
		int level, name, value;
	} options[] = {
		{ false, IPPROTO_IP, IP_FREEBIND, 1 },
		{ false, IPPROTO_IP, IP_TTL, VRRP_TTL },
		{ false, IPPROTO_IP, IP_TOS, IPTOS_CLASS_CS6 },
		{ false, IPPROTO_IP, IP_MULTICAST_TTL, VRRP_TTL },
		{ false, IPPROTO_IP, IP_MULTICAST_LOOP, 0 },
		{ false, IPPROTO_IP, IP_MULTICAST_ALL, 0 },
		{ true, IPPROTO_IPV6, IPV6_FREEBIND, 1 },
		{ true, IPPROTO_IPV6, IPV6_UNICAST_HOPS, VRRP_TTL },
		{ true, IPPROTO_IPV6, IPV6_TCLASS, IPTOS_CLASS_CS6 },
		{ true, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, VRRP_TTL },
		{ true, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0 },
		{ true, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
		{ true, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
	};
	int code = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(*options) && !code; i++)
		if (options[i].v6 == v6)
			code = set_int(fd, options[i].level, options[i].name, options[i].value);
	set_int(fd, SOL_SOCKET, SO_PRIORITY, PRIORITY); /* these two only improve something */
	set_int(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	return code;
}

static int
join4(int fd, int link, const struct address *source)
{
	uint8_t bytes[16];
	struct ip_mreqn m = { .imr_address = source->in.sin_addr, .imr_ifindex = link };
	int code = set(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m));

	vrrp_group(false, bytes);
	memcpy(&m.imr_multiaddr, bytes, 4);
	return code ? code : set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m));
}

static int
join6(int fd, int link)
{
	struct ipv6_mreq m = { .ipv6mr_interface = (unsigned)link };
	int code = set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, link);

	vrrp_group(true, m.ipv6mr_multiaddr.s6_addr);
	return code ? code : set(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m));
}

static int
join(int fd, const struct vrrp *v, int link, const struct address *source)
{
	const struct link *l = link_at(v->links, link);
	int code =
	    l ? set(fd, SOL_SOCKET, SO_BINDTODEVICE, l->name, (socklen_t)strlen(l->name)) : -ENODEV;

	if (code)
		return code;
	return v->options.router.v6 ? join6(fd, link) : join4(fd, link, source);
}

static int
socket_open(const struct vrrp *v, int link, const struct address *source, struct err *err)
{
	const struct vrrp_router *r = &v->options.router;
	int fd = socket(
	    r->v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, VRRP_PROTOCOL);
	char text[ADDRESS_TEXT_MAX];
	int code;

	address_format_host(source, text);
	if (fd < 0)
		return err_set(err, -errno, "no socket for VRRP: %s%s", strerror(errno),
		    errno == EPERM ? " (CAP_NET_RAW is needed)" : "");
	code = set_common(fd, r->v6);
	if (!code && r->multicast)
		code = join(fd, v, link, source);
	if (!code && (r->v6 || !r->multicast) && bind(fd, &source->sa, source->len) < 0)
		code = -errno;
	if (!code)
		return fd;
	close(fd);
	return err_set(err, code, "cannot use %s for VRRP: %s", text, strerror(-code));
}

static void
socket_close(struct vrrp *v)
{
	if (!is_open(v))
		return;
	ev_io_stop(v->loop, &v->io);
	close(v->io.fd);
	v->open = false;
}

static void
socket_use(struct vrrp *v, int fd, int link, const struct address *source)
{
	const struct vrrp_router *r = &v->options.router;

	socket_close(v);
	v->link = link;
	v->source = *source;
	v->to = r->multicast ? group(r->v6, link) : portless(&v->options.peer);
	ev_io_init(&v->io, on_readable, fd, EV_READ);
	ev_set_priority(&v->io, 1);
	v->io.data = v;
	ev_io_start(v->loop, &v->io);
	v->open = true;
}

/* Opens, or waits for the interface; 0 also then. */
static int
attach(struct vrrp *v, struct err *err)
{
	struct address source = portless(&v->options.own);
	int link = 0, fd;

	if (v->options.router.multicast && !find_link(v, &link, &source)) {
		char text[ADDRESS_TEXT_MAX];

		address_format_host(&source, text);
		log_warning("vrrp_waiting", "address=%s", text);
		socket_close(v);
		v->link = 0;
		v->source = source;
		v->to = group(v->options.router.v6, 0);
		return 0;
	}
	if (is_open(v) && v->link == link && address_equal(&v->source, &source))
		return 0;
	fd = socket_open(v, link, &source, err);
	if (fd < 0)
		return fd;
	socket_use(v, fd, link, &source);
	return 0;
}

/* An interface or an address came or went. */
static void
attach_again(struct vrrp *v)
{
	struct address source;
	struct err err;
	int link;

	if (!v->options.router.multicast)
		return;
	if (!find_link(v, &link, &source)
		? !is_open(v)
		: is_open(v) && v->link == link && address_equal(&v->source, &source))
		return;
	if (attach(v, &err) < 0)
		log_err("vrrp_failed", "reason=%s", log_quoted(str_of(err.text)).text);
}

static void
on_link(void *owner, const struct link *l, unsigned changes)
{
	(void)l;
	if (changes & (LINK_ADDED | LINK_REMOVED))
		attach_again(owner);
}

static void
on_address(void *owner, const struct link_address *a, bool present)
{
	(void)a;
	(void)present;
	attach_again(owner);
}

/* --- open and close --- */

static bool
same_socket(const struct vrrp_options *a, const struct vrrp_options *b)
{
	return a->router.v6 == b->router.v6 && a->router.multicast == b->router.multicast &&
	    address_equal(&a->own, &b->own) && address_equal(&a->peer, &b->peer);
}

int
vrrp_configure(struct vrrp *v, const struct vrrp_options *o, struct err *err)
{
	const struct vrrp_options before = v->options;
	bool same = is_open(v) && same_socket(&before, o);
	int code;

	v->options = *o;
	memcpy(v->options.router.peer, address_bytes(&o->peer), width(v));
	if (same)
		return 0;
	v->link = -1; /* so that it is opened anew */
	code = attach(v, err);
	if (code)
		v->options = before;
	return code;
}

struct vrrp *
vrrp_open(struct ev_loop *loop, struct link_table *links, const struct vrrp_options *o,
    const struct vrrp_events *events, struct err *err)
{
	struct vrrp *v = calloc(1, sizeof(*v));

	if (!v) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	v->magic = VRRP_MAGIC;
	v->loop = loop;
	v->links = links;
	v->events = *events;
	v->watch = (struct link_watch){ .changed = on_link, .address = on_address, .owner = v };
	ev_init(&v->io, on_readable);
	link_watch_add(links, &v->watch);
	if (vrrp_configure(v, o, err) < 0)
		vrrp_close(&v);
	return v;
}

void
vrrp_close(struct vrrp **vp)
{
	struct vrrp *v = *vp;

	*vp = NULL;
	if (!v)
		return;
	socket_close(v);
	link_watch_remove(v->links, &v->watch);
	explicit_bzero(&v->options, sizeof(v->options));
	v->magic = 0;
	free(v);
}

/* --- what is known --- */

const struct vrrp_counters *
vrrp_count(const struct vrrp *v)
{
	return &v->count;
}

bool
vrrp_last_sender(const struct vrrp *v, struct address *from)
{
	*from = v->last;
	return v->heard;
}

struct vrrp_trouble
vrrp_trouble(const struct vrrp *v)
{
	return v->trouble;
}
