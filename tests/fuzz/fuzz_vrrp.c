/*
 * fuzz_vrrp.c - any bytes as what a raw socket receives, and any bytes as a router of our own.
 *
 * The first bytes choose the router, the rest is the packet.  Oracle: an accepted packet is no longer
 * and no shorter than its head says, agrees with what the router insists on, and, sent by a router of
 * the same content, is accepted with the same content.  What a router sends its peer accepts, every
 * shorter length of it is refused, and so is a change of any byte where one sum alone is good.
 */
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "hafailover/vrrp/vrrp_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHOICE = 4, V6 = 1, MULTICAST = 2, VERSION_2 = 4, AUTHENTICATED = 8, PLAIN = 16 };

static const uint8_t own[16] = { 192, 0, 2, 2 }, peer[16] = { 192, 0, 2, 1 };

static void
router_choose(struct vrrp_router *r, const uint8_t *choice)
{
	unsigned bits = choice[0];

	*r = (struct vrrp_router){ .v6 = bits & V6, .multicast = bits & MULTICAST };
	r->version = bits & VERSION_2 && !r->v6 ? 2 : 3;
	r->authenticated = r->version == 2 && bits & AUTHENTICATED;
	r->plain_sum = r->version == 3 && !r->v6 && bits & PLAIN;
	r->id = choice[1];
	r->interval_ns = (choice[2] % 255 + 1) * NS_PER_S / (r->version == 2 ? 1 : 100);
	memcpy(r->password, "s3cret", 6 * (size_t)r->authenticated);
	memcpy(r->peer, peer, 16);
}

static struct vrrp_ends
ends_of(const struct vrrp_router *r)
{
	struct vrrp_ends e = { .v6 = r->v6, .ttl = VRRP_TTL };

	memcpy(e.from, peer, 16);
	memcpy(e.to, own, 16);
	if (r->multicast)
		vrrp_group(r->v6, e.to);
	return e;
}

/* In a block of its own size, so that ASan sees one byte too far. */
static enum vrrp_result
decode(struct vrrp_advertisement *a, const struct vrrp_router *r, const uint8_t *bytes, size_t n)
{
	struct vrrp_ends ends = ends_of(r);
	uint8_t *exact = malloc(n ? n : 1);
	enum vrrp_result result;

	CHECK(exact);
	if (n)
		memcpy(exact, bytes, n);
	result = vrrp_decode(a, r, (struct str){ (char *)exact, n }, &ends);
	if (result == VRRP_OK) /* what it borrows is the caller's to keep */
		a->addresses = bytes + (a->addresses - exact);
	free(exact);
	return result;
}

static size_t
width(const struct vrrp_router *r)
{
	return r->v6 ? 16 : 4;
}

static void
check_sent(const struct vrrp_router *r, uint8_t priority, const uint8_t *choice)
{
	struct vrrp_ends ends = ends_of(r);
	uint8_t bytes[VRRP_PACKET_MAX];
	size_t n = vrrp_encode(bytes, r, priority, &ends), at = choice[3] % n;
	struct vrrp_advertisement a;

	CHECK(decode(&a, r, bytes, n) == VRRP_OK);
	CHECK(a.version == r->version && a.id == r->id && a.priority == priority);
	CHECK(a.interval_ns == r->interval_ns && vrrp_same_addresses(r, &a));
	for (size_t cut = 0; cut < n; cut++)
		CHECK(decode(&a, r, bytes, cut) != VRRP_OK);
	bytes[at] ^= (uint8_t)(choice[2] | 1);
	if (r->v6 || r->version == 2)
		CHECK(decode(&a, r, bytes, n) != VRRP_OK);
}

static void
check_accepted(const struct vrrp_router *r, const struct vrrp_advertisement *a, size_t n,
    const uint8_t *choice)
{
	struct vrrp_router same = *r;

	CHECK(a->version == r->version && a->id == r->id && a->n_addresses > 0);
	CHECK(n == VRRP_HEADER + a->n_addresses * width(r) + (r->version == 2 ? VRRP_PASSWORD : 0));
	CHECK(a->interval_ns > 0 && (r->version == 3 || a->interval_ns == r->interval_ns));
	if (n > VRRP_PACKET_MAX)
		return; /* more addresses than we would send */
	same.interval_ns = a->interval_ns;
	same.n_addresses = a->n_addresses;
	memcpy(same.addresses, a->addresses, a->n_addresses * width(r));
	check_sent(&same, a->priority, choice);
}

static void
check_header(const uint8_t *data, size_t size)
{
	struct str packet = { (const char *)data, size };
	struct vrrp_ends ends;

	if (!vrrp_ip4_strip(&packet, &ends))
		return;
	CHECK(!ends.v6 && size - packet.n >= 20 && size - packet.n <= 60);
	CHECK(packet.p + packet.n == (const char *)data + size && ends.ttl == data[8]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vrrp_advertisement a;
	struct vrrp_router r;
	size_t n;

	if (size < CHOICE)
		return 0;
	router_choose(&r, data);
	check_header(data + CHOICE, size - CHOICE);
	if (decode(&a, &r, data + CHOICE, size - CHOICE) == VRRP_OK)
		check_accepted(&r, &a, size - CHOICE, data);
	for (n = 0; n < VRRP_ADDRESSES6_MAX && (n + 1) * width(&r) <= size - CHOICE; n++)
		memcpy(r.addresses + n * width(&r), data + CHOICE + n * width(&r), width(&r));
	r.n_addresses = (uint8_t)n;
	if (n)
		check_sent(&r, data[CHOICE], data);
	return 0;
}
