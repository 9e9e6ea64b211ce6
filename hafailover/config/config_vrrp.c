/* config_vrrp.c - what VRRP can do, and what it cannot: the cross-checks of its instances. */
#include "common/clock.h"
#include "common/units.h"
#include "hafailover/config/config_schema.h"
#include "hafailover/vrrp/vrrp_wire.h"

enum { CENTISECONDS_MAX = 4095 };

static const int64_t NS_PER_CS = 10 * NS_PER_MS;

static void
check_nodes(const struct ha_config *c, struct json_decoder *d)
{
	for (uint32_t i = 0; i < c->n_nodes; i++)
		if (c->nodes[i].n_addresses > 1)
			json_config_problem(d,
			    "nodes[%u].addresses: has %u elements, VRRP has one way between "
			    "routers: give one",
			    i, c->nodes[i].n_addresses);
}

static void
check_interval(const struct ha_vrrp_config *v, struct json_decoder *d)
{
	char text[UNITS_TEXT_MAX];

	if (v->interval == 0) /* said already */
		return;
	duration_format(v->interval, text);
	if (v->version == 2 && v->interval % NS_PER_S != 0)
		json_config_problem(d,
		    "instances[0].vrrp.interval: \"%s\": version 2 has whole seconds, \"1s\".."
		    "\"255s\"",
		    text);
	if (v->version == 3 &&
	    (v->interval % NS_PER_CS != 0 || v->interval > CENTISECONDS_MAX * NS_PER_CS))
		json_config_problem(d,
		    "instances[0].vrrp.interval: \"%s\": version 3 has hundredths of a second, "
		    "\"10ms\"..\"40950ms\"",
		    text);
}

/* Advertisements name the addresses of one family: that of the nodes. */
static void
check_addresses(const struct ha_config *c, struct json_decoder *d)
{
	const struct ha_instance_config *in = &c->instances[0];
	int family = c->nodes[0].addresses[0].sa.sa_family;
	uint32_t max = family == AF_INET6 ? VRRP_ADDRESSES6_MAX : VRRP_ADDRESSES_MAX, n = 0;
	const char *name = family == AF_INET6 ? "IPv6" : "IPv4";

	for (uint32_t i = 0; i < in->n_vips; i++)
		n += in->vips[i].address.sa.sa_family == family;
	if (n == 0)
		json_config_problem(d,
		    "instances[0].virtual_ips: none is of the family of the nodes' addresses, %s: "
		    "VRRP must advertise one",
		    name);
	if (n > max)
		json_config_problem(d,
		    "instances[0].virtual_ips: %u are of %s, no more than %u fit into an "
		    "advertisement",
		    n, name, max);
	if (family == AF_INET6 && in->vrrp.version == 2)
		json_config_problem(d, "instances[0].vrrp.version: 2 is for IPv4");
	if (family == AF_INET6 && in->vrrp.plain_sum)
		json_config_problem(d, "instances[0].vrrp.checksum: \"plain\" is for IPv4");
}

void
ha_config_validate_vrrp(const struct ha_config *c, struct json_decoder *d)
{
	const json_t *o = json_array_get(json_object_get(d->root, "instances"), 0);

	if (json_is_object(o) && !json_object_get(o, "virtual_router_id"))
		json_config_problem(
		    d, "instances[0].virtual_router_id: is missing, expected an integer in 1..255");
	check_nodes(c, d);
	check_interval(&c->instances[0].vrrp, d);
	if (c->n_nodes == 2 && c->nodes[0].n_addresses && c->nodes[0].addresses[0].len)
		check_addresses(c, d);
}
