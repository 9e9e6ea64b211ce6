/*
 * node_config.c - from configuration to the parts of the node, at start and when it is read again.
 *
 * Each part compares by itself and touches nothing that stays the same.  What can fail comes first,
 * so that a refused file changes nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "hafailover/node/node_private.h"

enum { MOVES = 8, HANDOVER_MS = 3000 };

static const int64_t MOVES_WITHIN_NS = 60 * NS_PER_S;

/* --- the election --- */

static int
address_compare(const struct address *a, const struct address *b)
{
	if (a->sa.sa_family == AF_INET)
		return memcmp(&a->in.sin_addr, &b->in.sin_addr, 4);
	return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16);
}

static enum election_prefer
prefer(const struct ha_config *c)
{
	struct str name = c->instances[0].prefer;

	if (name.n == 0)
		return PREFER_NONE;
	return str_eq(name, ha_config_self(c)->name) ? PREFER_SELF : PREFER_PEER;
}

struct election_config
node_election_config(const struct ha_config *c)
{
	const struct ha_node_config *self = ha_config_self(c), *peer = ha_config_peer(c);
	bool higher = address_compare(&self->addresses[0], &peer->addresses[0]) > 0;

	return (struct election_config){
		.order = higher,
		.peer_order = !higher,
		.paths = (uint8_t)self->n_addresses,
		.digest = c->digest,
		.interval_ns = c->interval,
		.dead_after = c->dead_after,
		.lease_ns = c->lease,
		.probe = c->instances[0].n_vips > 0,
		.preempt = c->instances[0].preempt,
		.prefer = prefer(c),
		.preempt_delay_ns = c->instances[0].preempt_delay,
		.moves = MOVES,
		.moves_within_ns = MOVES_WITHIN_NS,
		.handover_ns = HANDOVER_MS * NS_PER_MS,
		.witness = ha_config_has_witness(c),
		.drain_ns = c->drain,
	};
}

/* --- virtual addresses --- */

size_t
node_vip_links(const struct node *n, const struct link *links[WIRE_MACS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < vip_count(n->vips) && count < WIRE_MACS_MAX; i++) {
		const struct link *l = vip_interface(n->vips, i);
		size_t j = 0;

		while (j < count && links[j] != l)
			j++;
		if (l && j == count)
			links[count++] = l;
	}
	return count;
}

/* The peer shall know our announcements from those of a stranger, and send us what is ours. */
void
node_macs_tell(struct node *n)
{
	uint8_t macs[WIRE_MACS_MAX][WIRE_MAC];
	const struct link *links[WIRE_MACS_MAX];
	size_t count = node_vip_links(n, links);

	for (size_t i = 0; i < count; i++)
		memcpy(macs[i], links[i]->mac, WIRE_MAC);
	if (n->link)
		peer_link_set_macs(n->link, (const uint8_t(*)[WIRE_MAC])macs, count);
}

int
node_vips_apply(struct node *n, const struct ha_config *c, struct err *err)
{
	const struct ha_instance_config *in = &c->instances[0];
	struct vip_config *list = calloc(in->n_vips ? in->n_vips : 1, sizeof(*list));
	int code;

	if (!list)
		return err_set(err, -ENOMEM, "out of memory for the virtual addresses");
	for (uint32_t i = 0; i < in->n_vips; i++) {
		list[i].address = in->vips[i].address;
		list[i].prefix = (uint8_t)in->vips[i].prefix;
		if (in->vips[i].interface.n)
			memcpy(list[i].interface, in->vips[i].interface.p, in->vips[i].interface.n);
	}
	code = vip_configure(n->vips, list, in->n_vips, (uint32_t)(c->lease / NS_PER_S),
	    node_config_dead_ns(c), err);
	free(list);
	if (!code)
		code = announce_prepare(n->announcer, err);
	node_macs_tell(n);
	n->steer.look_ns = 0;
	return code;
}

/* --- a new file --- */

static struct ha_config *
config_read_again(struct node *n, struct err *err)
{
	struct problems problems = { 0 };
	struct ha_config *c = NULL;
	char *text;
	size_t size;

	if (file_read(n->options.file, HA_CONFIG_SIZE_MAX, &text, &size, err) < 0)
		return NULL;
	c = ha_config_load((struct str){ text, size }, &n->options, &problems);
	free(text);
	for (size_t i = 0; i < problems.kept; i++)
		log_err(
		    "config_problem", "text=%s", log_quoted(str_of(problems.list[i].text)).text);
	if (!c)
		err_set(err, -EINVAL, "%s%s",
		    problems.kept ? problems.list[0].text : "the configuration is wrong",
		    problems.n > 1 ? " (and more: see the log)" : "");
	problems_fini(&problems);
	return c;
}

static int
check_fixed(const struct ha_config *now, const struct ha_config *next, struct err *err)
{
	if (!str_eq(now->control, next->control))
		return err_set(err, -EINVAL, "control: changes with a restart only");
	if (!str_eq(now->state_directory, next->state_directory))
		return err_set(err, -EINVAL, "state_directory: changes with a restart only");
	if (now->steers != next->steers)
		return err_set(err, -EINVAL, "handover.steering: changes with a restart only");
	if (ha_config_is_vrrp(now) != ha_config_is_vrrp(next))
		return err_set(err, -EINVAL, "instances[0].protocol: changes with a restart only");
	if (ha_config_has_witness(now) != ha_config_has_witness(next))
		return err_set(err, -EINVAL, "witness: comes and goes with a restart only");
	return 0;
}

static bool
same_http(const struct ha_config *a, const struct ha_config *b)
{
	return a->http_on == b->http_on && (!a->http_on || address_equal(&a->http, &b->http));
}

/* Opened before anything changes; *fd stays -1 when it is off or as it was. */
static int
http_prepare(const struct node *n, const struct ha_config *next, int *fd, struct err *err)
{
	*fd = -1;
	if (same_http(n->config, next) || !next->http_on)
		return 0;
	*fd = service_http_open(&next->http, err);
	return *fd < 0 ? *fd : 0;
}

/* What can be refused. */
static int
parts_apply(struct node *n, const struct ha_config *next, struct err *err)
{
	struct err ignored;
	int code = node_peer_apply(n, next, err);

	if (!code)
		code = track_configure(n->track, &next->track, err);
	if (code && node_peer_apply(n, n->config, &ignored) < 0)
		log_err("reload_mixed", "reason=%s", log_quoted(str_of(ignored.text)).text);
	return code;
}

/* What cannot any more: trouble is said, and tried again by whoever has it. */
static void
parts_follow(struct node *n, const struct ha_config *next, int http_fd)
{
	struct err err;

	if (node_vips_apply(n, next, &err) < 0)
		log_err("vip_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	if (announce_active(n->announcer))
		announce_start(n->announcer);
	if (!same_http(n->config, next) && ha_control_listen(n->control, http_fd, &err) < 0)
		log_err("admin_http_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	if (service_log_use(&next->log, &err) < 0)
		log_err("log_target_failed", "reason=%s", log_quoted(str_of(err.text)).text);
}

int
node_config_apply(struct node *n, struct err *err)
{
	struct ha_config *next = config_read_again(n, err), *former;
	int http_fd = -1, code;

	if (!next)
		return err->code;
	code = check_fixed(n->config, next, err);
	if (!code)
		code = http_prepare(n, next, &http_fd, err);
	if (!code)
		code = parts_apply(n, next, err);
	if (code) {
		if (http_fd >= 0)
			close(http_fd);
		ha_config_free(&next);
		return code;
	}
	parts_follow(n, next, http_fd);
	former = n->config;
	n->config = next;
	hook_configure(n->hook, next); /* compares */
	node_machine_configure(n, next);
	ha_config_free(&former);
	node_track_again(n);
	return 0;
}
