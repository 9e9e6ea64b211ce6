/*
 * connections.c - one dump of IPv4's sockets, one of IPv6's, a pause.
 *
 * A socket is known again by its cookie.  TIME_WAIT is not counted, nor is what nobody has open any
 * more and only waits for the client's FIN: all that was to be said has arrived.
 */
#include "hafailover/steering/connections.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"

enum { CONNECTIONS_MAGIC = 0x68616363, CHUNK = 32768, PAUSE_TIMES = 10 };

static const int64_t PAUSE_LEAST_NS = 100 * NS_PER_MS;

static const uint32_t STATES = 1 << TCP_ESTABLISHED | 1 << TCP_SYN_RECV | 1 << TCP_FIN_WAIT1 |
    1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT | 1 << TCP_LAST_ACK | 1 << TCP_CLOSING;

struct connections {
	uint32_t magic;
	struct ev_loop *loop;
	struct connections_options options;
	struct address *vips;
	int fd;
	ev_io io;
	ev_timer again;
	int family; /* of the dump that is under way */
	int64_t begun_ns;
	uint32_t n;
	uint64_t *first; /* cookies of the first count, sorted once that is over */
	size_t n_first, room_first;
	bool sorted;
};

/* --- one socket --- */

static bool
is_left(const struct inet_diag_msg *m)
{
	return m->idiag_state != TCP_FIN_WAIT2 || m->idiag_inode;
}

/* IPv4 may come as IPv6 (::ffff:192.0.2.100), where one socket listens for both. */
static bool
is_at(const struct inet_diag_msg *m, const struct address *vip)
{
	static const uint32_t mapped[3] = { 0, 0, 0 };
	const __be32 *at = m->id.idiag_src;

	if (vip->sa.sa_family == AF_INET6)
		return m->idiag_family == AF_INET6 && memcmp(at, &vip->in6.sin6_addr, 16) == 0;
	if (m->idiag_family == AF_INET)
		return at[0] == vip->in.sin_addr.s_addr;
	return memcmp(at, mapped, 8) == 0 && at[2] == htonl(0xffff) &&
	    at[3] == vip->in.sin_addr.s_addr;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* What cannot be remembered for want of memory counts later on as well. */
static void
first_add(struct connections *c, uint64_t cookie)
{
	size_t room = c->room_first ? 2 * c->room_first : 256;
	uint64_t *grown;

	if (c->n_first == c->room_first) {
		grown = realloc(c->first, room * sizeof(*grown));
		if (!grown)
			return;
		c->first = grown;
		c->room_first = room;
	}
	c->first[c->n_first++] = cookie;
}

static void
socket_take(struct connections *c, const struct inet_diag_msg *m)
{
	uint64_t cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
	size_t i = 0;

	while (i < c->options.n_vips && !is_at(m, &c->vips[i]))
		i++;
	if (i == c->options.n_vips || !is_left(m))
		return;
	if (c->options.first_only && !c->sorted)
		first_add(c, cookie);
	else if (c->options.first_only &&
	    !bsearch(&cookie, c->first, c->n_first, sizeof(*c->first), compare))
		return;
	c->n++;
}

/* --- one count --- */

static void
timer_set(struct connections *c, int64_t after_ns)
{
	ev_now_update(c->loop);
	ev_timer_stop(c->loop, &c->again);
	ev_timer_set(&c->again, (double)after_ns / NS_PER_S, 0.);
	ev_timer_start(c->loop, &c->again);
}

static void
pause_begin(struct connections *c)
{
	int64_t pause = PAUSE_TIMES * (clock_ns() - c->begun_ns);

	timer_set(c, pause > PAUSE_LEAST_NS ? pause : PAUSE_LEAST_NS);
}

static int
dump_begin(struct connections *c, int family)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 ask;
	} m = {
		.head = { .nlmsg_len = sizeof(m),
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.ask = { .sdiag_family = (uint8_t)family,
		    .sdiag_protocol = IPPROTO_TCP,
		    .idiag_states = STATES },
	};

	c->family = family;
	return send(c->fd, &m, sizeof(m), 0) < 0 ? -errno : 0;
}

static void
count_begin(struct connections *c)
{
	c->begun_ns = clock_ns();
	c->n = 0;
	if (dump_begin(c, AF_INET) < 0)
		pause_begin(c);
}

static void
count_end(struct connections *c)
{
	if (!c->sorted && c->n_first)
		qsort(c->first, c->n_first, sizeof(*c->first), compare);
	c->sorted = true;
	pause_begin(c);
	c->options.counted(c->options.owner, c->n);
}

static void
dump_end(struct connections *c, bool good)
{
	if (good && c->family == AF_INET6)
		count_end(c);
	else if (!good || dump_begin(c, AF_INET6) < 0)
		pause_begin(c);
}

/* True when the dump is over; *good: it was complete. */
static bool
chunk_take(struct connections *c, char *bytes, size_t n, bool *good)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)bytes;

	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		*good = h->nlmsg_type == NLMSG_DONE;
		if (*good || h->nlmsg_type == NLMSG_ERROR)
			return true;
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		    h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			socket_take(c, NLMSG_DATA(h));
	}
	return false;
}

/* One part of the answer in each turn of the loop: heartbeats come between them. */
static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct connections *c = io->data;
	static char bytes[CHUNK] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t n;
	bool good = false;

	(void)revents;
	CHECK(c->magic == CONNECTIONS_MAGIC && c->loop == loop);
	n = recv(c->fd, bytes, sizeof(bytes), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || chunk_take(c, bytes, (size_t)n, &good))
		dump_end(c, good);
}

static void
on_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct connections *c = timer->data;

	(void)revents;
	CHECK(c->magic == CONNECTIONS_MAGIC && c->loop == loop);
	count_begin(c);
}

/* --- start and stop --- */

static int
setup(struct connections *c, const struct connections_options *o, struct err *err)
{
	c->vips = calloc(o->n_vips ? o->n_vips : 1, sizeof(*c->vips));
	if (!c->vips)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(c->vips, o->vips, o->n_vips * sizeof(*c->vips));
	c->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	if (c->fd < 0)
		return err_set(
		    err, -errno, "cannot count connections (sock_diag): %s", strerror(errno));
	return 0;
}

struct connections *
connections_start(struct ev_loop *loop, const struct connections_options *o, struct err *err)
{
	struct connections *c = calloc(1, sizeof(*c));

	if (!c) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	*c = (struct connections){
		.magic = CONNECTIONS_MAGIC, .loop = loop, .options = *o, .fd = -1
	};
	ev_init(&c->again, on_again);
	if (setup(c, o, err) < 0) {
		connections_stop(&c);
		return NULL;
	}
	ev_io_init(&c->io, on_readable, c->fd, EV_READ);
	c->io.data = c->again.data = c;
	ev_io_start(loop, &c->io);
	timer_set(c, 0);
	return c;
}

void
connections_stop(struct connections **cp)
{
	struct connections *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	ev_timer_stop(c->loop, &c->again);
	if (c->fd >= 0) {
		ev_io_stop(c->loop, &c->io);
		close(c->fd);
	}
	free(c->vips);
	free(c->first);
	c->magic = 0;
	free(c);
}
