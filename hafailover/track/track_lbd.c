/* track_lbd.c - connect, ask to watch, read lines; and what their absence means. */
#include "hafailover/track/track_lbd.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"

enum { TRACK_LBD_MAGIC = 0x686c6264, LINE_MAX_BYTES = 16 << 20, CRASHES = 4 };

static const double RETRY_S = 0.02;
static const double SILENT_S = 1.5; /* three times as long as lbd lets pass */
static const double RESTART_S = 1.0; /* that a new proxy process may take */
static const int64_t CRASHES_WITHIN_NS = 10 * NS_PER_S;

struct track_lbd {
	uint32_t magic;
	struct ev_loop *loop;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	void (*changed)(void *owner);
	void *owner;
	struct track_lbd_state state;
	ev_io io; /* while connected */
	bool connected;
	ev_timer retry, silence;
	struct text in;
	bool granted; /* time to replace its proxy process: "not ready" says nothing new then */
	int64_t ended_ns[CRASHES]; /* ring: when streams ended */
	unsigned n_ended;
	int64_t yield_idle_ns, yield_until_ns; /* idle 0: does not */
};

static void stream_open(struct track_lbd *);

/* --- what a line says --- */

static void
services_read(struct track_lbd_state *s, const json_t *listener)
{
	const char *protocol = json_string_value(json_object_get(listener, "protocol"));
	const json_t *bind;
	struct err err;
	size_t i;

	json_array_foreach(json_object_get(listener, "bind"), i, bind)
	{
		struct track_lbd_service *to = &s->services[s->n_services];
		const char *text = json_string_value(bind);

		if (!text || s->n_services == TRACK_LBD_SERVICES_MAX ||
		    address_parse(&to->address, str_of(text), &err) < 0 ||
		    to->address.sa.sa_family == AF_UNIX)
			continue;
		to->http = !protocol || strcmp(protocol, "http") == 0;
		s->n_services++;
	}
}

static uint32_t
count(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* "config":{"digest":"HEX"} */
static uint64_t
digest_read(const json_t *o)
{
	const char *s = json_string_value(json_object_get(json_object_get(o, "config"), "digest"));

	return s ? strtoull(s, NULL, 16) : 0;
}

bool
track_lbd_parse(struct track_lbd_state *s, struct str line)
{
	json_t *o = json_loadb(line.p, line.n, 0, NULL);
	const json_t *ready = json_object_get(o, "ready"), *listener;
	const char *why = json_string_value(json_object_get(o, "not_ready"));
	size_t i;

	if (!json_is_boolean(ready)) {
		json_decref(o);
		return false;
	}
	memset(s, 0, sizeof(*s));
	s->heard = true;
	s->ready = json_is_true(ready);
	s->draining = json_is_true(json_object_get(o, "draining"));
	s->servers_up = count(o, "servers_up");
	s->servers_unchecked = count(o, "servers_unchecked");
	s->servers_total = count(o, "servers_total");
	s->digest = digest_read(o);
	json_array_foreach(json_object_get(o, "listeners"), i, listener) services_read(s, listener);
	if (!s->ready)
		snprintf(s->why, sizeof(s->why), "lbd is %s", why ? why : "not ready");
	json_decref(o);
	return true;
}

static bool
is_any(const struct address *a)
{
	return a->sa.sa_family == AF_INET ? a->in.sin_addr.s_addr == INADDR_ANY
					  : IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

const struct track_lbd_service *
track_lbd_service_of(const struct track_lbd_state *lbd, const struct address *vip)
{
	for (unsigned i = 0; i < lbd->n_services; i++) {
		const struct address *a = &lbd->services[i].address;
		struct address wanted = *vip;

		wanted.in.sin_port = a->in.sin_port; /* sin6_port lies at the same place */
		if (a->sa.sa_family == vip->sa.sa_family &&
		    (is_any(a) || address_equal(a, &wanted)))
			return &lbd->services[i];
	}
	return NULL;
}

/* --- the state --- */

static bool
crashes_too_often(const struct track_lbd *t)
{
	int64_t oldest = t->ended_ns[t->n_ended % CRASHES];

	return t->n_ended >= CRASHES && clock_ns() - oldest < CRASHES_WITHIN_NS;
}

static bool
services_equal(const struct track_lbd_state *a, const struct track_lbd_state *b)
{
	if (a->n_services != b->n_services)
		return false;
	for (unsigned i = 0; i < a->n_services; i++)
		if (a->services[i].http != b->services[i].http ||
		    !address_equal(&a->services[i].address, &b->services[i].address))
			return false;
	return true;
}

static bool
state_equal(const struct track_lbd_state *a, const struct track_lbd_state *b)
{
	return a->heard == b->heard && a->ready == b->ready && a->draining == b->draining &&
	    a->servers_up == b->servers_up && a->servers_unchecked == b->servers_unchecked &&
	    a->servers_total == b->servers_total && a->digest == b->digest &&
	    strcmp(a->why, b->why) == 0 && services_equal(a, b);
}

static void
state_set(struct track_lbd *t, const struct track_lbd_state *now)
{
	struct track_lbd_state before = t->state;

	t->state = *now;
	if (t->state.ready && crashes_too_often(t)) {
		t->state.ready = false;
		snprintf(t->state.why, sizeof(t->state.why), "lbd keeps crashing");
	}
	if (before.ready != t->state.ready || strcmp(before.why, t->state.why) != 0) {
		if (t->state.ready)
			log_info("lbd_ready", "servers_up=%u servers_total=%u", t->state.servers_up,
			    t->state.servers_total);
		else
			log_warning(
			    "lbd_not_ready", "reason=%s", log_quoted(str_of(t->state.why)).text);
	}
	if (!state_equal(&before, &t->state))
		t->changed(t->owner);
}

/* Not ready, for that reason, and nobody checks servers; where it listens stays known. */
static void
state_lose(struct track_lbd *t, const char *why)
{
	struct track_lbd_state now = t->state;

	now.ready = now.heard = now.draining = false;
	now.servers_up = now.servers_unchecked = now.servers_total = 0;
	now.digest = 0;
	snprintf(now.why, sizeof(now.why), "%s", why);
	state_set(t, &now);
}

/* --- the stream --- */

static void
timer_set(struct track_lbd *t, ev_timer *timer, double after_s)
{
	ev_timer_stop(t->loop, timer);
	ev_timer_set(timer, after_s, 0.);
	ev_timer_start(t->loop, timer);
}

static void
stream_close(struct track_lbd *t)
{
	if (!t->connected)
		return;
	ev_io_stop(t->loop, &t->io);
	close(t->io.fd);
	t->connected = false;
	text_fini(&t->in);
}

static void
stream_ended(struct track_lbd *t)
{
	stream_close(t);
	t->ended_ns[t->n_ended++ % CRASHES] = clock_ns();
	stream_open(t);
	t->granted = t->connected;
	if (t->connected)
		timer_set(t, &t->silence, RESTART_S);
}

static void
lines_take(struct track_lbd *t)
{
	struct track_lbd_state now = { 0 };
	const char *end;

	while (t->in.n && (end = memchr(t->in.p, '\n', t->in.n))) {
		size_t n = (size_t)(end - t->in.p);
		bool good = track_lbd_parse(&now, (struct str){ t->in.p, n });

		text_drop(&t->in, n + 1);
		if (!good || (t->granted && t->state.ready && !now.ready))
			continue;
		t->granted = false;
		timer_set(t, &t->silence, SILENT_S);
		state_set(t, &now);
	}
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct track_lbd *t = io->data;
	char bytes[65536];
	ssize_t n;

	(void)revents;
	CHECK(t->magic == TRACK_LBD_MAGIC && t->loop == loop);
	n = read(io->fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		text_append(&t->in, (struct str){ bytes, (size_t)n });
		lines_take(t);
	}
	if (n <= 0 || t->in.failed)
		stream_ended(t);
}

/* fd or -errno; -EAGAIN: too many wait there already. */
static int
socket_connect(const char *path)
{
	static const char ask[] = "{\"command\":\"watch\"}\n";
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int code = 0;

	if (fd < 0)
		return -errno;
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		code = -errno;
	else if (send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0)
		code = -errno;
	if (code == 0)
		return fd;
	close(fd);
	return code;
}

static void
refused(struct track_lbd *t, int code)
{
	char why[160];

	switch (code) {
	case -EAGAIN: /* it lives, at least its socket does: the silence timer decides */
		if (!ev_is_active(&t->silence))
			timer_set(t, &t->silence, SILENT_S);
		return;
	case -ECONNREFUSED:
	case -ENOENT:
	case -EPIPE:
	case -ECONNRESET:
		snprintf(why, sizeof(why), "lbd does not run");
		break;
	default:
		snprintf(why, sizeof(why), "cannot connect to lbd: %s", strerror(-code));
	}
	ev_timer_stop(t->loop, &t->silence);
	state_lose(t, why);
}

/* --- what it is told --- */

static int64_t
in_ms(int64_t ns)
{
	return ns < NS_PER_MS ? 1 : ns / NS_PER_MS;
}

/* What does not fit it does not read: that is noticed by its silence. */
static void
yield_say(const struct track_lbd *t)
{
	static const char off[] = "{\"command\":\"yield\",\"on\":false}\n";
	int64_t left = t->yield_until_ns - clock_ns();
	char line[128];

	if (t->yield_idle_ns)
		snprintf(line, sizeof(line),
		    "{\"command\":\"yield\",\"on\":true,\"idle_ms\":%lld,\"for_ms\":%lld}\n",
		    (long long)in_ms(t->yield_idle_ns), (long long)in_ms(left));
	else
		memcpy(line, off, sizeof(off));
	if (t->connected && send(t->io.fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		log_debug("lbd_not_told", "reason=%s", log_quoted(str_of(strerror(errno))).text);
}

void
track_lbd_yield(struct track_lbd *t, int64_t idle_ns, int64_t for_ns)
{
	t->yield_idle_ns = idle_ns;
	t->yield_until_ns = clock_ns() + for_ns;
	yield_say(t);
}

static void
stream_open(struct track_lbd *t)
{
	int fd = socket_connect(t->path);

	if (fd < 0) {
		timer_set(t, &t->retry, RETRY_S);
		refused(t, fd);
		return;
	}
	text_init(&t->in, LINE_MAX_BYTES);
	t->connected = true;
	ev_io_set(&t->io, fd, EV_READ);
	ev_io_start(t->loop, &t->io);
	if (t->yield_idle_ns && t->yield_until_ns > clock_ns())
		yield_say(t);
	if (!ev_is_active(&t->silence))
		timer_set(t, &t->silence, SILENT_S);
}

static void
on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct track_lbd *t = timer->data;

	(void)revents;
	CHECK(t->magic == TRACK_LBD_MAGIC && t->loop == loop);
	stream_open(t);
}

/* Frozen, or its proxy process does not come back.  What is on its way is read first: we may be late. */
static void
on_silence(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct track_lbd *t = timer->data;
	char byte;

	(void)revents;
	CHECK(t->magic == TRACK_LBD_MAGIC && t->loop == loop);
	if (t->connected && recv(t->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
		timer_set(t, timer, RETRY_S);
		return;
	}
	state_lose(t, "lbd does not answer");
}

struct track_lbd *
track_lbd_start(struct ev_loop *loop, struct str path, void (*changed)(void *owner), void *owner)
{
	struct track_lbd *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	CHECK(path.n < sizeof(t->path));
	*t = (struct track_lbd){
		.magic = TRACK_LBD_MAGIC, .loop = loop, .changed = changed, .owner = owner
	};
	memcpy(t->path, path.p, path.n);
	ev_init(&t->io, on_readable);
	ev_set_priority(&t->io, 1);
	ev_init(&t->retry, on_retry);
	ev_init(&t->silence, on_silence);
	t->io.data = t->retry.data = t->silence.data = t;
	timer_set(t, &t->retry, 0.);
	return t;
}

void
track_lbd_stop(struct track_lbd **tp)
{
	struct track_lbd *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	stream_close(t);
	ev_timer_stop(t->loop, &t->retry);
	ev_timer_stop(t->loop, &t->silence);
	t->magic = 0;
	free(t);
}

const struct track_lbd_state *
track_lbd_state(const struct track_lbd *t)
{
	return &t->state;
}
