/*
 * track.c - puts the parts together; each tells of its changes itself.
 *
 * A new configuration builds all parts that differ beside the old ones, then the old ones go: it
 * either works as a whole or changes nothing.
 */
#include "hafailover/track/track.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "hafailover/track/track_gateway.h"
#include "hafailover/track/track_script.h"

enum { TRACK_MAGIC = 0x6874726b };

struct parts {
	char lbd_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct track_lbd *lbd;
	char interfaces[HA_INTERFACES_MAX][IF_NAMESIZE];
	unsigned n_interfaces;
	struct track_gateway *gateways[HA_GATEWAYS_MAX];
	unsigned n_gateways;
	struct script {
		struct ha_script_config config; /* its command is that of `run` */
		struct track_script *run;
	} scripts[HA_SCRIPTS_MAX];
	unsigned n_scripts;
};

struct track {
	uint32_t magic;
	struct track_parts with;
	struct link_watch watch;
	struct parts now;
};

static void
on_changed(void *owner)
{
	struct track *t = owner;

	CHECK(t->magic == TRACK_MAGIC);
	t->with.changed(t->with.owner);
}

static void
on_link(void *owner, const struct link *link, unsigned changes)
{
	(void)link;
	(void)changes;
	on_changed(owner);
}

/* --- parts that may stay --- */

static struct track_lbd *
lbd_get(struct track *t, struct str path)
{
	if (t->now.lbd && str_eq(path, str_of(t->now.lbd_path)))
		return t->now.lbd;
	return track_lbd_start(t->with.loop, path, on_changed, t);
}

static struct track_gateway *
gateway_get(struct track *t, const struct address *a)
{
	for (unsigned i = 0; i < t->now.n_gateways; i++)
		if (address_equal(track_gateway_address(t->now.gateways[i]), a))
			return t->now.gateways[i];
	return track_gateway_start(t->with.loop, t->with.neighbours, a, on_changed, t);
}

static bool
is_same_script(const struct script *s, const struct ha_script_config *c)
{
	return str_eq(c->command, str_of(track_script_command(s->run))) &&
	    s->config.interval == c->interval && s->config.timeout == c->timeout &&
	    s->config.fall == c->fall && s->config.rise == c->rise;
}

static struct track_script *
script_get(struct track *t, const struct ha_script_config *c)
{
	for (unsigned i = 0; i < t->now.n_scripts; i++)
		if (is_same_script(&t->now.scripts[i], c))
			return t->now.scripts[i].run;
	return track_script_start(t->with.loop, c, on_changed, t);
}

static bool
has_gateway(const struct parts *p, const struct track_gateway *g)
{
	for (unsigned i = 0; i < p->n_gateways; i++)
		if (p->gateways[i] == g)
			return true;
	return false;
}

static bool
has_script(const struct parts *p, const struct track_script *s)
{
	for (unsigned i = 0; i < p->n_scripts; i++)
		if (p->scripts[i].run == s)
			return true;
	return false;
}

/* Stops what the other does not have. */
static void
parts_stop(struct parts *p, const struct parts *kept)
{
	if (p->lbd != kept->lbd)
		track_lbd_stop(&p->lbd);
	for (unsigned i = 0; i < p->n_gateways; i++)
		if (!has_gateway(kept, p->gateways[i]))
			track_gateway_stop(&p->gateways[i]);
	for (unsigned i = 0; i < p->n_scripts; i++)
		if (!has_script(kept, p->scripts[i].run))
			track_script_stop(&p->scripts[i].run);
}

/* False: out of memory; what there is so far is in *p. */
static bool
parts_get(struct track *t, const struct ha_track_config *c, struct parts *p)
{
	memcpy(p->lbd_path, c->lbd_socket.p, c->lbd_socket.n);
	p->lbd = lbd_get(t, c->lbd_socket);
	if (!p->lbd)
		return false;
	for (uint32_t i = 0; i < c->n_interfaces; i++)
		memcpy(p->interfaces[p->n_interfaces++], c->interfaces[i].p, c->interfaces[i].n);
	for (uint32_t i = 0; i < c->n_gateways; i++) {
		struct track_gateway *g = gateway_get(t, &c->gateways[i]);

		if (!g)
			return false;
		if (!has_gateway(p, g))
			p->gateways[p->n_gateways++] = g;
	}
	for (uint32_t i = 0; i < c->n_scripts; i++) {
		struct track_script *s = script_get(t, &c->scripts[i]);

		if (!s)
			return false;
		if (!has_script(p, s))
			p->scripts[p->n_scripts++] = (struct script){ c->scripts[i], s };
	}
	return true;
}

int
track_configure(struct track *t, const struct ha_track_config *c, struct err *err)
{
	struct parts next = { 0 };

	if (!parts_get(t, c, &next)) {
		parts_stop(&next, &t->now);
		return err_set(err, -ENOMEM, "out of memory for tracking");
	}
	parts_stop(&t->now, &next);
	t->now = next;
	for (unsigned i = 0; i < next.n_scripts; i++) /* it outlives the configuration */
		t->now.scripts[i].config.command =
		    str_of(track_script_command(next.scripts[i].run));
	return 0;
}

/* --- the report --- */

static bool
link_good(const struct link *l)
{
	return l && l->carrier;
}

/* NULL: all is well; else what is not. */
static const char *
link_missing(const struct track *t, char name[IF_NAMESIZE], bool *clients)
{
	for (size_t i = 0; i < vip_count(t->with.vips); i++) {
		const struct link *l = vip_interface(t->with.vips, i);

		if (link_good(l))
			continue;
		*clients = true;
		memcpy(name, l ? l->name : "", l ? IF_NAMESIZE : 1);
		return l ? "has no carrier" : "no interface is there for a virtual address";
	}
	for (unsigned i = 0; i < t->now.n_interfaces; i++) {
		const struct link *l = link_named(t->with.links, t->now.interfaces[i]);

		if (link_good(l))
			continue;
		memcpy(name, t->now.interfaces[i], IF_NAMESIZE);
		return l ? "has no carrier" : "does not exist";
	}
	return NULL;
}

static bool
gateways_lost(const struct track *t)
{
	for (unsigned i = 0; i < t->now.n_gateways; i++)
		if (track_gateway_reachable(t->now.gateways[i]))
			return false;
	return t->now.n_gateways > 0;
}

/* Never answered is long ago. */
static int64_t
network_heard(const struct track *t)
{
	int64_t latest = t->now.n_gateways > 0;

	for (unsigned i = 0; i < t->now.n_gateways; i++)
		if (track_gateway_asked_ns(t->now.gateways[i]) > latest)
			latest = track_gateway_asked_ns(t->now.gateways[i]);
	return latest;
}

void
track_ask(struct track *t)
{
	for (unsigned i = 0; i < t->now.n_gateways; i++)
		track_gateway_ask(t->now.gateways[i]);
}

static const struct track_script *
script_failed(const struct track *t)
{
	for (unsigned i = 0; i < t->now.n_scripts; i++)
		if (!track_script_good(t->now.scripts[i].run))
			return t->now.scripts[i].run;
	return NULL;
}

static bool
is_settled(const struct track *t)
{
	const struct track_lbd_state *lbd = track_lbd_state(t->now.lbd);

	for (unsigned i = 0; i < t->now.n_gateways; i++)
		if (!track_gateway_known(t->now.gateways[i]))
			return false;
	for (unsigned i = 0; i < t->now.n_scripts; i++)
		if (!track_script_known(t->now.scripts[i].run))
			return false;
	return lbd->heard || *lbd->why;
}

struct track_report
track_report(const struct track *t)
{
	struct track_report r = { .settled = is_settled(t), .lbd = track_lbd_state(t->now.lbd) };
	const struct track_script *script = script_failed(t);
	bool clients = false, lost = gateways_lost(t);
	char name[IF_NAMESIZE] = "";
	const char *link = link_missing(t, name, &clients);

	r.isolated = clients || lost;
	r.network_ns = network_heard(t);
	if (link) {
		r.why = CAUSE_LINK_DOWN;
		snprintf(r.text, sizeof(r.text), "%s%s%s", name, *name ? " " : "", link);
	} else if (!r.lbd->ready || r.lbd->draining) {
		r.why = CAUSE_LBD_DOWN;
		snprintf(r.text, sizeof(r.text), "%s",
		    !r.lbd->ready ? *r.lbd->why ? r.lbd->why : "lbd was not heard yet"
				  : "lbd is draining");
	} else if (lost) {
		r.why = CAUSE_GATEWAYS_LOST;
		snprintf(r.text, sizeof(r.text), "no gateway answers");
	} else if (script) {
		r.why = CAUSE_SCRIPT_FAILED;
		snprintf(r.text, sizeof(r.text), "script \"%.100s\": %s",
		    track_script_command(script), track_script_reason(script));
	}
	r.eligible = r.why == CAUSE_NONE;
	return r;
}

void
track_yield(struct track *t, int64_t idle_ns, int64_t for_ns)
{
	track_lbd_yield(t->now.lbd, idle_ns, for_ns);
}

/* --- start and stop --- */

struct track *
track_start(const struct track_parts *with, const struct ha_track_config *c, struct err *err)
{
	struct track *t = calloc(1, sizeof(*t));

	if (!t) {
		err_set(err, -ENOMEM, "out of memory for tracking");
		return NULL;
	}
	t->magic = TRACK_MAGIC;
	t->with = *with;
	t->watch = (struct link_watch){ .changed = on_link, .owner = t };
	link_watch_add(with->links, &t->watch);
	if (track_configure(t, c, err) < 0)
		track_stop(&t);
	return t;
}

void
track_stop(struct track **tp)
{
	static const struct parts nothing;
	struct track *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	link_watch_remove(t->with.links, &t->watch);
	parts_stop(&t->now, &nothing);
	t->magic = 0;
	free(t);
}
