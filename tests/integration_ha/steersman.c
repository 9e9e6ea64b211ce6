/* steersman.c - see steersman.h. */
#include "steersman.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hafailover/steering/connections.h"
#include "hafailover/steering/steering.h"

enum { COUNTED_MAX = 8, FRAME_MAX = 400 };

static struct steering *steering;
static struct connections *connections;
static void (*tell)(const char *, ...);
static struct steering_entry rules[STEERING_RULES_MAX];
static size_t n_rules;
static ev_timer renewal;
static const int64_t LEASE_NS = NS_PER_S;

static void
on_renewal(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct err err;

	(void)loop;
	(void)t;
	(void)revents;
	steering_apply(steering, rules, n_rules, LEASE_NS, clock_ns(), &err);
}

static int
attach(struct ev_loop *loop, int link, struct err *err)
{
	if (!steering) {
		steering = steering_open(err);
		if (!steering)
			return err->code;
		ev_timer_init(&renewal, on_renewal, 0.2, 0.2);
	}
	if (!ev_is_active(&renewal))
		ev_timer_start(loop, &renewal);
	return steering_attach(steering, link, err);
}

static bool
rule_parse(struct steering_entry *e, const struct link_table *links, char **w)
{
	const struct link *l = link_named(links, w[2]);
	unsigned char *m = e->rule.peer;

	*e = (struct steering_entry){ .key.link = l ? (uint32_t)l->index : 0 };
	e->key.family = strchr(w[1], ':') ? AF_INET6 : AF_INET;
	if (!l || inet_pton((int)e->key.family, w[1], e->key.address) != 1)
		return false;
	if (w[0][0] == 's') {
		e->rule.mode = STEERING_STEER;
		return sscanf(w[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2, m + 3, m + 4,
			   m + 5) == 6;
	}
	e->rule.mode = STEERING_HUSH;
	return inet_pton((int)e->key.family, w[3], e->rule.own) == 1;
}

static int
rule_add(const struct link_table *links, char **w, struct err *err)
{
	if (n_rules == STEERING_RULES_MAX || !rule_parse(&rules[n_rules], links, w))
		return err_set(err, -22, "cannot read the rule");
	n_rules++;
	return steering_apply(steering, rules, n_rules, LEASE_NS, clock_ns(), err);
}

static void
counters_say(void (*say)(const char *, ...))
{
	struct steering_counters c = steering_count(steering);
	char text[512];
	size_t n = 0;

	for (int i = 0; i < STEERING_COUNTERS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " %s=%llu",
		    steering_counter_name((enum steering_counter)i), (unsigned long long)c.n[i]);
	say("counters%s", text);
}

/* The program that is there. */
static int
program_fd(int link, bool out)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = link,
	    .attach_point = out ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, at, .handle = 0x6c62, .priority = 1);

	return bpf_tc_query(&hook, &at) == 0 ? bpf_prog_get_fd_by_id(at.prog_id) : -1;
}

static size_t
hex_parse(const char *hex, unsigned char *bytes)
{
	size_t n = 0;

	while (n < FRAME_MAX && sscanf(hex + 2 * n, "%2hhx", &bytes[n]) == 1)
		n++;
	return n;
}

/* Words: run in|out INTERFACE HEX.  Says the verdict and what the frame is now. */
static void
frame_run(int link, char **w, void (*say)(const char *, ...))
{
	unsigned char in[FRAME_MAX], out[FRAME_MAX];
	struct __sk_buff context = { .ifindex = (unsigned)link };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = in, .data_out = out,
	    .data_size_in = (unsigned)hex_parse(w[3], in), .data_size_out = FRAME_MAX,
	    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);
	int fd = program_fd(link, strcmp(w[1], "out") == 0);
	int code = fd < 0 ? fd : bpf_prog_test_run_opts(fd, &o);
	char hex[2 * FRAME_MAX + 1] = "";

	for (unsigned i = 0; code == 0 && i < o.data_size_out; i++)
		sprintf(hex + (size_t)2 * i, "%02x", out[i]);
	say("run %d %d %s", code, (int)o.retval, hex);
	if (fd >= 0)
		close(fd);
}

static void
on_counted(void *owner, uint32_t n)
{
	(void)owner;
	tell("connections %u", n);
}

/* Words: count all|first ADDRESS... */
static int
count_start(struct ev_loop *loop, char **w, size_t n, struct err *err)
{
	struct address vips[COUNTED_MAX];
	const struct connections_options o = { .vips = vips,
		.n_vips = n - 2,
		.first_only = strcmp(w[1], "first") == 0,
		.counted = on_counted };
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < o.n_vips && i < COUNTED_MAX; i++) {
		snprintf(text, sizeof(text), strchr(w[i + 2], ':') ? "[%s]:1" : "%s:1", w[i + 2]);
		if (address_parse(&vips[i], str_of(text), err) < 0)
			return err->code;
	}
	connections_stop(&connections);
	connections = connections_start(loop, &o, err);
	return connections ? 0 : err->code;
}

bool
steersman_command(struct ev_loop *loop, struct link_table *links, void (*say)(const char *, ...),
    char **w, size_t n)
{
	const struct link *l = n > 1 ? link_named(links, w[1]) : NULL;
	struct err err;
	int code = 0;

	if (strcmp(w[0], "attach") == 0) {
		code = attach(loop, l ? l->index : 9999, &err);
	} else if (strcmp(w[0], "steer") == 0 || (strcmp(w[0], "hush") == 0 && n == 4)) {
		code = n == 4 ? rule_add(links, w, &err) : err_set(&err, -22, "three words");
	} else if (strcmp(w[0], "counters") == 0) {
		counters_say(say);
		return true;
	} else if (strcmp(w[0], "run") == 0 && n == 4) {
		l = link_named(links, w[2]);
		frame_run(l ? l->index : 9999, w, say);
		return true;
	} else if (strcmp(w[0], "lapse") == 0) {
		ev_timer_stop(loop, &renewal);
	} else if (strcmp(w[0], "count") == 0) {
		tell = say;
		code = n > 2 && n <= 2 + COUNTED_MAX
		    ? count_start(loop, w, n, &err)
		    : err_set(&err, -22, "all or first, addresses");
	} else if (strcmp(w[0], "detach") == 0) {
		connections_stop(&connections);
		ev_timer_stop(loop, &renewal);
		steering_close(&steering);
	} else {
		return false;
	}
	if (code < 0)
		say("%s failed %d %s", w[0], -code, err.text);
	else
		say("%s done %d", w[0], code);
	return true;
}
