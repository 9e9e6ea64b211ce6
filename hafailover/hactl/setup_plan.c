/* setup_plan.c - addresses against networks, then JSON. */
#include "hafailover/hactl/setup_plan.h"

#include <errno.h>

#include "hafailover/hactl/member.h"

enum { PIECES_MAX = 64, IPV4_BITS_BEFORE = 96, ALL_BITS = 128 };

/* --- addresses and the networks of this machine --- */

/* IPv4: the network itself, and its broadcast address. */
static bool
is_reserved(const struct network *n, const struct address *a)
{
	uint32_t hosts, host;

	if (a->sa.sa_family != AF_INET || n->prefix >= ALL_BITS - 1)
		return false;
	hosts = UINT32_MAX >> (n->prefix - IPV4_BITS_BEFORE);
	host = ntohl(a->in.sin_addr.s_addr) & hosts;
	return host == 0 || host == hosts;
}

/* The one with the longest prefix; a single address is no network. */
static const struct setup_interface *
host_network(const struct setup_host *host, const struct address *a)
{
	const struct setup_interface *best = NULL;

	for (const struct setup_interface *i = host->list; i < host->list + host->n; i++)
		if (i->network.prefix < ALL_BITS && network_holds(&i->network, a) &&
		    (!best || i->network.prefix > best->network.prefix))
			best = i;
	return best;
}

static const struct setup_interface *
host_address(const struct setup_host *host, const struct address *a)
{
	for (const struct setup_interface *i = host->list; i < host->list + host->n; i++)
		if (address_equal(&i->address, a))
			return i;
	return NULL;
}

static bool
host_named(const struct setup_host *host, struct str name)
{
	for (const struct setup_interface *i = host->list; i < host->list + host->n; i++)
		if (str_eq(str_of(i->name), name))
			return true;
	return false;
}

/* --- lists --- */

struct pieces {
	struct str list[PIECES_MAX];
	size_t n; /* 0: an empty piece, or too many */
};

/* "a, b" without the blanks. */
static struct pieces
pieces_of(const char *list)
{
	static const char blanks[] = " \t";
	struct pieces found = { .n = 0 };

	for (size_t n = 0; n < PIECES_MAX; list++) {
		size_t length;

		list += strspn(list, blanks);
		length = strcspn(list, ",");
		found.list[n].p = list;
		list += length;
		while (length && strchr(blanks, found.list[n].p[length - 1]))
			length--;
		found.list[n++].n = length;
		if (length == 0)
			break;
		if (!*list) {
			found.n = n;
			break;
		}
	}
	return found;
}

static json_t *
json_of(struct str text)
{
	return json_stringn(text.p, text.n);
}

/* --- checks --- */

/* Ours, where the operator says which it is. */
static int
address_check(const struct setup_wish *w, const struct setup_host *host, const struct address *peer,
    const struct setup_interface **self, struct err *err)
{
	struct address a;

	*self = address_parse_host(&a, str_of(w->address)) ? host_address(host, &a) : NULL;
	if (!*self)
		return err_set(err, -EINVAL, "%s is not an address of this machine", w->address);
	if (a.sa.sa_family != peer->sa.sa_family)
		return err_set(
		    err, -EINVAL, "%s and %s are not of one family", w->address, w->peer);
	return 0;
}

int
setup_peer_check(const struct setup_wish *w, const struct setup_host *host,
    const struct setup_interface **self, struct err *err)
{
	struct address peer;

	if (!address_parse_host(&peer, str_of(w->peer)))
		return err_set(err, -EINVAL,
		    "the other node's address must be an IP address, not \"%s\"", w->peer);
	if (host_address(host, &peer))
		return err_set(err, -EINVAL,
		    "%s is an address of this machine, not of the other node", w->peer);
	if (w->address)
		return address_check(w, host, &peer, self, err);
	*self = host_network(host, &peer);
	if (!*self)
		return err_set(err, -EINVAL,
		    "no interface is in a network with %s: say by --address which address of this "
		    "machine the other one reaches",
		    w->peer);
	if (is_reserved(&(*self)->network, &peer))
		return err_set(err, -EINVAL, "%s is no host's address in the network of %s",
		    w->peer, (*self)->name);
	return 0;
}

/* "ADDRESS" or "ADDRESS/LENGTH". */
static int
vip_parse(struct address *a, struct str text, struct err *err)
{
	const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	struct str bare = { text.p, slash ? (size_t)(slash - text.p) : text.n };

	if (address_parse_host(a, bare))
		return 0;
	return err_set(
	    err, -EINVAL, "a virtual address must be an IP address, not \"%.*s\"", STR_ARG(text));
}

/* Can it be on this machine?  `interface` may be empty. */
static int
vip_check(struct str text, struct str interface, const struct setup_host *host, struct err *err)
{
	const struct setup_interface *in;
	struct address vip;

	if (vip_parse(&vip, text, err) < 0)
		return err->code;
	if (host_address(host, &vip))
		return err_set(err, -EINVAL,
		    "%.*s is an address of this machine: a virtual one must be free",
		    STR_ARG(text));
	if (interface.n && !host_named(host, interface))
		return err_set(
		    err, -EINVAL, "no interface %.*s has an address here", STR_ARG(interface));
	if (interface.n)
		return 0;
	in = host_network(host, &vip);
	if (!in)
		return err_set(err, -EINVAL,
		    "no interface of this machine is in a network with %.*s: name one with "
		    "--interface",
		    STR_ARG(text));
	if (is_reserved(&in->network, &vip))
		return err_set(err, -EINVAL, "%.*s is no host's address in the network of %s",
		    STR_ARG(text), in->name);
	return 0;
}

int
setup_vips_check(const struct setup_wish *w, const struct setup_host *host, struct err *err)
{
	struct str interface = str_of(w->interface ? w->interface : "");
	struct pieces vips = pieces_of(w->vips);
	struct address peer, vip;

	if (vips.n == 0)
		return err_set(err, -EINVAL, "\"%s\" is no list of virtual addresses", w->vips);
	for (size_t i = 0; i < vips.n; i++) {
		if (vip_check(vips.list[i], interface, host, err) < 0)
			return err->code;
		if (address_parse_host(&peer, str_of(w->peer)) &&
		    vip_parse(&vip, vips.list[i], err) == 0 && address_equal(&vip, &peer))
			return err_set(err, -EINVAL, "%s is the other node's own address", w->peer);
	}
	return 0;
}

/* HOST:PORT, as far as this can be seen without asking anybody. */
static bool
is_server(struct str text)
{
	const char *colon = memrchr(text.p, ':', text.n);
	unsigned port = 0;

	if (!colon || colon == text.p)
		return false;
	for (const char *p = colon + 1; p < text.p + text.n; p++) {
		if (*p < '0' || *p > '9' || port > 65535)
			return false;
		port = port * 10 + (unsigned)(*p - '0');
	}
	return port >= 1 && port <= 65535;
}

int
setup_servers_check(const struct setup_wish *w, struct err *err)
{
	struct pieces servers = pieces_of(w->servers);

	if (servers.n == 0)
		return err_set(err, -EINVAL, "\"%s\" is no list of servers", w->servers);
	for (size_t i = 0; i < servers.n; i++)
		if (!is_server(servers.list[i]))
			return err_set(err, -EINVAL, "a server is HOST:PORT, not \"%.*s\"",
			    STR_ARG(servers.list[i]));
	return 0;
}

/* --- documents --- */

static json_t *
vips_document(const struct setup_wish *w)
{
	struct pieces vips = pieces_of(w->vips);
	json_t *list = json_array();

	for (size_t i = 0; i < vips.n; i++)
		json_array_append_new(list,
		    w->interface ? json_pack("{s:o,s:s}", "address", json_of(vips.list[i]),
				       "interface", w->interface)
				 : json_of(vips.list[i]));
	return list;
}

json_t *
setup_hafailover(const struct setup_wish *w, const struct setup_interface *self)
{
	char address[ADDRESS_TEXT_MAX];

	address_format_host(&self->address, address);
	return json_pack("{s:[{s:s,s:s},{s:s,s:s}],s:s,s:o}", "nodes", "name", w->name, "address",
	    address, "name", w->peer_name, "address", w->peer, "secret_file", w->secret_file,
	    "virtual_ips", vips_document(w));
}

json_t *
setup_lbd(const struct setup_wish *w)
{
	struct pieces servers = pieces_of(w->servers);
	json_t *list = json_array(), *bind = json_pack("[s]", "0.0.0.0:80");

	if (strchr(w->vips, ':'))
		json_array_append_new(bind, json_string("[::]:80"));
	for (size_t i = 0; i < servers.n; i++)
		json_array_append_new(
		    list, json_pack("{s:o}", "address", json_of(servers.list[i])));
	return json_pack("{s:[{s:o,s:s}],s:[{s:s,s:o}]}", "listeners", "bind", bind, "pool", "web",
	    "pools", "name", "web", "servers", list);
}

/* --- the other side --- */

static int
list_check(const json_t *vips, const struct setup_host *host, struct err *err)
{
	const json_t *vip;
	size_t i;

	json_array_foreach(vips, i, vip)
	{
		struct str text = json_is_string(vip)
		    ? (struct str){ json_string_value(vip), json_string_length(vip) }
		    : member_text(vip, "address");

		if (vip_check(text, member_text(vip, "interface"), host, err) < 0)
			return err->code;
	}
	return 0;
}

int
setup_join_check(const json_t *hafailover, const struct setup_host *host, struct err *err)
{
	const json_t *instances = json_object_get(hafailover, "instances"), *instance;
	size_t i;

	if (list_check(json_object_get(hafailover, "virtual_ips"), host, err) < 0)
		return err->code;
	json_array_foreach(instances, i,
	    instance) if (list_check(json_object_get(instance, "virtual_ips"), host, err) <
	    0) return err->code;
	return 0;
}
