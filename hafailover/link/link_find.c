/*
 * link_find.c - questions to the table of interfaces and addresses; whatever it holds, they are
 * pure.
 */
#include <linux/if_addr.h>

#include "hafailover/link/link.h"

const struct link *
link_named(const struct link_table *t, const char *name)
{
	const struct link *l;
	size_t i;

	for (i = 0; (l = link_next(t, i)); i++)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

/* The bytes of an IP address, and how many bits they have. */
static const uint8_t *
address_bytes(const struct address *a, unsigned *bits)
{
	*bits = a->sa.sa_family == AF_INET ? 32 : 128;
	return a->sa.sa_family == AF_INET ? (const uint8_t *)&a->in.sin_addr
					  : a->in6.sin6_addr.s6_addr;
}

static bool
same_host(const struct address *a, const struct address *b)
{
	unsigned bits;
	const uint8_t *p = address_bytes(a, &bits), *q = address_bytes(b, &bits);

	return a->sa.sa_family == b->sa.sa_family && memcmp(p, q, bits / 8) == 0;
}

bool
link_subnet_holds(const struct link_address *subnet, const struct address *a)
{
	unsigned bits, whole = subnet->prefix / 8, rest = subnet->prefix % 8;
	const uint8_t *p = address_bytes(a, &bits), *q = address_bytes(&subnet->address, &bits);

	if (a->sa.sa_family != subnet->address.sa.sa_family || subnet->prefix >= bits)
		return false;
	return memcmp(p, q, whole) == 0 &&
	    (rest == 0 || ((p[whole] ^ q[whole]) & (0xff << (8 - rest) & 0xff)) == 0);
}

static bool
is_link_local(const struct address *a)
{
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr);
}

/* Is `l` with prefix `n` a better place than `best` with `best_n`? */
static bool
holds_better(const struct link *l, uint8_t n, const struct link *best, uint8_t best_n)
{
	if (!best || n != best_n)
		return !best || n > best_n;
	if (l->carrier != best->carrier)
		return l->carrier;
	return l->index < best->index;
}

const struct link *
link_holding(const struct link_table *t, const struct address *a)
{
	const struct link *l, *best = NULL;
	const struct link_address *s;
	uint8_t best_n = 0;
	size_t i;

	for (i = 0; (s = link_address_next(t, i)); i++) {
		if (!link_subnet_holds(s, a) || is_link_local(&s->address) ||
		    same_host(&s->address, a))
			continue;
		l = link_at(t, s->link);
		if (!l || l->loopback || !holds_better(l, s->prefix, best, best_n))
			continue;
		best = l;
		best_n = s->prefix;
	}
	return best;
}

int
link_of_address(const struct link_table *t, const struct address *a)
{
	const struct link_address *s;
	size_t i;

	for (i = 0; (s = link_address_next(t, i)); i++)
		if (same_host(&s->address, a))
			return s->link;
	return 0;
}

/* Leases are deprecated: a virtual address speaks for nobody. */
bool
link_source(
    const struct link_table *t, int index, const struct address *target, struct address *source)
{
	const uint32_t unfit = IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED;
	const struct link_address *s;
	size_t i;

	for (i = 0; (s = link_address_next(t, i)); i++) {
		if (s->link != index || s->flags & unfit)
			continue;
		if (target->sa.sa_family == AF_INET6 ? !is_link_local(&s->address)
						     : !link_subnet_holds(s, target))
			continue;
		*source = s->address;
		return true;
	}
	return false;
}
