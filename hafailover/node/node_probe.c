/*
 * node_probe.c - asks the network for the virtual address on the election's behalf.
 *
 * The service asked is one that lbd here listens on, too: the nodes have the same configuration.
 */
#include "common/check.h"
#include "common/log.h"
#include "hafailover/node/node_private.h"

/* --- what to ask --- */

static const struct vip_config *
vip_of_family(const struct node *n, int family, size_t *index)
{
	for (size_t i = 0; i < vip_count(n->vips); i++) {
		*index = i;
		if (vip_at(n->vips, i)->address.sa.sa_family == family)
			return vip_at(n->vips, i);
	}
	return NULL;
}

/* --- the answers --- */

static void
finish(struct node *n)
{
	node_probe_stop(n);
	node_probed(n);
}

/* The holder asks for others alone. */
static void
station_note(struct node *n, unsigned i, const struct probe_result *r)
{
	size_t index;
	const struct vip_config *vip = vip_of_family(n, i ? AF_INET6 : AF_INET, &index);
	bool holder = n->probe.holder;

	if (vip && r->verdict == (holder ? PROBE_ANSWERS : PROBE_SERVES))
		node_station_note(
		    n, &vip->address, r->mac, holder ? &n->vip_conflict : &n->vip_served);
}

static void
answered(struct node *n, unsigned i, const struct probe_result *r)
{
	struct node_probe *p = &n->probe;

	CHECK(n->magic == NODE_MAGIC);
	log_debug("vip_probed", "verdict=%s reason=%s", probe_verdict_name(r->verdict),
	    log_quoted(str_of(r->reason)).text);
	vip_answer_add(&p->answer, vip_answer_of(r->verdict, p->holder, p->blind),
	    node_is_peer_mac(n, r->mac));
	station_note(n, i, r);
	probe_free(&p->asked[i]); /* and the result with it */
	if (p->answer.result == ELECTION_VIP_SERVES || (!p->asked[0] && !p->asked[1]))
		finish(n);
}

static void
on_first(void *owner, const struct probe_result *r)
{
	answered(owner, 0, r);
}

static void
on_second(void *owner, const struct probe_result *r)
{
	answered(owner, 1, r);
}

/* --- asking --- */

static struct probe *
ask(struct node *n, int family, int64_t budget,
    void (*done)(void *owner, const struct probe_result *))
{
	size_t index = 0;
	const struct vip_config *vip = vip_of_family(n, family, &index);
	const struct link *link = vip ? vip_interface(n->vips, index) : NULL;
	const struct track_lbd_service *service;
	struct probe_question q = { .service = PROBE_NEIGHBOUR, .deadline_ns = budget };

	if (!link)
		return NULL;
	q.address = vip->address;
	q.link = link->index;
	service = track_lbd_service_of(track_report(n->track).lbd, &vip->address);
	if (service && !n->probe.here) {
		q.address.in.sin_port = service->address.in.sin_port;
		q.service = service->http ? PROBE_HTTP : PROBE_CONNECT;
		n->probe.blind = false;
	}
	return probe_start(n->loop, n->neighbours, &q, done, n);
}

void
node_probe_start(struct node *n, uint32_t id, int64_t budget)
{
	struct node_probe *p = &n->probe;

	node_probe_stop(n);
	n->nested &= ~(unsigned)NESTED_PROBED; /* of the one before */
	*p = (struct node_probe){ .id = id,
		.holder = n->election.holding,
		.here = n->election.holding || election_drains(&n->election),
		.blind = true,
		.answer.result = ELECTION_VIP_UNKNOWN };
	p->asked[0] = ask(n, AF_INET, budget, on_first);
	p->asked[1] = ask(n, AF_INET6, budget, on_second);
	if (!p->asked[0] && !p->asked[1])
		finish(n);
}

void
node_probe_stop(struct node *n)
{
	for (unsigned i = 0; i < NODE_PROBES; i++)
		probe_free(&n->probe.asked[i]);
}
