/* requester.c - the peer's address, and the word of a proxy that is trusted. */
#include "lbd/proxy/requester.h"

#include <arpa/inet.h>

#include "lbd/http/forwarded_for.h"
#include "lbd/limit/network_tree.h"

bool
requester_is_trusted(const struct client *c)
{
	const struct network_tree *trusted = c->listener->conf->forwarded.trusted;

	return trusted && c->family != AF_UNIX && network_tree_find(trusted, c->ip);
}

bool
requester_ip(const struct client *c, uint8_t ip[16])
{
	const struct forwarded_config *f = &c->listener->conf->forwarded;
	struct forwarded_walk walk;

	memcpy(ip, c->ip, sizeof(c->ip));
	if (c->family == AF_UNIX || !f->trusted)
		return c->family != AF_UNIX;
	walk = forwarded_walk(&c->conn.worker->head,
	    f->client_from == FROM_FORWARDED ? FIELD_FORWARDED : FIELD_X_FORWARDED_FOR);
	while (network_tree_find(f->trusted, ip) && forwarded_next(&walk, ip))
		;
	return true;
}

size_t
requester_name(const struct client *c, char text[CLIENT_ADDRESS_MAX])
{
	uint8_t ip[16];
	bool mapped;

	if (!requester_is_trusted(c) || !requester_ip(c, ip))
		return 0;
	mapped = ip_is_mapped(ip);
	inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? ip + 12 : ip, text, CLIENT_ADDRESS_MAX);
	return strlen(text);
}
