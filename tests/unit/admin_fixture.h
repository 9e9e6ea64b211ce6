/*
 * admin_fixture.h - a small lbd that is not there: a configuration, two workers' counters, servers and
 * their state, for the tests of lbd/admin.
 */
#ifndef TESTS_UNIT_ADMIN_FIXTURE_H
#define TESTS_UNIT_ADMIN_FIXTURE_H

#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/admin/admin.h"

enum { FIXTURE_WORKERS = 2, FIXTURE_SERVERS = 3 };

/* Listeners front -> web (servers a and unix:/run/b.sock), side -> odd (one server). */
struct fixture {
	struct lbd_config config;
	struct listener_config listeners[2];
	struct pool_config pools[2];
	struct server_config web[2], odd[1];
	struct str bind_text[2];
	struct server_table servers;
	void *shared;
	struct stats_names *names;
	struct stats *stats[FIXTURE_WORKERS];
	struct access_log *log;
	struct admin_source source;
	struct admin_state state;
	/* what was asked for */
	struct control_token *reload;
	bool renew;
	struct admin_listing *listing;
	unsigned idle_closed;
	uint32_t idle_closed_slot; /* the last */
	struct {
		bool on;
		int64_t idle_ns, for_ns;
		unsigned times;
	} yield;
};

#define FIXTURE_ODD "o\"d\\d\n" /* a pool's name that needs escapes */

static void
fixture_state(void *owner, struct admin_state *state)
{
	*state = ((struct fixture *)owner)->state;
}

static void
fixture_reload(void *owner, struct control_token *token, bool renew)
{
	((struct fixture *)owner)->reload = token;
	((struct fixture *)owner)->renew = renew;
}

static void
fixture_yield(void *owner, bool on, int64_t idle_ns, int64_t for_ns)
{
	struct fixture *f = owner;

	f->yield.on = f->state.yielding = on;
	f->yield.idle_ns = idle_ns;
	f->yield.for_ns = for_ns;
	f->yield.times++;
}

static void
fixture_list(void *owner, struct admin_listing *listing)
{
	((struct fixture *)owner)->listing = listing;
}

static void
fixture_close_idle(void *owner, uint32_t slot)
{
	struct fixture *f = owner;

	f->idle_closed++;
	f->idle_closed_slot = slot;
}

static const char *
fixture_reason(void *owner, uint32_t slot)
{
	return slot == ((struct fixture *)owner)->web[0].slot ? "status 500, not 200" : "";
}

static int64_t
fixture_checked(void *owner, uint32_t slot)
{
	return slot == ((struct fixture *)owner)->web[0].slot ? 1769860800 * NS_PER_S : 0;
}

static struct server_config
fixture_server(struct fixture *f, struct str pool, struct str name, uint32_t weight)
{
	struct server_config s = { .name = name, .address_text = name, .weight = weight };

	s.slot = (uint32_t)server_table_slot(&f->servers, pool, name);
	s.id = (uint32_t)stats_server_id(f->names, pool, name);
	return s;
}

static void
fixture_pool(
    struct fixture *f, unsigned i, struct str name, struct server_config *servers, uint32_t n)
{
	f->pools[i] = (struct pool_config){ .name = name, .servers = servers, .n_servers = n };
	f->pools[i].id = (uint32_t)stats_pool_id(f->names, name);
}

static void
fixture_listener(struct fixture *f, unsigned i, struct str name, struct str bind)
{
	f->bind_text[i] = bind;
	f->listeners[i] = (struct listener_config){
		.name = name,
		.bind_text = &f->bind_text[i],
		.n_bind = 1,
		.pool = i,
		.pool_name = f->pools[i].name,
		.id = (uint32_t)stats_listener_id(f->names, name),
	};
}

static void
fixture_config(struct fixture *f)
{
	f->web[0] = fixture_server(f, STR("web"), STR("a"), 1);
	f->web[1] = fixture_server(f, STR("web"), STR("unix:/run/b.sock"), 5);
	f->odd[0] = fixture_server(f, STR(FIXTURE_ODD), STR("c"), 1);
	fixture_pool(f, 0, STR("web"), f->web, 2);
	fixture_pool(f, 1, STR(FIXTURE_ODD), f->odd, 1);
	fixture_listener(f, 0, STR("front"), STR("0.0.0.0:80"));
	fixture_listener(f, 1, STR("side"), STR("[::]:81"));
	f->config = (struct lbd_config){
		.node = STR("lb1"),
		.workers = FIXTURE_WORKERS,
		.listeners = f->listeners,
		.n_listeners = 2,
		.pools = f->pools,
		.n_pools = 2,
		.digest = "0123456789abcdef",
	};
}

static struct fixture *
fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	CHECK(f);
	f->shared = calloc(1, server_table_shared_size());
	CHECK(f->shared && server_table_init(&f->servers, f->shared) == 0);
	f->names = stats_names_new();
	CHECK(f->names);
	for (unsigned i = 0; i < FIXTURE_WORKERS; i++)
		CHECK((f->stats[i] = stats_new()));
	f->log = access_log_start(&(struct access_log_options){ FIXTURE_WORKERS, 4096 }, &err);
	CHECK(f->log);
	fixture_config(f);
	f->state = (struct admin_state){
		.config = &f->config,
		.config_file = "/etc/lbpair/lbd.json",
		.config_loaded_wall_ns = 1769860800 * NS_PER_S + 5 * NS_PER_MS,
	};
	f->source = (struct admin_source){
		.owner = f,
		.state = fixture_state,
		.reload = fixture_reload,
		.yield = fixture_yield,
		.list_connections = fixture_list,
		.close_idle = fixture_close_idle,
		.check_reason = fixture_reason,
		.checked_wall_ns = fixture_checked,
		.servers = &f->servers,
		.names = f->names,
		.stats = { f->stats, FIXTURE_WORKERS },
		.access_log = f->log,
		.started_ns = clock_ns(),
		.started_wall_ns = clock_wall_ns(),
		.generation = 3,
	};
	return f;
}

static void
fixture_free(struct fixture **fp)
{
	struct fixture *f = *fp;

	*fp = NULL;
	access_log_stop(&f->log);
	for (unsigned i = 0; i < FIXTURE_WORKERS; i++)
		stats_free(&f->stats[i]);
	stats_names_free(&f->names);
	server_table_fini(&f->servers);
	free(f->shared);
	free(f);
}

#endif
