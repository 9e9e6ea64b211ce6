/* steersman.c - see steersman.h. */
#include "steersman.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hafailover/steering/connections.h"
#include "hafailover/steering/steering.h"

enum { COUNTED_MAX = 8 };

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
