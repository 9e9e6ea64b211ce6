/* vrrp_wire.c - to and from bytes; the order of checks is keepalived's. */
#include "hafailover/vrrp/vrrp_wire.h"

#include "common/check.h"
#include "common/clock.h"
#include "hafailover/link/internet_sum.h"

enum { ADVERTISEMENT = 1, CENTISECONDS_MAX = 0xfff };

static const int64_t NS_PER_CS = NS_PER_S / 100;

const char *
vrrp_result_name(enum vrrp_result r)
{
	static const char *const names[VRRP_RESULTS] = { "ok", "error", "other_router", "stranger",
		"forwarded", "malformed", "other_version", "other_password", "other_interval",
		"bad_sum" };

	return names[r];
}

void
vrrp_group(bool v6, uint8_t address[16])
{
	static const uint8_t v4_group[16] = { 224, 0, 0, 18 };
	static const uint8_t v6_group[16] = { 0xff, 2, [15] = 0x12 };

	memcpy(address, v6 ? v6_group : v4_group, 16);
}

static size_t
width(bool v6)
{
	return v6 ? 16 : 4;
}

/* --- the checksum --- */

/* Of both families: the fields stand in another order there, and it makes no difference. */
static uint32_t
sum_pseudo(const struct vrrp_ends *ends, const uint8_t *to, size_t n)
{
	uint32_t sum = internet_sum_add(0, ends->from, width(ends->v6));

	return internet_sum_add(sum, to, width(ends->v6)) + VRRP_PROTOCOL + (uint32_t)n;
}

static bool
sum_is_good(uint8_t version, struct str packet, const struct vrrp_ends *ends)
{
	uint32_t sum = internet_sum_add(0, (const uint8_t *)packet.p, packet.n);
	uint8_t group[16];

	if (version == 3 && internet_sum_fold(sum + sum_pseudo(ends, ends->to, packet.n)) == 0xffff)
		return true;
	if (ends->v6)
		return false;
	vrrp_group(false, group);
	return internet_sum_fold(sum) == 0xffff ||
	    (version == 3 && internet_sum_fold(sum + sum_pseudo(ends, group, packet.n)) == 0xffff);
}

/* --- encode --- */

static void
put_16(uint8_t *to, uint16_t v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

static uint16_t
get_16(const uint8_t *from)
{
	return (uint16_t)(from[0] << 8 | from[1]);
}

static size_t
length(uint8_t version, bool v6, uint8_t n_addresses)
{
	return VRRP_HEADER + n_addresses * width(v6) + (version == 2 ? VRRP_PASSWORD : 0);
}

static void
put_interval(uint8_t bytes[VRRP_PACKET_MAX], const struct vrrp_router *r)
{
	int64_t cs = r->interval_ns / NS_PER_CS, s = r->interval_ns / NS_PER_S;

	CHECK(r->version == 3 ? cs > 0 && cs <= CENTISECONDS_MAX : s > 0 && s <= UINT8_MAX);
	if (r->version == 3) {
		put_16(bytes + 4, (uint16_t)cs);
		return;
	}
	bytes[4] = r->authenticated;
	bytes[5] = (uint8_t)s;
}

size_t
vrrp_encode(uint8_t bytes[VRRP_PACKET_MAX], const struct vrrp_router *r, uint8_t priority,
    const struct vrrp_ends *ends)
{
	size_t n = length(r->version, r->v6, r->n_addresses);
	uint32_t sum;

	CHECK(n <= VRRP_PACKET_MAX && r->v6 == ends->v6);
	memset(bytes, 0, n);
	bytes[0] = (uint8_t)(r->version << 4 | ADVERTISEMENT);
	bytes[1] = r->id;
	bytes[2] = priority;
	bytes[3] = r->n_addresses;
	put_interval(bytes, r);
	memcpy(bytes + VRRP_HEADER, r->addresses, r->n_addresses * width(r->v6));
	if (r->version == 2 && r->authenticated)
		memcpy(bytes + n - VRRP_PASSWORD, r->password, VRRP_PASSWORD);
	sum = internet_sum_add(0, bytes, n);
	if (r->v6 || (r->version == 3 && !r->plain_sum))
		sum += sum_pseudo(ends, ends->to, n);
	put_16(bytes + 6, (uint16_t)~internet_sum_fold(sum));
	return n;
}

/* --- decode --- */

bool
vrrp_ip4_strip(struct str *packet, struct vrrp_ends *ends)
{
	const uint8_t *p = (const uint8_t *)packet->p;
	size_t header;

	if (packet->n < 20 || p[0] >> 4 != 4)
		return false;
	header = (size_t)(p[0] & 15) * 4;
	if (header < 20 || packet->n < header || get_16(p + 2) != packet->n ||
	    p[9] != VRRP_PROTOCOL)
		return false;
	*ends = (struct vrrp_ends){ .ttl = p[8] };
	memcpy(ends->from, p + 12, 4);
	memcpy(ends->to, p + 16, 4);
	*packet = str_skip(*packet, header);
	return true;
}

/* True: the packet is as long as its head says. */
static bool
read_fields(struct vrrp_advertisement *a, struct str packet, bool v6)
{
	const uint8_t *p = (const uint8_t *)packet.p;

	*a = (struct vrrp_advertisement){ .version = p[0] >> 4, .id = p[1], .priority = p[2] };
	a->n_addresses = p[3];
	a->addresses = p + VRRP_HEADER;
	a->interval_ns =
	    a->version == 2 ? p[5] * NS_PER_S : (get_16(p + 4) & CENTISECONDS_MAX) * NS_PER_CS;
	if ((p[0] & 15) != ADVERTISEMENT || packet.n != length(a->version, v6, a->n_addresses) ||
	    a->n_addresses == 0)
		return false;
	if (a->version != 2)
		return true;
	a->authentication = p[4];
	memcpy(a->password, p + packet.n - VRRP_PASSWORD, VRRP_PASSWORD);
	return true;
}

static bool
is_expected(const struct vrrp_router *r, const struct vrrp_ends *ends)
{
	uint8_t group[16];
	bool multicast;

	vrrp_group(r->v6, group);
	multicast = memcmp(ends->to, group, width(r->v6)) == 0;
	if (multicast != r->multicast)
		return false;
	return r->multicast || memcmp(ends->from, r->peer, width(r->v6)) == 0;
}

/* Version 2: what keepalived drops, and both nodes are active then. */
static enum vrrp_result
check_agreed(const struct vrrp_advertisement *a, const struct vrrp_router *r)
{
	if (a->authentication != r->authenticated)
		return VRRP_OTHER_PASSWORD;
	if (r->authenticated && memcmp(a->password, r->password, VRRP_PASSWORD) != 0)
		return VRRP_OTHER_PASSWORD;
	return a->interval_ns == r->interval_ns ? VRRP_OK : VRRP_OTHER_INTERVAL;
}

enum vrrp_result
vrrp_decode(struct vrrp_advertisement *a, const struct vrrp_router *r, struct str packet,
    const struct vrrp_ends *ends)
{
	enum vrrp_result result = VRRP_OK;

	CHECK(r->v6 == ends->v6);
	if (packet.n < VRRP_HEADER)
		return VRRP_MALFORMED;
	if ((uint8_t)packet.p[1] != r->id)
		return VRRP_OTHER_ROUTER;
	if (!is_expected(r, ends))
		return VRRP_STRANGER;
	if (r->multicast && ends->ttl != VRRP_TTL)
		return VRRP_FORWARDED;
	if ((uint8_t)packet.p[0] >> 4 != r->version)
		return VRRP_OTHER_VERSION;
	if (!read_fields(a, packet, r->v6))
		return VRRP_MALFORMED;
	if (r->version == 2)
		result = check_agreed(a, r);
	if (result != VRRP_OK)
		return result;
	if (!sum_is_good(a->version, packet, ends))
		return VRRP_BAD_SUM;
	return a->interval_ns > 0 ? VRRP_OK : VRRP_MALFORMED;
}

bool
vrrp_same_addresses(const struct vrrp_router *r, const struct vrrp_advertisement *a)
{
	return r->n_addresses == a->n_addresses &&
	    memcmp(r->addresses, a->addresses, a->n_addresses * width(r->v6)) == 0;
}
