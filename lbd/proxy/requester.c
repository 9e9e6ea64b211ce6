/* requester.c - the peer's address, and the word of a proxy that is trusted. */
#include "lbd/proxy/requester.h"

#include "lbd/http/forwarded_for.h"

bool
requester_is_trusted(const struct client *c)
{
	const struct forwarded_config *f = &c->listener->conf->forwarded;
	struct address a;

	if (f->n_trust == 0 || !client_ip(c, &a))
		return false;
	for (uint32_t i = 0; i < f->n_trust; i++)
		if (network_holds(&f->trust[i], &a))
			return true;
	return false;
}

bool
requester_address(const struct client *c, struct address *a)
{
	const struct forwarded_config *f = &c->listener->conf->forwarded;

	if (!client_ip(c, a))
		return false;
	if (requester_is_trusted(c))
		forwarded_for(&c->conn.worker->head, f->trust, f->n_trust, a);
	return true;
}

bool
requester_ip(const struct client *c, uint8_t ip[16])
{
	struct address a;

	memcpy(ip, c->ip, sizeof(c->ip));
	if (c->listener->conf->forwarded.n_trust && requester_address(c, &a))
		address_ip(&a, ip);
	return c->family != AF_UNIX;
}
