/*
 * config_validate.c - what one row of a table cannot say, and which of the nodes this one is.
 *
 * Runs over whatever was decoded, so every check leaves alone what is missing: that is a problem
 * already.
 */
#include <ifaddrs.h>
#include <stdio.h>

#include "common/units.h"
#include "hafailover/config/config_schema.h"

/* --- complete --- */

static void
port_set(struct address *a, uint16_t port)
{
	a->in.sin_port = htons(port); /* sin6_port lies at the same place */
}

/* A node's one address becomes a list of one; all get the heartbeat's port. */
static void
complete_node(struct ha_config *c, struct ha_node_config *n)
{
	uint32_t count = n->n_addresses ? n->n_addresses : n->address.len > 0;
	struct address *list = arena_alloc(c->arena, count * sizeof(*list));

	if (!list || (n->n_addresses && n->address.len))
		return; /* both: said by validate */
	for (uint32_t i = 0; i < count; i++) {
		list[i] = n->n_addresses ? n->addresses[i] : n->address;
		port_set(&list[i], c->port);
	}
	n->addresses = list;
	n->n_addresses = count;
	n->single = n->address.len > 0;
	memset(&n->address, 0, sizeof(n->address));
}

/* Then there may be no address for the kernel: the cloud's leads to one node or the other. */
static bool
is_moved_by_hook(const struct ha_config *c)
{
	return c->hooks.commands[HA_HOOK_ACTIVE].n > 0;
}

static void
complete_instances(struct ha_config *c)
{
	if ((c->n_top_vips == 0 && !is_moved_by_hook(c)) || c->n_instances > 0)
		return;
	c->instances = arena_alloc(c->arena, sizeof(*c->instances));
	if (!c->instances)
		return;
	c->n_instances = 1;
	c->instances[0].name = arena_str(c->arena, STR("main"));
	c->instances[0].vips = c->top_vips;
	c->instances[0].n_vips = c->n_top_vips;
	c->top_vips = NULL;
	c->n_top_vips = 0;
}

void
ha_config_complete(struct ha_config *c)
{
	for (uint32_t i = 0; i < c->n_nodes; i++)
		complete_node(c, &c->nodes[i]);
	complete_instances(c);
	if (ha_config_has_witness(c))
		port_set(&c->witness.address, c->witness.port);
}

/* --- nodes --- */

struct place {
	char text[64];
};

/* Where an address of a node was written. */
static struct place
address_place(const struct ha_config *c, uint32_t node, uint32_t i)
{
	struct place p;

	if (c->nodes[node].single)
		snprintf(p.text, sizeof(p.text), "nodes[%u].address", node);
	else
		snprintf(p.text, sizeof(p.text), "nodes[%u].addresses[%u]", node, i);
	return p;
}

/* Was either key given?  Then what is wrong with it has been said. */
static bool
is_given(const json_t *object, const char *key, const char *other)
{
	return json_object_get(object, key) || json_object_get(object, other);
}

static bool
is_on_interface(const struct address *a)
{
	struct ifaddrs *list, *i;
	struct address have = *a;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (i = list; i && !found; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != a->sa.sa_family)
			continue;
		memcpy(&have.sa, i->ifa_addr, a->len);
		have.in.sin_port = a->in.sin_port;
		if (have.sa.sa_family == AF_INET6)
			have.in6.sin6_scope_id = a->in6.sin6_scope_id;
		found = address_equal(&have, a);
	}
	freeifaddrs(list);
	return found;
}

static bool
is_ours(const struct ha_node_config *n, const struct ha_config_options *options)
{
	for (uint32_t i = 0; i < n->n_addresses; i++)
		if ((options->is_local ? options->is_local : is_on_interface)(&n->addresses[i]))
			return true;
	return false;
}

static void
find_self_named(struct ha_config *c, struct json_decoder *d, const char *name)
{
	char quoted[JSON_SHOWN_MAX];

	for (c->self = 0; c->self < c->n_nodes; c->self++)
		if (str_eq(c->nodes[c->self].name, str_of(name)))
			return;
	c->self = 0;
	json_config_quote(str_of(name), quoted);
	json_config_problem(d, "nodes: none has the name %s, given by --node", quoted);
}

static void
find_self(struct ha_config *c, struct json_decoder *d, const struct ha_config_options *options)
{
	bool first, second;

	if (options->node) {
		find_self_named(c, d, options->node);
		return;
	}
	first = is_ours(&c->nodes[0], options);
	second = is_ours(&c->nodes[1], options);
	c->self = second;
	if (!first && !second)
		json_config_problem(d,
		    "nodes: this machine has none of their addresses; give its name with --node");
	if (first && second)
		json_config_problem(
		    d, "nodes: this machine has addresses of both; give its name with --node");
}

/* Multicast, loopback and "any" cannot be anybody's. */
static bool
is_unicast(const struct address *a)
{
	uint32_t v4 = ntohl(a->in.sin_addr.s_addr);

	if (a->sa.sa_family == AF_INET)
		return v4 >> 24 != 0 && v4 >> 24 != 127 && v4 >> 28 < 14;
	return !IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr) &&
	    !IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr) && !IN6_IS_ADDR_MULTICAST(&a->in6.sin6_addr);
}

/* Link-local addresses would need an interface beside them. */
static bool
is_reachable(const struct address *a)
{
	if (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr))
		return false;
	return is_unicast(a);
}

static void
check_addresses(const struct ha_config *c, struct json_decoder *d, uint32_t node)
{
	const struct ha_node_config *n = &c->nodes[node];
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < n->n_addresses; i++) {
		if (n->addresses[i].len == 0 || is_reachable(&n->addresses[i]))
			continue;
		address_format_host(&n->addresses[i], text);
		json_config_problem(d,
		    "nodes[%u].addresses[%u]: \"%s\" cannot be used for heartbeats", node, i, text);
	}
}

static void
check_node(const struct ha_config *c, struct json_decoder *d, uint32_t i)
{
	const json_t *o = json_array_get(json_object_get(d->root, "nodes"), i);
	const struct ha_node_config *n = &c->nodes[i];

	if (n->address.len && n->n_addresses)
		json_config_problem(
		    d, "nodes[%u].addresses: give either `address` or `addresses`", i);
	else if (n->n_addresses == 0 && json_is_object(o) && !is_given(o, "address", "addresses"))
		json_config_problem(d, "nodes[%u].address: is missing, expected an address", i);
}

static bool
nodes_share(const struct ha_config *c, uint32_t i)
{
	const struct ha_node_config *a = &c->nodes[0], *b = &c->nodes[1];

	for (uint32_t j = 0; j < a->n_addresses; j++)
		if (address_equal(&a->addresses[j], &b->addresses[i]))
			return true;
	return false;
}

/* Path n is from the n-th address of one to the n-th of the other. */
static void
check_paths(const struct ha_config *c, struct json_decoder *d)
{
	const struct ha_node_config *a = &c->nodes[0], *b = &c->nodes[1];
	char text[ADDRESS_TEXT_MAX];

	if (a->n_addresses && b->n_addresses && a->n_addresses != b->n_addresses)
		json_config_problem(d,
		    "nodes[1].addresses: has %u, nodes[0] has %u: each path needs one at either "
		    "end",
		    b->n_addresses, a->n_addresses);
	for (uint32_t i = 0; i < b->n_addresses; i++) {
		address_format_host(&b->addresses[i], text);
		if (nodes_share(c, i))
			json_config_problem(d, "%s: \"%s\" is an address of nodes[0]",
			    address_place(c, 1, i).text, text);
		if (i < a->n_addresses &&
		    a->addresses[i].sa.sa_family != b->addresses[i].sa.sa_family)
			json_config_problem(d,
			    "%s: \"%s\" and its counterpart in nodes[0] are "
			    "not of "
			    "one family",
			    address_place(c, 1, i).text, text);
	}
}

static void
check_repeated(const struct ha_config *c, struct json_decoder *d, uint32_t node)
{
	const struct ha_node_config *n = &c->nodes[node];

	for (uint32_t i = 0; i < n->n_addresses; i++)
		for (uint32_t j = 0; j < i; j++)
			if (address_equal(&n->addresses[i], &n->addresses[j]))
				json_config_problem(d,
				    "nodes[%u].addresses[%u]: is there already, as addresses[%u]",
				    node, i, j);
}

static void
check_nodes(struct ha_config *c, struct json_decoder *d, const struct ha_config_options *options)
{
	size_t before = d->problems->n;

	for (uint32_t i = 0; i < c->n_nodes; i++) {
		check_node(c, d, i);
		check_addresses(c, d, i);
		check_repeated(c, d, i);
	}
	if (c->n_nodes != 2)
		return;
	if (c->nodes[0].name.n && str_eq(c->nodes[0].name, c->nodes[1].name))
		json_config_problem(d, "nodes[1].name: \"%.*s\" is the name of nodes[0] already",
		    STR_ARG(c->nodes[1].name));
	check_paths(c, d);
	if (d->problems->n == before && c->nodes[0].n_addresses && c->nodes[1].n_addresses)
		find_self(c, d, options);
}

/* --- virtual addresses --- */

static bool
is_node_address(const struct ha_config *c, const struct address *other)
{
	struct address a = *other;

	port_set(&a, c->port);
	for (uint32_t i = 0; i < c->n_nodes; i++)
		for (uint32_t j = 0; j < c->nodes[i].n_addresses; j++)
			if (address_equal(&c->nodes[i].addresses[j], &a))
				return true;
	return false;
}

static void
check_vip(const struct ha_config *c, struct json_decoder *d, const char *path, uint32_t i)
{
	const struct ha_vip_config *list = c->instances[0].vips;
	const struct address *a = &list[i].address;
	char text[ADDRESS_TEXT_MAX];

	if (a->len == 0)
		return;
	address_format_host(a, text);
	if (!is_unicast(a))
		json_config_problem(
		    d, "%s[%u]: \"%s\" cannot be the address of a machine", path, i, text);
	if (is_node_address(c, a))
		json_config_problem(d, "%s[%u]: \"%s\" is a node's own address", path, i, text);
	for (uint32_t j = 0; j < i; j++)
		if (address_equal(a, &list[j].address))
			json_config_problem(d, "%s[%u]: \"%s\" is there already, as %s[%u]", path,
			    i, text, path, j);
}

static void
check_prefer(const struct ha_config *c, struct json_decoder *d)
{
	const struct ha_instance_config *in = &c->instances[0];
	char quoted[JSON_SHOWN_MAX];

	if (in->prefer.n == 0 || c->n_nodes != 2)
		return;
	for (uint32_t i = 0; i < 2; i++)
		if (c->nodes[i].name.n == 0 || str_eq(c->nodes[i].name, in->prefer))
			return;
	json_config_quote(in->prefer, quoted);
	json_config_problem(d, "instances[0].prefer: there is no node %s", quoted);
}

/* `top`: the key virtual_ips of the top, or NULL. */
static void
check_empty(const struct ha_config *c, struct json_decoder *d, const json_t *top)
{
	const json_t *instance = json_array_get(json_object_get(d->root, "instances"), 0);
	const json_t *list = top ? top : json_object_get(instance, "virtual_ips");

	if (json_is_array(list) && json_array_size(list) == 0 && !is_moved_by_hook(c))
		json_config_problem(d,
		    "%s: is empty: give an address, or a hook `active` that moves the service",
		    top ? "virtual_ips" : "instances[0].virtual_ips");
}

static void
check_instances(const struct ha_config *c, struct json_decoder *d)
{
	const json_t *top = json_object_get(d->root, "virtual_ips");

	if (top && json_object_get(d->root, "instances")) {
		json_config_problem(
		    d, "virtual_ips: give either `virtual_ips` or `instances`, not both");
		return;
	}
	if (json_is_object(d->root) && !is_given(d->root, "virtual_ips", "instances") &&
	    !is_moved_by_hook(c))
		json_config_problem(
		    d, "virtual_ips: is missing, expected an array of virtual addresses");
	check_empty(c, d, top);
	if (c->n_instances > 1)
		json_config_problem(d,
		    "instances: has %u elements; this release runs one instance, whose virtual "
		    "addresses move together",
		    c->n_instances);
	if (c->n_instances != 1)
		return;
	for (uint32_t i = 0; i < c->instances[0].n_vips; i++)
		check_vip(c, d, top ? "virtual_ips" : "instances[0].virtual_ips", i);
	check_prefer(c, d);
}

/* --- the rest --- */

static void
check_witness(const struct ha_config *c, struct json_decoder *d)
{
	const char *lease = json_string_value(json_object_get(d->root, "lease"));
	char text[ADDRESS_TEXT_MAX];

	if (!ha_config_has_witness(c))
		return;
	address_format_host(&c->witness.address, text);
	if (lease && strcmp(lease, "off") == 0)
		json_config_problem(d,
		    "witness: needs a lease: with \"off\" nothing ends the addresses of a node "
		    "that has lost its votes");
	if (!is_reachable(&c->witness.address))
		json_config_problem(
		    d, "witness.address: \"%s\" cannot be the address of a third machine", text);
	if (is_node_address(c, &c->witness.address))
		json_config_problem(d,
		    "witness.address: \"%s\" is a node's own address: a witness is a third machine",
		    text);
}

static void
check_scripts(const struct ha_config *c, struct json_decoder *d)
{
	char timeout[UNITS_TEXT_MAX], interval[UNITS_TEXT_MAX];

	for (uint32_t i = 0; i < c->track.n_scripts; i++) {
		const struct ha_script_config *s = &c->track.scripts[i];

		if (s->timeout <= s->interval || s->interval == 0)
			continue;
		duration_format(s->timeout, timeout);
		duration_format(s->interval, interval);
		json_config_problem(d,
		    "track.scripts[%u].timeout: \"%s\" is longer than the interval, \"%s\"", i,
		    timeout, interval);
	}
}

void
ha_config_validate(
    struct ha_config *c, struct json_decoder *d, const struct ha_config_options *options)
{
	if (!ha_config_is_vrrp(c) && json_is_object(d->root) &&
	    !json_object_get(d->root, "secret_file"))
		json_config_problem(d, "secret_file: is missing, expected an absolute path");
	check_nodes(c, d, options);
	check_instances(c, d);
	check_scripts(c, d);
	check_witness(c, d);
	if (ha_config_is_vrrp(c))
		ha_config_validate_vrrp(c, d);
	if (c->http_on && c->http.len && c->http.sa.sa_family != AF_UNIX &&
	    c->http.in.sin_port == 0)
		json_config_problem(d, "admin.http: port 0 is outside 1..65535");
	if (c->control.n && str_eq(c->control, c->track.lbd_socket))
		json_config_problem(d, "control: is the socket of lbd");
}
