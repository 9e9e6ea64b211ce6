/* test_vrrp_wire.c - packets that keepalived 2.2.7 sent, what must be refused, and both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "common/clock.h"
#include "hafailover/vrrp/vrrp_wire.h"

static uint8_t
nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static size_t
from_hex(const char *hex, uint8_t *bytes)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	return n;
}

/* --- what was captured: with the header of IPv4 or IPv6 --- */

struct capture {
	const char *name, *hex;
	bool v6, multicast;
	uint8_t version, priority;
	int64_t interval_ns;
	const char *password;
	const char *addresses[2];
};

static const struct capture captures[] = {
	{ "version 2, no authentication",
	    "45c0002800010000ff7036a1c0000201c00002022133960100018665c00002640000000000000000",
	    false, false, 2, 150, NS_PER_S, NULL, { "192.0.2.100" } },
	{ "version 2, priority 0",
	    "45c0002800020000ff7036a0c0000201c00002022133000100011c66c00002640000000000000000",
	    false, false, 2, 0, NS_PER_S, NULL, { "192.0.2.100" } },
	{ "version 2, password, multicast",
	    "45c0002c00010000ff70188dc0000201e000001221339602010186e4c0000264c000026573336372657400"
	    "00",
	    false, true, 2, 150, NS_PER_S, "s3cret", { "192.0.2.100", "192.0.2.101" } },
	{ "version 3, unicast", "45c0002000010000ff7036a9c0000201c0000202313396010019f1ccc0000264",
	    false, false, 3, 150, 250 * NS_PER_MS, NULL, { "192.0.2.100" } },
	{ "version 3, unicast, priority 0",
	    "45c0002000020000ff7036a8c0000201c000020231330001001987cdc0000264", false, false, 3, 0,
	    250 * NS_PER_MS, NULL, { "192.0.2.100" } },
	{ "version 3, multicast",
	    "45c0002000010000ff701899c0000201e0000012313396010019d3bcc0000264", false, true, 3, 150,
	    250 * NS_PER_MS, NULL, { "192.0.2.100" } },
	{ "version 3, IPv6, multicast",
	    "6c013a3c002870fffe8000000000000020a9ddfffe8b734cff020000000000000000000000000012313396"
	    "0200329c4afe80000000000000000000000000010020010db8000000000000000000000064",
	    true, true, 3, 150, 500 * NS_PER_MS, NULL, { "fe80::100", "2001:db8::64" } },
	{ "version 3, IPv6, unicast",
	    "6c02c8300018704020010db800000000000000000000000120010db8000000000000000000000002313396"
	    "0"
	    "10032ae7e20010db8000000000000000000000064",
	    true, false, 3, 150, 500 * NS_PER_MS, NULL, { "2001:db8::64" } },
};

enum { CAPTURES = sizeof(captures) / sizeof(*captures), IP6 = 40 };

struct sent {
	uint8_t bytes[VRRP_IP4_MAX];
	struct str packet; /* without the IP header */
	struct vrrp_ends ends;
	struct vrrp_router router; /* that expects it */
};

static void
sent_open(struct sent *s, const struct capture *c)
{
	s->packet = (struct str){ (char *)s->bytes, from_hex(c->hex, s->bytes) };
	s->ends = (struct vrrp_ends){ .v6 = true, .ttl = s->bytes[7] };
	if (!c->v6) {
		assert_true(vrrp_ip4_strip(&s->packet, &s->ends));
		return;
	}
	memcpy(s->ends.from, s->bytes + 8, 16);
	memcpy(s->ends.to, s->bytes + 24, 16);
	s->packet = str_skip(s->packet, IP6);
}

static void
router_open(struct sent *s, const struct capture *c)
{
	struct vrrp_router *r = &s->router;
	size_t width = c->v6 ? 16 : 4;

	*r = (struct vrrp_router){ .v6 = c->v6,
		.multicast = c->multicast,
		.version = c->version,
		.id = 51,
		.interval_ns = c->interval_ns,
		.authenticated = c->password };
	memcpy(r->peer, s->ends.from, 16);
	if (c->password)
		memcpy(r->password, c->password, strlen(c->password));
	for (size_t i = 0; i < 2 && c->addresses[i]; i++)
		assert_int_equal(inet_pton(c->v6 ? AF_INET6 : AF_INET, c->addresses[i],
				     r->addresses + width * r->n_addresses++),
		    1);
}

static void
sent_init(struct sent *s, const struct capture *c)
{
	memset(s, 0, sizeof(*s));
	sent_open(s, c);
	router_open(s, c);
}

static enum vrrp_result
take(const struct sent *s)
{
	struct vrrp_advertisement a;

	return vrrp_decode(&a, &s->router, s->packet, &s->ends);
}

static void
test_captures(void **state)
{
	(void)state;
	for (size_t i = 0; i < CAPTURES; i++) {
		const struct capture *c = &captures[i];
		struct vrrp_advertisement a;
		struct sent s;

		sent_init(&s, c);
		if (vrrp_decode(&a, &s.router, s.packet, &s.ends) != VRRP_OK)
			fail_msg("%s: %s", c->name, vrrp_result_name(take(&s)));
		assert_int_equal(a.version, c->version);
		assert_int_equal(a.id, 51);
		assert_int_equal(a.priority, c->priority);
		assert_int_equal(a.interval_ns, c->interval_ns);
		assert_true(vrrp_same_addresses(&s.router, &a));
		assert_int_equal(s.ends.ttl, c->v6 && !c->multicast ? 64 : 255);
	}
}

/* To the byte what keepalived sends. */
static void
test_encode_is_keepaliveds(void **state)
{
	uint8_t bytes[VRRP_PACKET_MAX];

	(void)state;
	for (size_t i = 0; i < CAPTURES; i++) {
		struct sent s;

		sent_init(&s, &captures[i]);
		assert_int_equal(
		    vrrp_encode(bytes, &s.router, captures[i].priority, &s.ends), s.packet.n);
		assert_memory_equal(bytes, s.packet.p, s.packet.n);
	}
}

static void
test_every_change_of_a_byte_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < CAPTURES; i++) {
		struct sent s;

		sent_init(&s, &captures[i]);
		for (size_t at = (size_t)(s.packet.p - (char *)s.bytes);
		     at < from_hex(captures[i].hex, s.bytes); at++) {
			s.bytes[at] ^= 0x11;
			assert_int_not_equal(take(&s), VRRP_OK);
			s.bytes[at] ^= 0x11;
		}
		assert_int_equal(take(&s), VRRP_OK);
	}
}

static void
test_length_is_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < CAPTURES; i++) {
		struct sent s;
		size_t n;

		sent_init(&s, &captures[i]);
		for (n = s.packet.n, s.packet.n = 0; s.packet.n < n; s.packet.n++)
			assert_int_equal(take(&s), VRRP_MALFORMED);
		s.packet.n = n + 4;
		assert_int_equal(take(&s), VRRP_MALFORMED);
	}
}

/* --- the checksum --- */

static void
test_sums_of_version_3_over_ipv4(void **state)
{
	/* Captured with old_unicast_checksum: the group stands in the pseudo header. */
	static const struct capture old = { "",
		"45c0002000010000ff7036a9c0000201c0000202313396010019d3bcc0000264", false, false, 3,
		150, 250 * NS_PER_MS, NULL, { "192.0.2.100" } };
	uint8_t plain[VRRP_PACKET_MAX];
	struct sent s;

	(void)state;
	sent_init(&s, &old);
	assert_int_equal(take(&s), VRRP_OK);
	s.router.plain_sum = true;
	s.packet.n = vrrp_encode(plain, &s.router, 150, &s.ends);
	s.packet.p = (char *)plain;
	/* 3133 + 9601 + 0019 + c000 + 0264 = 189b1, folded 89b2 */
	assert_int_equal(plain[6] << 8 | plain[7], 0x764d);
	assert_int_equal(take(&s), VRRP_OK);
	s.router.plain_sum = false; /* what we send decides nothing about what we take */
	assert_int_equal(take(&s), VRRP_OK);
}

static void
test_a_sum_of_version_3_is_none_of_version_2(void **state)
{
	/* The good one, 8665, and the pseudo header: addresses, protocol, length. */
	uint32_t sum = 0x799a + 0xc000 + 0x0201 + 0xc000 + 0x0202 + 112 + 20;
	struct sent s;

	(void)state;
	sum = ~((sum & 0xffff) + (sum >> 16));
	sent_init(&s, &captures[0]);
	s.bytes[20 + 6] = (uint8_t)(sum >> 8);
	s.bytes[20 + 7] = (uint8_t)sum;
	assert_int_equal(take(&s), VRRP_BAD_SUM);
}

/* --- what is refused --- */

static void
test_refusals(void **state)
{
	struct sent s;

	(void)state;
	sent_init(&s, &captures[3]);
	s.router.id = 52;
	assert_int_equal(take(&s), VRRP_OTHER_ROUTER);
	sent_init(&s, &captures[3]);
	s.router.version = 2;
	assert_int_equal(take(&s), VRRP_OTHER_VERSION);
	sent_init(&s, &captures[3]);
	s.router.peer[3]++;
	assert_int_equal(take(&s), VRRP_STRANGER);
	sent_init(&s, &captures[3]);
	s.router.multicast = true;
	assert_int_equal(take(&s), VRRP_STRANGER);
	sent_init(&s, &captures[5]);
	s.router.multicast = false;
	assert_int_equal(take(&s), VRRP_STRANGER);
	sent_init(&s, &captures[5]);
	s.ends.ttl = 254;
	assert_int_equal(take(&s), VRRP_FORWARDED);
	sent_init(&s, &captures[5]);
	memset(s.router.peer, 0, 16); /* multicast: any router of the group */
	assert_int_equal(take(&s), VRRP_OK);
	sent_init(&s, &captures[3]);
	s.ends.ttl = 3; /* unicast: may come through routers */
	assert_int_equal(take(&s), VRRP_OK);
}

static void
test_version_2_must_agree(void **state)
{
	struct sent s;

	(void)state;
	sent_init(&s, &captures[2]);
	s.router.password[0]++;
	assert_int_equal(take(&s), VRRP_OTHER_PASSWORD);
	sent_init(&s, &captures[2]);
	s.router.authenticated = false;
	assert_int_equal(take(&s), VRRP_OTHER_PASSWORD);
	sent_init(&s, &captures[0]);
	s.router.authenticated = true;
	assert_int_equal(take(&s), VRRP_OTHER_PASSWORD);
	sent_init(&s, &captures[0]);
	s.router.interval_ns *= 2;
	assert_int_equal(take(&s), VRRP_OTHER_INTERVAL);
	sent_init(&s, &captures[3]);
	s.router.interval_ns *= 2; /* version 3 learns it */
	assert_int_equal(take(&s), VRRP_OK);
}

static void
test_other_addresses_are_taken_and_seen(void **state)
{
	struct vrrp_advertisement a;
	struct sent s;

	(void)state;
	sent_init(&s, &captures[2]);
	s.router.addresses[3]++;
	assert_int_equal(vrrp_decode(&a, &s.router, s.packet, &s.ends), VRRP_OK);
	assert_false(vrrp_same_addresses(&s.router, &a));
	sent_init(&s, &captures[2]);
	s.router.n_addresses = 1;
	assert_int_equal(vrrp_decode(&a, &s.router, s.packet, &s.ends), VRRP_OK);
	assert_false(vrrp_same_addresses(&s.router, &a));
}

static void
test_headers_of_ipv4(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = { { 0, 0x65 }, { 0, 0x44 }, { 0, 0x4f }, { 3, 0x21 }, { 3, 0x1f }, { 9, 51 } };
	uint8_t bytes[VRRP_IP4_MAX];
	struct vrrp_ends ends;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct str packet = { (char *)bytes, from_hex(captures[3].hex, bytes) };

		bytes[wrong[i].at] = wrong[i].value;
		assert_false(vrrp_ip4_strip(&packet, &ends));
	}
	for (size_t n = 0; n < 20; n++) {
		struct str packet = { (char *)bytes, n };

		from_hex(captures[3].hex, bytes);
		assert_false(vrrp_ip4_strip(&packet, &ends));
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VRRP_RESULTS; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(vrrp_result_name((enum vrrp_result)i),
			    vrrp_result_name((enum vrrp_result)j));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captures),
		cmocka_unit_test(test_encode_is_keepaliveds),
		cmocka_unit_test(test_every_change_of_a_byte_is_seen),
		cmocka_unit_test(test_length_is_exact),
		cmocka_unit_test(test_sums_of_version_3_over_ipv4),
		cmocka_unit_test(test_a_sum_of_version_3_is_none_of_version_2),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_version_2_must_agree),
		cmocka_unit_test(test_other_addresses_are_taken_and_seen),
		cmocka_unit_test(test_headers_of_ipv4),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
