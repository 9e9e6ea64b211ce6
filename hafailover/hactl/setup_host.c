/* setup_host.c - getifaddrs(3), brought into our own form. */
#include "hafailover/hactl/setup_host.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned
ones(const uint8_t *bytes, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (unsigned)__builtin_popcount(bytes[i]);
	return sum;
}

/* IPv4 as ::ffff:a.b.c.d, as struct network wants it. */
static struct network
network_of(const struct ifaddrs *i)
{
	bool v4 = i->ifa_addr->sa_family == AF_INET;
	size_t at = v4 ? 12 : 0;
	struct network n = { .bytes = { 0 } };
	uint8_t mask[16];

	if (v4) {
		memset(n.bytes + 10, 0xff, 2);
		memcpy(n.bytes + at, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, 4);
		memcpy(mask, &((struct sockaddr_in *)i->ifa_netmask)->sin_addr, 4);
	} else {
		memcpy(n.bytes, &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, 16);
		memcpy(mask, &((struct sockaddr_in6 *)i->ifa_netmask)->sin6_addr, 16);
	}
	for (size_t k = at; k < 16; k++)
		n.bytes[k] &= mask[k - at];
	n.prefix = (uint8_t)(8 * at + ones(mask, 16 - at));
	return n;
}

static struct address
address_of(const struct sockaddr *sa)
{
	struct address a;

	memset(&a, 0, sizeof(a));
	a.len = sa->sa_family == AF_INET ? sizeof(a.in) : sizeof(a.in6);
	memcpy(&a.sa, sa, a.len);
	return a;
}

static bool
is_reachable(const struct ifaddrs *i)
{
	const struct sockaddr *sa = i->ifa_addr;

	if (!sa || !i->ifa_netmask || (i->ifa_flags & IFF_LOOPBACK))
		return false;
	if (sa->sa_family == AF_INET6)
		return !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)sa)->sin6_addr);
	return sa->sa_family == AF_INET;
}

int
setup_host_init(struct setup_host *host, struct err *err)
{
	struct setup_interface *list;
	struct ifaddrs *all;
	size_t most = 0;

	*host = (struct setup_host){ NULL, 0 };
	if (getifaddrs(&all) < 0)
		return err_set(err, -errno, "cannot read the interfaces: %s", strerror(errno));
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		most++;
	host->list = list = calloc(most + 1, sizeof(*list));
	for (const struct ifaddrs *i = all; list && i; i = i->ifa_next) {
		if (!is_reachable(i))
			continue;
		snprintf(list[host->n].name, IF_NAMESIZE, "%s", i->ifa_name);
		list[host->n].address = address_of(i->ifa_addr);
		list[host->n++].network = network_of(i);
	}
	freeifaddrs(all);
	return list ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void
setup_host_fini(struct setup_host *host)
{
	free(host->list);
	*host = (struct setup_host){ NULL, 0 };
}
