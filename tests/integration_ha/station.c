/*
 * station.c - a node that does what it is told: addresses, announcements, probes and links of
 * hafailover, without an election.
 *
 * One command a line on standard input, one event a line on standard output, with the time of
 * CLOCK_MONOTONIC in seconds before it:
 *
 *   configure LEASE_S PATIENCE_MS [ADDRESS[/PREFIX][@INTERFACE]]...
 *   claim | release | announce | one N | hush | show | quit
 *   probe NAME ADDRESS PORT neighbour|connect|http MS [INTERFACE]
 *   busy MS                                     the loop stands still for so long
 *   halt N                                      it stops itself before its Nth request to the kernel from now on
 *   and those of steersman.h
 *
 * `station --release [ADDRESS...]` is what `hafailover --release` does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "hafailover/link/netlink.h"
#include "hafailover/vip/announce.h"
#include "hafailover/vip/probe.h"
#include "steersman.h"

enum { WORDS_MAX = 1100, LINE_ROOM = 65536 };

static struct ev_loop *loop;
static struct link_table *links;
static struct vip_table *vips;
static struct neighbour_table *neighbours;
static struct announcer *announcer;
static char input[LINE_ROOM];
static size_t n_input;
static int halt_at; /* so many requests from now; 0: never */

__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	printf("%.6f %s\n", (double)clock_ns() / (double)NS_PER_S, text);
	fflush(stdout);
}

static void
say_done(const char *what, int status, const struct err *err)
{
	if (status < 0)
		say("%s failed %d %s", what, -status, err->text);
	else
		say("%s done %d", what, status);
}

static _Noreturn void
give_up(const char *why)
{
	say("giving-up %s", why);
	exit(1);
}

/* "ADDRESS[/PREFIX][@INTERFACE]"; the port goes in as well. */
static bool
vip_parse(char *text, unsigned port, struct vip_config *v)
{
	char *at = strchr(text, '@'), *slash;

	memset(v, 0, sizeof(*v));
	if (at) {
		snprintf(v->interface, sizeof(v->interface), "%s", at + 1);
		*at = 0;
	}
	slash = strchr(text, '/');
	if (slash) {
		v->prefix = (uint8_t)atoi(slash + 1);
		*slash = 0;
	}
	if (inet_pton(AF_INET, text, &v->address.in.sin_addr) == 1) {
		v->address.in.sin_family = AF_INET;
		v->address.in.sin_port = htons((uint16_t)port);
		v->address.len = sizeof(v->address.in);
		return true;
	}
	v->address.in6.sin6_family = AF_INET6;
	v->address.in6.sin6_port = htons((uint16_t)port);
	v->address.len = sizeof(v->address.in6);
	return inet_pton(AF_INET6, text, &v->address.in6.sin6_addr) == 1;
}

static void
on_restored(void *owner, size_t vip)
{
	(void)owner;
	announce_one(announcer, vip);
	say("restored %zu", vip);
}

static void
on_failed(void *owner, size_t vip, const struct err *err)
{
	(void)owner;
	say("failed %zu %d %s", vip, -err->code, err->text);
}

static void
on_stalled(void *owner, int64_t late_ns)
{
	(void)owner;
	say("stalled %.3f", (double)late_ns / (double)NS_PER_S);
}

static void
on_conflict(void *owner, const struct announce_conflict *c)
{
	(void)owner;
	say("conflict %zu %s %02x:%02x:%02x:%02x:%02x:%02x %u", c->vip,
	    link_at(links, c->link)->name, c->mac[0], c->mac[1], c->mac[2], c->mac[3], c->mac[4],
	    c->mac[5], c->repeated);
}

static void
on_link(void *owner, const struct link *l, unsigned changes)
{
	(void)owner;
	say("link %s carrier=%d up=%d changes=%u", l->name, l->carrier, l->up, changes);
}

struct asked {
	struct probe *probe;
	char name[32];
};

static void
on_probed(void *owner, const struct probe_result *r)
{
	struct asked *a = owner;

	say("probed %s %s answered=%.6f duration=%.6f %s", a->name, probe_verdict_name(r->verdict),
	    (double)r->answered_ns / (double)NS_PER_S, (double)r->duration_ns / (double)NS_PER_S,
	    r->reason);
	probe_free(&a->probe);
	free(a);
}

static void
probe_command(char **w, size_t n)
{
	struct probe_question q = { .service = PROBE_NEIGHBOUR };
	struct asked *a = calloc(1, sizeof(*a));
	struct vip_config v;

	if (!a || n < 6 || !vip_parse(w[2], (unsigned)atoi(w[3]), &v))
		give_up("probe NAME ADDRESS PORT SERVICE MS [INTERFACE]");
	snprintf(a->name, sizeof(a->name), "%s", w[1]);
	q.address = v.address;
	if (w[4][0] != 'n')
		q.service = w[4][0] == 'h' ? PROBE_HTTP : PROBE_CONNECT;
	q.deadline_ns = atoi(w[5]) * NS_PER_MS;
	if (n > 6)
		q.link = link_named(links, w[6]) ? link_named(links, w[6])->index : 9999;
	a->probe = probe_start(loop, neighbours, &q, on_probed, a);
	if (!a->probe)
		give_up("out of memory");
}

/* In the place of netlink_request (-Wl,--wrap): a stop at the worst moment. */
int __real_netlink_request(struct nl_sock *, struct nl_msg **, struct err *);
int __wrap_netlink_request(struct nl_sock *, struct nl_msg **, struct err *);

int
__wrap_netlink_request(struct nl_sock *s, struct nl_msg **m, struct err *err)
{
	if (halt_at && --halt_at == 0)
		raise(SIGSTOP);
	return __real_netlink_request(s, m, err);
}

static void
configure_command(char **w, size_t n)
{
	static struct vip_config configs[WORDS_MAX];
	struct err err;
	size_t i;
	int status;

	for (i = 3; i < n; i++)
		if (!vip_parse(w[i], 0, &configs[i - 3]))
			give_up(w[i]);
	status =
	    vip_configure(vips, configs, n - 3, (uint32_t)atoi(w[1]), atoi(w[2]) * NS_PER_MS, &err);
	if (status == 0)
		status = announce_prepare(announcer, &err);
	say_done("configure", status, &err);
}

static void
show_command(void)
{
	struct vip_counters v = vip_counters(vips);
	struct announce_counters a = announce_counters(announcer);
	int64_t end = vip_lease_end_ns(vips);
	size_t i;

	for (i = 0; i < vip_count(vips); i++)
		say("vip %zu present=%d interface=%s", i, vip_present(vips, i),
		    vip_interface(vips, i) ? vip_interface(vips, i)->name : "-");
	say("shown claimed=%d present=%zu left=%.3f added=%llu refreshed=%llu restored=%llu "
	    "released=%llu failed=%llu latest=%.6f frames=%llu errors=%llu conflicts=%llu",
	    vip_claimed(vips), vip_present_count(vips),
	    end == INT64_MAX ? -1 : (double)(end - clock_ns()) / (double)NS_PER_S,
	    (unsigned long long)v.added, (unsigned long long)v.refreshed,
	    (unsigned long long)v.restored, (unsigned long long)v.released,
	    (unsigned long long)v.failed, (double)v.latest_ns / (double)NS_PER_S,
	    (unsigned long long)a.frames, (unsigned long long)a.errors,
	    (unsigned long long)a.conflicts);
}

static void
command(char **w, size_t n)
{
	struct err err;

	if (steersman_command(loop, links, say, w, n))
		return;
	if (strcmp(w[0], "configure") == 0)
		configure_command(w, n);
	else if (strcmp(w[0], "claim") == 0)
		say_done("claim", vip_claim(vips, &err), &err);
	else if (strcmp(w[0], "release") == 0)
		say_done("release", vip_release(vips, &err), &err);
	else if (strcmp(w[0], "announce") == 0)
		announce_start(announcer);
	else if (strcmp(w[0], "one") == 0)
		announce_one(announcer, (size_t)atoi(w[1]));
	else if (strcmp(w[0], "hush") == 0)
		announce_stop(announcer);
	else if (strcmp(w[0], "probe") == 0)
		probe_command(w, n);
	else if (strcmp(w[0], "show") == 0)
		show_command();
	else if (strcmp(w[0], "busy") == 0)
		usleep((useconds_t)atoi(w[1]) * 1000);
	else if (strcmp(w[0], "halt") == 0)
		halt_at = atoi(w[1]);
	else if (strcmp(w[0], "quit") == 0)
		ev_break(loop, EVBREAK_ALL);
	else
		give_up(w[0]);
}

static void
line_do(char *line)
{
	static char *words[WORDS_MAX];
	char *state = NULL, *w;
	size_t n = 0;

	for (w = strtok_r(line, " ", &state); w && n < WORDS_MAX; w = strtok_r(NULL, " ", &state))
		words[n++] = w;
	if (n)
		command(words, n);
}

static void
on_input(struct ev_loop *l, ev_io *w, int revents)
{
	ssize_t n = read(w->fd, input + n_input, sizeof(input) - n_input);
	char *line = input, *end;

	(void)revents;
	if (n <= 0) {
		ev_break(l, EVBREAK_ALL);
		return;
	}
	n_input += (size_t)n;
	for (; (end = memchr(line, '\n', n_input)); line = end + 1) {
		*end = 0;
		n_input -= (size_t)(end + 1 - line);
		line_do(line);
	}
	memmove(input, line, n_input);
}

static int
release_all(char **addresses, size_t n)
{
	static struct vip_config configs[WORDS_MAX];
	struct err err;
	size_t i;
	int status;

	for (i = 0; i < n; i++)
		if (!vip_parse(addresses[i], 0, &configs[i]))
			give_up(addresses[i]);
	status = vip_release_all(configs, n, &err);
	say_done("release-all", status, &err);
	return status < 0;
}

int
main(int argc, char **argv)
{
	static const struct vip_events events = { on_restored, on_failed, on_stalled, NULL };
	struct link_watch watch = { .changed = on_link };
	struct err err;
	ev_io in;

	log_init("station");
	if (argc > 1 && strcmp(argv[1], "--release") == 0)
		return release_all(argv + 2, (size_t)argc - 2);
	loop = ev_default_loop(EVFLAG_AUTO);
	if (!(links = link_open(loop, &err)) || !(vips = vip_open(loop, links, &events, &err)) ||
	    !(neighbours = neighbour_open(loop, links, &err)) ||
	    !(announcer = announce_new(loop, neighbours, links, vips, on_conflict, NULL, &err)))
		give_up(err.text);
	link_watch_add(links, &watch);
	ev_io_init(&in, on_input, STDIN_FILENO, EV_READ);
	ev_io_start(loop, &in);
	say("ready");
	ev_run(loop, 0);
	announce_free(&announcer);
	neighbour_close(&neighbours);
	vip_close(&vips);
	link_watch_remove(links, &watch);
	link_close(&links);
	ev_loop_destroy(loop);
	return 0;
}
