/*
 * test_track.c - the report on what lbd, links, gateways and scripts say, and which of them live on
 * when the configuration changes.  The parts are made of words here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hafailover/track/track.h"
#include "hafailover/track/track_gateway.h"
#include "hafailover/track/track_script.h"

/* --- the parts --- */

struct track_lbd {
	struct track_lbd_state state;
};

struct track_gateway {
	struct address address;
	bool known, reachable;
	int64_t asked_ns;
};

struct track_script {
	char command[64], reason[64];
	bool known, good;
};

static struct {
	struct link links[2]; /* eth0, where the addresses are, and eth1 */
	bool there[2];
	struct track_lbd_state lbd; /* of those that start */
	struct track_gateway *gateways[8];
	unsigned n_gateways;
	struct track_script *scripts[8];
	unsigned n_scripts;
	unsigned lbds_started, living; /* living: all that started and was not stopped */
	int starts_left; /* before memory is out */
	const struct link_watch *watch;
	unsigned changes;
} world;

static void *
part_new(size_t size)
{
	void *p;

	if (world.starts_left-- <= 0)
		return NULL;
	p = calloc(1, size);
	assert_non_null(p);
	world.living++;
	return p;
}

void
link_watch_add(struct link_table *t, struct link_watch *w)
{
	(void)t;
	assert_null(world.watch);
	world.watch = w;
}

void
link_watch_remove(struct link_table *t, struct link_watch *w)
{
	(void)t;
	assert_ptr_equal(world.watch, w);
	world.watch = NULL;
}

const struct link *
link_named(const struct link_table *t, const char *name)
{
	(void)t;
	for (int i = 0; i < 2; i++)
		if (world.there[i] && strcmp(name, world.links[i].name) == 0)
			return &world.links[i];
	return NULL;
}

size_t
vip_count(const struct vip_table *t)
{
	(void)t;
	return 2;
}

const struct link *
vip_interface(const struct vip_table *t, size_t i)
{
	(void)t;
	(void)i;
	return world.there[0] ? &world.links[0] : NULL;
}

struct track_lbd *
track_lbd_start(struct ev_loop *loop, struct str path, void (*changed)(void *owner), void *owner)
{
	struct track_lbd *t = part_new(sizeof(*t));

	(void)loop;
	(void)path;
	(void)changed;
	(void)owner;
	if (!t)
		return NULL;
	t->state = world.lbd;
	world.lbds_started++;
	return t;
}

void
track_lbd_stop(struct track_lbd **tp)
{
	world.living -= *tp != NULL;
	free(*tp);
	*tp = NULL;
}

const struct track_lbd_state *
track_lbd_state(const struct track_lbd *t)
{
	return &t->state;
}

void
track_lbd_yield(struct track_lbd *t, int64_t idle_ns, int64_t for_ns)
{
	(void)t;
	(void)idle_ns;
	(void)for_ns;
}

struct track_gateway *
track_gateway_start(struct ev_loop *loop, struct neighbour_table *neighbours,
    const struct address *a, void (*changed)(void *owner), void *owner)
{
	struct track_gateway *g = part_new(sizeof(*g));

	(void)loop;
	(void)neighbours;
	(void)changed;
	(void)owner;
	if (!g)
		return NULL;
	g->address = *a;
	world.gateways[world.n_gateways++] = g;
	return g;
}

void
track_gateway_stop(struct track_gateway **gp)
{
	world.living--;
	free(*gp);
	*gp = NULL;
}

bool
track_gateway_known(const struct track_gateway *g)
{
	return g->known;
}

bool
track_gateway_reachable(const struct track_gateway *g)
{
	return g->reachable;
}

int64_t
track_gateway_asked_ns(const struct track_gateway *g)
{
	return g->asked_ns;
}

void
track_gateway_ask(struct track_gateway *g)
{
	g->asked_ns = 99;
}

const struct address *
track_gateway_address(const struct track_gateway *g)
{
	return &g->address;
}

struct track_script *
track_script_start(struct ev_loop *loop, const struct ha_script_config *c,
    void (*changed)(void *owner), void *owner)
{
	struct track_script *s = part_new(sizeof(*s));

	(void)loop;
	(void)changed;
	(void)owner;
	if (!s)
		return NULL;
	memcpy(s->command, c->command.p, c->command.n);
	snprintf(s->reason, sizeof(s->reason), "exit status 1");
	world.scripts[world.n_scripts++] = s;
	return s;
}

void
track_script_stop(struct track_script **sp)
{
	world.living--;
	free(*sp);
	*sp = NULL;
}

bool
track_script_known(const struct track_script *s)
{
	return s->known;
}

bool
track_script_good(const struct track_script *s)
{
	return s->good;
}

const char *
track_script_command(const struct track_script *s)
{
	return s->command;
}

const char *
track_script_reason(const struct track_script *s)
{
	return s->reason;
}

/* --- a configuration --- */

struct fixture {
	struct ha_track_config config;
	struct str interfaces[1];
	struct address gateways[2];
	struct ha_script_config scripts[2];
	struct track *track;
};

static void
on_changed(void *owner)
{
	(void)owner;
	world.changes++;
}

static struct address
address(const char *text)
{
	struct address a;
	struct err err;

	assert_int_equal(address_parse(&a, str_of(text), &err), 0);
	return a;
}

static struct ha_script_config
script(const char *command)
{
	return (struct ha_script_config){ str_of(command), NS_PER_S, NS_PER_S, 3, 2 };
}

/* Two gateways, two scripts, an interface; nothing has had its first verdict. */
static void
fixture_init(struct fixture *f)
{
	memset(&world, 0, sizeof(world));
	memcpy(world.links[0].name, "eth0", 5);
	memcpy(world.links[1].name, "eth1", 5);
	world.links[0].carrier = world.links[1].carrier = true;
	world.there[0] = world.there[1] = true;
	world.starts_left = 100;
	f->interfaces[0] = STR("eth1");
	f->gateways[0] = address("192.0.2.1:0");
	f->gateways[1] = address("192.0.2.2:0");
	f->scripts[0] = script("/bin/one");
	f->scripts[1] = script("/bin/two");
	f->config = (struct ha_track_config){ STR("/run/lbd.sock"), f->interfaces, 1, f->gateways,
		2, f->scripts, 2 };
}

static void
fixture_start(struct fixture *f)
{
	const struct track_parts with = { .changed = on_changed };
	struct err err;

	f->track = track_start(&with, &f->config, &err);
	assert_non_null(f->track);
}

static void
fixture_all_well(void)
{
	for (unsigned i = 0; i < world.n_gateways; i++)
		world.gateways[i]->known = world.gateways[i]->reachable = true;
	for (unsigned i = 0; i < world.n_scripts; i++)
		world.scripts[i]->known = world.scripts[i]->good = true;
}

static void
fixture_fini(struct fixture *f)
{
	track_stop(&f->track);
	assert_int_equal(world.living, 0);
	assert_null(world.watch);
}

/* --- tests --- */

enum {
	NO_ETH0 = 1 << 0,
	NO_CARRIER = 1 << 1,
	NO_ETH1 = 1 << 2,
	LBD_DEAD = 1 << 3,
	LBD_DRAINS = 1 << 4,
	GATEWAY_1 = 1 << 5,
	GATEWAY_2 = 1 << 6,
	SCRIPT_2 = 1 << 7,
	ETH1_DOWN = 1 << 8,
	LBD_UNHEARD = 1 << 9,
};

static void
apply(unsigned wrong)
{
	world.there[0] = !(wrong & NO_ETH0);
	world.links[0].carrier = !(wrong & NO_CARRIER);
	world.there[1] = !(wrong & NO_ETH1);
	world.links[1].carrier = !(wrong & ETH1_DOWN);
	world.lbd = (struct track_lbd_state){ .heard = !(wrong & (LBD_DEAD | LBD_UNHEARD)),
		.ready = !(wrong & (LBD_DEAD | LBD_UNHEARD)),
		.draining = wrong & LBD_DRAINS };
	if (wrong & LBD_DEAD)
		snprintf(world.lbd.why, sizeof(world.lbd.why), "lbd does not run");
}

static void
test_report(void **state)
{
	static const struct {
		unsigned wrong;
		enum cause why;
		bool isolated;
		const char *text;
	} rows[] = {
		{ 0, CAUSE_NONE, false, "" },
		{ GATEWAY_1, CAUSE_NONE, false, "" }, /* one that answers is enough */
		{ GATEWAY_2, CAUSE_NONE, false, "" },
		{ GATEWAY_1 | GATEWAY_2, CAUSE_GATEWAYS_LOST, true, "no gateway answers" },
		{ SCRIPT_2, CAUSE_SCRIPT_FAILED, false, "script \"/bin/two\": exit status 1" },
		{ LBD_DEAD, CAUSE_LBD_DOWN, false, "lbd does not run" },
		{ LBD_UNHEARD, CAUSE_LBD_DOWN, false, "lbd was not heard yet" },
		{ LBD_DRAINS, CAUSE_LBD_DOWN, false, "lbd is draining" },
		{ NO_CARRIER, CAUSE_LINK_DOWN, true, "eth0 has no carrier" },
		{ NO_ETH0, CAUSE_LINK_DOWN, true, "no interface is there for a virtual address" },
		{ ETH1_DOWN, CAUSE_LINK_DOWN, false, "eth1 has no carrier" },
		{ NO_ETH1, CAUSE_LINK_DOWN, false, "eth1 does not exist" },
		/* the first of: link, lbd, gateways, scripts */
		{ NO_CARRIER | LBD_DEAD | GATEWAY_1 | GATEWAY_2 | SCRIPT_2, CAUSE_LINK_DOWN, true,
		    "eth0 has no carrier" },
		{ LBD_DEAD | GATEWAY_1 | GATEWAY_2 | SCRIPT_2, CAUSE_LBD_DOWN, true,
		    "lbd does not run" },
		{ GATEWAY_1 | GATEWAY_2 | SCRIPT_2, CAUSE_GATEWAYS_LOST, true,
		    "no gateway answers" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture f;
		struct track_report r;

		fixture_init(&f);
		apply(rows[i].wrong);
		fixture_start(&f);
		fixture_all_well();
		world.gateways[0]->reachable = !(rows[i].wrong & GATEWAY_1);
		world.gateways[1]->reachable = !(rows[i].wrong & GATEWAY_2);
		world.scripts[1]->good = !(rows[i].wrong & SCRIPT_2);
		r = track_report(f.track);
		assert_string_equal(cause_name(r.why), cause_name(rows[i].why));
		assert_int_equal(r.eligible, rows[i].why == CAUSE_NONE);
		assert_int_equal(r.isolated, rows[i].isolated);
		assert_string_equal(r.text, rows[i].text);
		fixture_fini(&f);
	}
}

/* Without gateways and scripts nothing of the kind is missing. */
static void
test_little(void **state)
{
	struct fixture f;
	struct track_report r;

	(void)state;
	fixture_init(&f);
	apply(0);
	f.config.n_gateways = f.config.n_scripts = f.config.n_interfaces = 0;
	fixture_start(&f);
	r = track_report(f.track);
	assert_true(r.eligible && r.settled && !r.isolated && r.network_ns == 0);
	fixture_fini(&f);
}

/* The last question that any of the gateways has answered; long ago if none has. */
static void
test_network(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	apply(0);
	fixture_start(&f);
	assert_int_equal(track_report(f.track).network_ns, 1);
	world.gateways[1]->asked_ns = 70;
	world.gateways[0]->asked_ns = 60;
	assert_int_equal(track_report(f.track).network_ns, 70);
	track_ask(f.track);
	assert_true(world.gateways[0]->asked_ns == 99 && world.gateways[1]->asked_ns == 99);
	fixture_fini(&f);
}

/* Each part has had its first verdict, be it bad. */
static void
test_settled(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	apply(LBD_DEAD);
	fixture_start(&f);
	assert_false(track_report(f.track).settled);
	world.gateways[0]->known = world.gateways[1]->known = true;
	assert_false(track_report(f.track).settled);
	world.scripts[0]->known = world.scripts[1]->known = true;
	assert_true(track_report(f.track).settled);
	fixture_fini(&f);
	fixture_init(&f);
	apply(LBD_UNHEARD);
	fixture_start(&f);
	fixture_all_well();
	assert_false(track_report(f.track).settled);
	fixture_fini(&f);
}

/* What is the same goes on undisturbed; what is not named any more stops; twice named counts once. */
static void
test_reconfigured(void **state)
{
	struct fixture f;
	struct track_gateway *second;
	struct track_script *first;
	struct err err;

	(void)state;
	fixture_init(&f);
	apply(0);
	fixture_start(&f);
	assert_int_equal(world.living, 5);
	second = world.gateways[1];
	first = world.scripts[0];
	second->known = second->reachable = first->known = first->good = true;
	f.gateways[0] = f.gateways[1];
	f.scripts[1] = f.scripts[0];
	assert_int_equal(track_configure(f.track, &f.config, &err), 0);
	assert_int_equal(world.living, 3);
	assert_int_equal(world.lbds_started, 1);
	assert_int_equal(world.n_gateways, 2);
	assert_int_equal(world.n_scripts, 2);
	assert_true(track_report(f.track).eligible);
	/* the same command, judged otherwise, is another script; so is another lbd */
	f.config.n_scripts = f.config.n_gateways = 1;
	f.scripts[0].fall = 4;
	f.config.lbd_socket = STR("/run/other.sock");
	assert_int_equal(track_configure(f.track, &f.config, &err), 0);
	assert_int_equal(world.living, 3);
	assert_int_equal(world.lbds_started, 2);
	assert_int_equal(world.n_scripts, 3);
	assert_false(track_report(f.track).settled);
	fixture_fini(&f);
}

/* A configuration that cannot be had changes nothing. */
static void
test_no_memory(void **state)
{
	struct fixture f;
	const struct track_parts with = { .changed = on_changed };
	struct err err;

	(void)state;
	for (int left = 0; left < 5; left++) {
		fixture_init(&f);
		world.starts_left = left;
		assert_null(track_start(&with, &f.config, &err));
		assert_int_equal(world.living, 0);
		assert_null(world.watch);
	}
	fixture_init(&f);
	apply(0);
	fixture_start(&f);
	fixture_all_well();
	f.config.lbd_socket = STR("/run/other.sock");
	f.gateways[0] = address("192.0.2.3:0");
	f.scripts[0] = script("/bin/three");
	for (int left = 0; left < 3; left++) {
		world.starts_left = left;
		assert_true(track_configure(f.track, &f.config, &err) < 0);
		assert_int_equal(world.living, 5);
		assert_true(track_report(f.track).eligible);
	}
	fixture_fini(&f);
}

/* A link that changes may change the report. */
static void
test_link_tells(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_start(&f);
	assert_int_equal(world.changes, 0);
	world.watch->changed(world.watch->owner, &world.links[0], LINK_CARRIER);
	assert_int_equal(world.changes, 1);
	fixture_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_little),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_reconfigured),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_link_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
