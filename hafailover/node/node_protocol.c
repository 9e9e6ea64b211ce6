/*
 * node_protocol.c - which machine decides, and how the peer is spoken to: election.h and heartbeats
 * between two nodes of ours, vrrp_election.h and advertisements where the peer is a VRRP router.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/check.h"
#include "hafailover/node/node_private.h"

/* --- the machine --- */

static struct vrrp_election_config
vrrp_config(const struct ha_config *c)
{
	const struct ha_instance_config *in = &c->instances[0];

	return (struct vrrp_election_config){
		.version = (uint8_t)in->vrrp.version,
		.interval_ns = in->vrrp.interval,
		.lease_ns = c->lease,
		.preempt = in->preempt,
		.preempt_delay_ns = in->preempt_delay,
	};
}

/* The other machine stays as it is, all zero, and knows nothing. */
void
node_machine_init(struct node *n)
{
	n->vrrp = ha_config_is_vrrp(n->config);
	if (n->vrrp) {
		const struct vrrp_election_config vrrp = vrrp_config(n->config);

		vrrp_election_init(&n->vrrp_election, &vrrp);
		n->vrrp_election.since_ns = clock_ns();
	} else {
		const struct election_config election = node_election_config(n->config);

		election_init(&n->election, &election);
		n->election.since_ns = clock_ns();
	}
}

void
node_machine_configure(struct node *n, const struct ha_config *c)
{
	if (n->vrrp) {
		const struct vrrp_election_config vrrp = vrrp_config(c);

		vrrp_election_configure(&n->vrrp_election, &vrrp);
	} else {
		const struct election_config election = node_election_config(c);

		election_configure(&n->election, &election);
	}
}

struct election_out
node_machine_step(struct node *n, const struct election_event *ev, int64_t now)
{
	if (n->vrrp)
		return vrrp_election_step(&n->vrrp_election, ev, now);
	return election_step(&n->election, ev, now);
}

struct standing
node_standing(const struct node *n, int64_t now)
{
	return standing_of(&n->election, n->vrrp ? &n->vrrp_election : NULL, now);
}

bool
node_machine_stopped(const struct node *n)
{
	return n->vrrp ? n->vrrp_election.stopped : n->election.stopped;
}

bool
node_may_linger(const struct node *n, const struct election_out *out, int64_t now)
{
	if (n->vrrp)
		return vrrp_election_may_linger(&n->vrrp_election, out);
	return election_may_linger(&n->election, out, now);
}

int64_t
node_dead_ns(const struct node *n)
{
	if (n->vrrp)
		return vrrp_election_dead_ns(&n->vrrp_election);
	return election_dead_ns(&n->election);
}

int64_t
node_config_dead_ns(const struct ha_config *c)
{
	return ha_config_is_vrrp(c) ? 3 * c->instances[0].vrrp.interval
				    : c->interval * c->dead_after;
}

/* --- the peer --- */

void
node_say(struct node *n, int64_t now)
{
	struct heartbeat h;

	if (n->vrrp) {
		vrrp_send(n->router, vrrp_election_advertises(&n->vrrp_election, now));
		return;
	}
	h = election_heartbeat(&n->election, now);
	peer_link_send(n->link, &h);
}

static int
heartbeats_apply(struct node *n, const struct ha_config *c, struct err *err)
{
	struct peer_link_path paths[HEARTBEAT_PATHS_MAX];
	struct peer_link_options o = { .paths = paths,
		.n_paths = ha_config_self(c)->n_addresses,
		.node = ha_config_self(c)->name,
		.peer = ha_config_peer(c)->name };
	struct ha_secret secret;
	int code = ha_secret_read(&secret, c->secret_file.p, err);

	if (code)
		return code;
	o.secret = (struct str){ (const char *)secret.bytes, secret.n };
	for (unsigned i = 0; i < o.n_paths; i++)
		paths[i] = (struct peer_link_path){ ha_config_self(c)->addresses[i],
			ha_config_peer(c)->addresses[i] };
	code = peer_link_configure(n->link, &o, err);
	explicit_bzero(&secret, sizeof(secret));
	return code;
}

/* --- the witness --- */

static int
witness_apply(struct node *n, const struct ha_config *c, struct err *err)
{
	struct str file = c->witness.secret_file.n ? c->witness.secret_file : c->secret_file;
	struct witness_link_options o = { .witness = c->witness.address,
		.node = ha_config_self(c)->name };
	struct ha_secret secret;
	int code;

	if (!n->witness)
		return 0;
	code = ha_secret_read(&secret, file.p, err);
	if (code)
		return code;
	o.secret = (struct str){ (const char *)secret.bytes, secret.n };
	code = witness_link_configure(n->witness, &o, err);
	explicit_bzero(&secret, sizeof(secret));
	return code;
}

/* --- a router --- */

/* Those of the family that is spoken are advertised, in their order. */
static void
router_addresses(struct vrrp_router *r, const struct ha_instance_config *in)
{
	sa_family_t family = r->v6 ? AF_INET6 : AF_INET;

	for (uint32_t i = 0; i < in->n_vips; i++) {
		const struct address *a = &in->vips[i].address;

		if (a->sa.sa_family != family)
			continue;
		if (r->v6)
			memcpy(r->addresses + 16 * r->n_addresses++, &a->in6.sin6_addr, 16);
		else
			memcpy(r->addresses + 4 * r->n_addresses++, &a->in.sin_addr, 4);
	}
}

static int
router_apply(struct node *n, const struct ha_config *c, struct err *err)
{
	const struct ha_instance_config *in = &c->instances[0];
	struct vrrp_options o = { .own = ha_config_self(c)->addresses[0],
		.peer = ha_config_peer(c)->addresses[0] };
	const struct vrrp_events events = { node_advertisement, n };
	int code = 0;

	o.router = (struct vrrp_router){ .v6 = o.own.sa.sa_family == AF_INET6,
		.multicast = in->vrrp.multicast,
		.plain_sum = in->vrrp.plain_sum,
		.version = (uint8_t)in->vrrp.version,
		.id = (uint8_t)in->virtual_router_id,
		.interval_ns = in->vrrp.interval,
		.authenticated = in->vrrp.password_file.n > 0 };
	router_addresses(&o.router, in);
	if (o.router.authenticated)
		code = ha_password_read(o.router.password, in->vrrp.password_file.p, err);
	if (!code && n->router)
		code = vrrp_configure(n->router, &o, err);
	else if (!code && !(n->router = vrrp_open(n->loop, n->links, &o, &events, err)))
		code = err->code;
	explicit_bzero(&o, sizeof(o));
	return code;
}

int
node_peer_apply(struct node *n, const struct ha_config *c, struct err *err)
{
	int code = witness_apply(n, c, err);

	if (code)
		return code;
	return n->vrrp ? router_apply(n, c, err) : heartbeats_apply(n, c, err);
}

bool
node_is_peer_mac(const struct node *n, const uint8_t mac[LINK_MAC])
{
	return n->link && peer_link_is_peer_mac(n->link, mac);
}
