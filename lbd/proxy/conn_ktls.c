/* conn_ktls.c - TCP_ULP "tls", TLS_TX, and records that are not data. */
#include "lbd/proxy/conn_ktls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lbd/proxy/conn_tls.h"

enum {
	LARGE_SEND = 16 * 1024,
	BULK = 256 * 1024, /* so much in large sends: what follows pays for the change */
	RECORD_ALERT = 21
};

static const char ulp[] = "tls";

static int
key_give(int fd, const void *key, size_t size)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, sizeof(ulp)) < 0)
		return -1;
	return setsockopt(fd, SOL_TLS, TLS_TX, key, (socklen_t)size);
}

/* A connection to `listener`, for a key of this kind.  0, or errno. */
static int
kind_probe(const struct sockaddr_in *listener, const void *key, size_t size)
{
	static const struct timeval most = { .tv_sec = 1 }; /* if a firewall swallows it */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) < 0 ||
	    connect(fd, (const struct sockaddr *)listener, sizeof(*listener)) < 0 ||
	    key_give(fd, key, size) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err;
}

unsigned
conn_ktls_probe(int *why)
{
	static const struct tls12_crypto_info_aes_gcm_128 aes = { .info = { TLS_1_3_VERSION,
								      TLS_CIPHER_AES_GCM_128 } };
	static const struct tls12_crypto_info_chacha20_poly1305 chacha20 = {
		.info = { TLS_1_3_VERSION, TLS_CIPHER_CHACHA20_POLY1305 }
	};
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned kinds = 0;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 2) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &(socklen_t){ sizeof(a) }) < 0) {
		*why = errno;
	} else {
		*why = kind_probe(&a, &aes, sizeof(aes));
		kinds |= *why == 0 ? KTLS_AES_GCM : 0;
		if (kind_probe(&a, &chacha20, sizeof(chacha20)) == 0)
			kinds |= KTLS_CHACHA20_POLY1305;
	}
	if (fd >= 0)
		close(fd);
	return kinds;
}

/* What the kernel refuses (a connection that is ending, most often) goes on as before. */
static void
offload(struct conn *c, const union ktls_info *key, size_t size)
{
	if (key_give(c->write.fd, key, size) < 0) {
		ktls_key_forget(&c->tls->key);
		return;
	}
	tls_offloaded(c->tls);
	c->tls->offloaded_at = c->bytes_sent;
	c->offloaded = true;
}

void
conn_ktls_consider(struct conn *c, size_t n)
{
	struct tls *t = c->tls;
	union ktls_info key;
	size_t size;

	if (!ktls_key_is_kept(&t->key))
		return;
	t->bulk = n < LARGE_SEND ? t->bulk / 2 : t->bulk + n;
	if (t->bulk < BULK || c->out || c->held || c->broken || c->ending)
		return;
	size = ktls_key_next(&t->key, &key);
	offload(c, &key, size);
	OPENSSL_cleanse(&key, sizeof(key));
}

/* A record of its own kind.  What cannot be sent now is not sent. */
static void
alert_send(struct conn *c, uint16_t alert)
{
	unsigned char text[] = { (unsigned char)(alert >> 8), (unsigned char)alert };
	struct iovec v = { text, sizeof(text) };
	union {
		struct cmsghdr head; /* for its alignment */
		char space[CMSG_SPACE(1)];
	} control = { .space = { 0 } };
	struct msghdr m = {
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *kind = CMSG_FIRSTHDR(&m);

	kind->cmsg_level = SOL_TLS;
	kind->cmsg_type = TLS_SET_RECORD_TYPE;
	kind->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(kind) = RECORD_ALERT;
	(void)sendmsg(c->write.fd, &m, MSG_NOSIGNAL);
}

void
conn_ktls_speak(struct conn *c)
{
	uint16_t alert = c->tls->alert;

	c->tls->alert = 0;
	if (alert && !c->out && !c->shut && !c->broken) /* not inside of a record */
		alert_send(c, alert);
}

/*
 * A socket that is writable has room for more than a record: the kernel sends what it holds when it is given
 * the alert, and the alert too.
 */
int
conn_ktls_finish(struct conn *c)
{
	struct pollfd p = { .fd = c->write.fd, .events = POLLOUT };

	if (poll(&p, 1, 0) != 1) {
		if (!c->out)
			c->out = buffer_get(&c->worker->buffers, 1);
		if (!c->out)
			return 0;
		ev_io_start(c->worker->loop, &c->write);
		return -EAGAIN;
	}
	if (!(p.revents & (POLLERR | POLLHUP)))
		alert_send(c, SSL3_AL_WARNING << 8 | SSL_AD_CLOSE_NOTIFY);
	return 0;
}

bool
conn_ktls_moves(struct conn *c)
{
	size_t before;

	if (!c->offloaded || !c->out)
		return false;
	before = c->tls->unsent;
	c->tls->unsent = conn_unsent(c);
	return c->tls->unsent != before;
}
