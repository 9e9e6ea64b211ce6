/* netlink.c - libnl builds messages and finds the socket's way; we read, so that errno is kept. */
#include "hafailover/link/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/check.h"

enum {
	ANSWER_MAX = 32768, /* what the kernel fills with one piece of a dump */
	RECEIVE_BUFFER = 1 << 20, /* a thousand interfaces that change at once */
	DUMP_TRIES = 5,
};

struct nl_sock *
netlink_open(struct err *err)
{
	struct nl_sock *s = nl_socket_alloc();
	int one = 1, failed;

	if (!s) {
		err_set(err, -ENOMEM, "cannot open netlink: out of memory");
		return NULL;
	}
	failed = nl_connect(s, NETLINK_ROUTE);
	if (failed == 0)
		failed = nl_socket_set_nonblocking(s);
	if (failed == 0)
		failed = nl_socket_set_msg_buf_size(s, ANSWER_MAX);
	if (failed) {
		err_set(err, -EIO, "cannot open netlink: %s", nl_geterror(failed));
		nl_socket_free(s);
		return NULL;
	}
	/* Wishes, not needs: a larger buffer, and the kernel's own words for what is wrong. */
	(void)nl_socket_set_buffer_size(s, RECEIVE_BUFFER, 0);
	(void)setsockopt(nl_socket_get_fd(s), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(nl_socket_get_fd(s), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return s;
}

void
netlink_close(struct nl_sock **sp)
{
	if (*sp)
		nl_socket_free(*sp);
	*sp = NULL;
}

/* >0 bytes in *buffer, which the caller frees; -EAGAIN: nothing there. */
static int
netlink_receive(struct nl_sock *s, unsigned char **buffer)
{
	struct sockaddr_nl from;
	int n;

	for (;;) {
		errno = 0;
		n = nl_recv(s, &from, buffer, NULL);
		if (n > 0 && from.nl_pid != 0) { /* not the kernel */
			free(*buffer);
			continue;
		}
		if (n > 0)
			return n;
		*buffer = NULL;
		if (n == 0 || n == -NLE_AGAIN)
			return -EAGAIN;
		return errno ? -errno : -EIO;
	}
}

/*
 * Its own explanation, which follows an error of fixed size if both are as we asked for.  Or NULL.
 */
static const char *
kernel_words(struct nlmsghdr *h)
{
	const int flags = NLM_F_ACK_TLVS | NLM_F_CAPPED;
	struct nlattr *text;

	if ((h->nlmsg_flags & flags) != flags)
		return NULL;
	text = nlmsg_find_attr(h, sizeof(struct nlmsgerr), NLMSGERR_ATTR_MSG);
	return text ? nla_get_string(text) : NULL;
}

static int
answer_judge(struct nlmsghdr *h, struct err *err)
{
	const struct nlmsgerr *e = nlmsg_data(h);
	const char *words;

	if (nlmsg_datalen(h) < (int)sizeof(*e))
		return err_set(err, -EBADMSG, "the kernel's answer is too short");
	if (e->error == 0)
		return 0;
	if (e->error == -EPERM)
		return err_set(err, -EPERM, "not allowed: CAP_NET_ADMIN is missing");
	words = kernel_words(h);
	return err_set(err, e->error, "%s%s%s%s", strerror(-e->error), words ? " (" : "",
	    words ? words : "", words ? ")" : "");
}

struct question {
	uint32_t sequence;
	void (*each)(void *owner, struct nlmsghdr *);
	void *owner;
	bool changed; /* a dump that is not of one moment */
};

/* `n` bytes of answers: >0 go on reading, 0 done, <0 what the kernel said. */
static int
answers_take(struct question *q, unsigned char *p, int n, struct err *err)
{
	struct nlmsghdr *h;

	for (h = (struct nlmsghdr *)p; nlmsg_ok(h, n); h = nlmsg_next(h, &n)) {
		if (h->nlmsg_seq != q->sequence)
			continue; /* of a request that we gave up */
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			q->changed = true;
		if (h->nlmsg_type == NLMSG_ERROR)
			return answer_judge(h, err);
		if (h->nlmsg_type == NLMSG_DONE)
			return q->changed ? -EINTR : 0;
		if (q->each)
			q->each(q->owner, h);
	}
	return 1;
}

static int
answer_wait(struct nl_sock *s, struct question *q, struct err *err)
{
	unsigned char *buffer;
	int n, more;

	do {
		n = netlink_receive(s, &buffer);
		if (n < 0)
			return err_set(err, n, "no answer from the kernel: %s", strerror(-n));
		more = answers_take(q, buffer, n, err);
		free(buffer);
	} while (more > 0);
	return more;
}

static int
netlink_send(struct nl_sock *s, struct nl_msg **mp, uint32_t *sequence, struct err *err)
{
	int n;

	errno = 0;
	n = nl_send_auto(s, *mp);
	*sequence = nlmsg_hdr(*mp)->nlmsg_seq;
	nlmsg_free(*mp);
	*mp = NULL;
	if (n >= 0)
		return 0;
	n = errno ? -errno : -EIO;
	return err_set(err, n, "cannot ask the kernel: %s", strerror(-n));
}

int
netlink_request(struct nl_sock *s, struct nl_msg **mp, struct err *err)
{
	struct question q = { 0 };
	int status;

	CHECK(nlmsg_hdr(*mp)->nlmsg_flags & NLM_F_ACK);
	status = netlink_send(s, mp, &q.sequence, err);
	return status ? status : answer_wait(s, &q, err);
}

static int
dump_once(struct nl_sock *s, int type, void (*each)(void *owner, struct nlmsghdr *), void *owner,
    struct err *err)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP);
	struct ifaddrmsg nothing = { .ifa_family = AF_UNSPEC };
	struct ifinfomsg nor_this = { .ifi_family = AF_UNSPEC };
	struct question q = { .each = each, .owner = owner };
	int status;

	if (!m ||
	    (type == RTM_GETLINK ? nlmsg_append(m, &nor_this, sizeof(nor_this), NLMSG_ALIGNTO)
				 : nlmsg_append(m, &nothing, sizeof(nothing), NLMSG_ALIGNTO)) < 0) {
		nlmsg_free(m);
		return err_set(err, -ENOMEM, "cannot ask the kernel: out of memory");
	}
	status = netlink_send(s, &m, &q.sequence, err);
	return status ? status : answer_wait(s, &q, err);
}

int
netlink_dump(struct nl_sock *s, int type, void (*each)(void *owner, struct nlmsghdr *), void *owner,
    struct err *err)
{
	int tries, status = 0;

	for (tries = 0; tries < DUMP_TRIES; tries++) { /* again, if it changed meanwhile */
		status = dump_once(s, type, each, owner, err);
		if (status != -EINTR)
			return status;
	}
	return err_set(err, -EAGAIN, "the interfaces change faster than they can be read");
}

int
netlink_drain(
    struct nl_sock *s, void (*each)(void *owner, struct nlmsghdr *), void *owner, struct err *err)
{
	unsigned char *buffer;
	struct nlmsghdr *h;
	int n;

	while ((n = netlink_receive(s, &buffer)) > 0) {
		for (h = (struct nlmsghdr *)buffer; nlmsg_ok(h, n); h = nlmsg_next(h, &n))
			each(owner, h);
		free(buffer);
	}
	return n == -EAGAIN ? 0 : err_set(err, n, "cannot hear the kernel: %s", strerror(-n));
}
