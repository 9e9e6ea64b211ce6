/*
 * neighbour.c - a tap is one packet socket that hears one family on one interface, for all who
 * listen there.
 *
 * Closing a packet socket waits for an RCU grace period, tens of milliseconds.  So a tap that
 * nobody listens to stays, deaf, until its interface is gone.
 */
#include "hafailover/link/neighbour.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"

enum { TAP_FRAME = 512, TAP_BATCH = 64 };

struct tap {
	struct neighbour_table *table;
	struct tap *next;
	int link, family;
	ev_io readable;
	struct neighbour_listener *listeners, *cursor; /* the one after the one that hears now */
	bool busy;
	bool gone; /* its interface is */
};

struct neighbour_table {
	struct ev_loop *loop;
	struct link_table *links;
	struct link_watch watch;
	int fd; /* sends only */
	struct tap *taps;
};

static int
packet_socket(int protocol, struct err *err)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		return fd;
	if (errno == EPERM || errno == EACCES)
		return err_set(err, -errno, "cannot open a packet socket: CAP_NET_RAW is missing");
	return err_set(err, -errno, "cannot open a packet socket: %s", strerror(errno));
}

/* Ours may come back to us by a bridge or a second interface on the same network. */
static bool
is_our_mac(const struct link_table *links, const uint8_t mac[LINK_MAC])
{
	const struct link *l;
	size_t i;

	for (i = 0; (l = link_next(links, i)); i++)
		if (l->ethernet && memcmp(l->mac, mac, LINK_MAC) == 0)
			return true;
	return false;
}

static void
tap_tell(struct tap *tap, const struct arp_nd_message *m)
{
	struct neighbour_listener *l;

	for (l = tap->listeners; l; l = tap->cursor) {
		tap->cursor = l->next;
		l->heard(l->owner, m, tap->link);
	}
}

static void
tap_read(struct tap *tap)
{
	char frame[TAP_FRAME];
	struct arp_nd_message m;
	ssize_t n;
	int i;

	for (i = 0; i < TAP_BATCH && tap->listeners; i++) {
		n = recv(tap->readable.fd, frame, sizeof(frame), 0);
		if (n < 0 && errno == ENETDOWN)
			continue; /* said once when the interface goes down */
		if (n < 0)
			return;
		if (arp_nd_parse((struct str){ frame, (size_t)n }, &m) > 0 &&
		    !is_our_mac(tap->table->links, m.mac))
			tap_tell(tap, &m);
	}
}

static void
tap_close(struct tap *tap)
{
	struct tap **p = &tap->table->taps;

	while (*p != tap)
		p = &(*p)->next;
	*p = tap->next;
	ev_io_stop(tap->table->loop, &tap->readable);
	close(tap->readable.fd);
	free(tap);
}

/* The one filter is as good as the other in that it replaces what was there in one step. */
static int
tap_filter(int fd, int family)
{
	struct sock_filter code[ARP_ND_FILTER_MAX] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog program = { .len = 1, .filter = code };

	if (family == AF_INET)
		program.len = arp_nd_filter_arp(code);
	if (family == AF_INET6)
		program.len = arp_nd_filter_nd(code);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

/* After the last listener: hear nothing more, and forget what nobody heard. */
static void
tap_rest(struct tap *tap)
{
	char byte;

	ev_io_stop(tap->table->loop, &tap->readable);
	if (tap->gone || tap_filter(tap->readable.fd, AF_UNSPEC) < 0) {
		tap_close(tap);
		return;
	}
	while (recv(tap->readable.fd, &byte, 1, 0) >= 0 || errno == ENETDOWN)
		;
}

/* Those who hear may leave, all of them even, while it goes on. */
static void
tap_drain(struct tap *tap)
{
	if (tap->busy)
		return;
	tap->busy = true;
	tap_read(tap);
	tap->busy = false;
	if (!tap->listeners)
		tap_rest(tap);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct tap *tap = w->data;

	(void)revents;
	CHECK(tap->table->loop == loop);
	tap_drain(tap);
}

/* The filter goes first and the protocol last, so that nothing unfiltered is ever queued. */
static int
tap_bind(int fd, int link, int family, struct err *err)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET, .sll_ifindex = link };
	int status = tap_filter(fd, AF_UNSPEC);

	where.sll_protocol = htons(family == AF_INET ? ETH_P_ARP : ETH_P_IPV6);
	if (status)
		return err_set(err, status, "cannot filter packets: %s", strerror(-status));
	if (bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0)
		return err_set(
		    err, -errno, "cannot listen on interface %d: %s", link, strerror(errno));
	return 0;
}

static struct tap *
tap_open(struct neighbour_table *t, int link, int family, struct err *err)
{
	struct tap *tap = calloc(1, sizeof(*tap));
	int fd;

	if (!tap) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	fd = packet_socket(0, err);
	if (fd < 0 || tap_bind(fd, link, family, err) < 0) {
		if (fd >= 0)
			close(fd);
		free(tap);
		return NULL;
	}
	*tap = (struct tap){ .table = t, .next = t->taps, .link = link, .family = family };
	t->taps = tap;
	ev_io_init(&tap->readable, on_readable, fd, EV_READ);
	tap->readable.data = tap;
	return tap;
}

static struct tap *
tap_find(const struct neighbour_table *t, int link, int family)
{
	struct tap *tap = t->taps;

	while (tap && (tap->link != link || tap->family != family || tap->gone))
		tap = tap->next;
	return tap;
}

int
neighbour_listen(struct neighbour_table *t, struct neighbour_listener *l, struct err *err)
{
	struct tap *tap = tap_find(t, l->link, l->family);
	int status;

	if (!tap)
		tap = tap_open(t, l->link, l->family, err);
	if (!tap)
		return err->code;
	if (!tap->listeners) {
		status = tap_filter(tap->readable.fd, l->family);
		if (status)
			return err_set(err, status, "cannot filter packets: %s", strerror(-status));
		ev_io_start(t->loop, &tap->readable);
	}
	l->tap = tap;
	l->next = tap->listeners;
	tap->listeners = l;
	return 0;
}

void
neighbour_unlisten(struct neighbour_table *t, struct neighbour_listener *l)
{
	struct tap *tap = l->tap;
	struct neighbour_listener **p;

	CHECK(tap->table == t);
	for (p = &tap->listeners; *p && *p != l;)
		p = &(*p)->next;
	CHECK(*p);
	*p = l->next;
	if (tap->cursor == l)
		tap->cursor = l->next;
	if (!tap->listeners && !tap->busy)
		tap_rest(tap);
}

int
neighbour_send(struct neighbour_table *t, int link, const struct arp_nd_frame *f)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_ifindex = link,
		.sll_halen = LINK_MAC,
	};

	memcpy(to.sll_addr, f->bytes, LINK_MAC);
	to.sll_protocol = htons((uint16_t)(f->bytes[12] << 8 | f->bytes[13]));
	if (sendto(t->fd, f->bytes, f->n, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

void
neighbour_drain(struct neighbour_table *t, int link, int family)
{
	struct tap *tap = tap_find(t, link, family);

	if (tap)
		tap_drain(tap);
}

const struct link_table *
neighbour_links(const struct neighbour_table *t)
{
	return t->links;
}

static void
on_link(void *owner, const struct link *l, unsigned changes)
{
	struct neighbour_table *t = owner;
	struct tap *tap, *next;

	for (tap = changes & LINK_REMOVED ? t->taps : NULL; tap; tap = next) {
		next = tap->next;
		if (tap->link != l->index)
			continue;
		tap->gone = true; /* its index may be given to another one */
		if (!tap->listeners)
			tap_close(tap);
	}
}

struct neighbour_table *
neighbour_open(struct ev_loop *loop, struct link_table *links, struct err *err)
{
	struct neighbour_table *t = calloc(1, sizeof(*t));

	if (!t) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	t->loop = loop;
	t->links = links;
	t->fd = packet_socket(0, err); /* of protocol 0: it hears nothing */
	if (t->fd < 0) {
		free(t);
		return NULL;
	}
	t->watch = (struct link_watch){ .changed = on_link, .owner = t };
	link_watch_add(links, &t->watch);
	return t;
}

void
neighbour_close(struct neighbour_table **tp)
{
	struct neighbour_table *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	while (t->taps) {
		CHECK(!t->taps->listeners);
		tap_close(t->taps);
	}
	link_watch_remove(t->links, &t->watch);
	close(t->fd);
	free(t);
}
